"""Texts coloured by how little each token was expected: on the terminal and as a page."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from chekhov.errors import printable
from chekhov.files import write_file

if TYPE_CHECKING:
    from chekhov.tasks.text_model import Score, TextModel

SCALE = ((1, (255, 255, 255)), (3, (255, 243, 205)), (6, (255, 214, 140)), (9, (250, 160, 110)), (13, (230, 95, 85)))
END = "</s>"
Colour = tuple[int, int, int]


def colour_of(bits: float) -> Colour:
    """White up to 1 bit, through yellow, to red from 13 bits (one chance in 8,000)."""
    for (low, first), (high, second) in itertools.pairwise(SCALE):
        if bits <= high:
            share = max(0.0, (bits - low) / (high - low))
            a, b, c = (round(x + share * (y - x)) for x, y in zip(first, second, strict=True))
            return a, b, c
    return SCALE[-1][1]


def spans(score: Score) -> Iterator[tuple[str, float | None]]:
    """The line in pieces with the surprisal of each in bits; what stands between two tokens (blanks) has none.

    Tokens that the text does not hold as they are, because they were lower-cased, follow one another with blanks.
    """
    place = 0
    for token, log_prob in zip(score.tokens, score.log_probs, strict=True):
        bits = -log_prob / math.log(2)
        if token == END:
            yield " ", None
            yield "⏎", bits
            continue
        start = score.text.find(token, place)
        if start < 0:
            yield (" " if place else ""), None
            yield token, bits
            continue
        if start > place:
            yield score.text[place:start], None
        yield token, bits
        place = start + len(token)


def print_coloured(score: Score, out: TextIO) -> None:
    """One line; without colours (NO_COLOR, no terminal) the surprisals stand behind the tokens."""
    print_pieces(((piece, bits, colour_of(bits or 0.0)) for piece, bits in spans(score)), out)


def print_pieces(pieces: Iterable[tuple[str, float | None, Colour]], out: TextIO, digits: int = 1) -> None:
    """Pieces of a line, each with its number, if it has one, and the colour of that."""
    console = Console(file=out, highlight=False, soft_wrap=True)
    line = Text()
    for piece, value, (r, g, b) in pieces:
        if value is None:
            line.append(printable(piece))
        elif console.color_system is None or console.no_color:
            line.append(f"{printable(piece)}[{value:.{digits}f}]")
        else:
            line.append(printable(piece), style=f"black on rgb({r},{g},{b})")
    console.print(line)


def html_page(scores: Sequence[Score], model: TextModel, out: str) -> None:
    """One self-contained file; the surprisal of a token stands in its tooltip."""
    rows = []
    for score in scores:
        cells = [
            html.escape(piece) if bits is None else html_cell(piece, colour_of(bits), f"{bits:.2f} bits")
            for piece, bits in spans(score)
        ]
        rows.append(f'<p title="perplexity {score.perplexity:,.1f}">{"".join(cells)}</p>')
    legend = " ".join(
        f'<span style="background:rgb{colour_of(bits)}">&nbsp;{bits} {"bit" if bits == 1 else "bits"}&nbsp;</span>'
        for bits in (1, 3, 6, 9, 13)
    )
    name = html.escape(model.name or model.kind)
    header = f"Surprisal under {name}: how many bits each token was unexpected by. {legend}"
    write_page(Path(out), f"Surprisal: {name}", header, rows)


def html_cell(piece: str, colour: Colour, title: str) -> str:
    r, g, b = colour
    return f'<span style="background:rgb({r},{g},{b})" title="{html.escape(title)}">{html.escape(piece)}</span>'


def write_page(out: Path, title: str, header: str, rows: Iterable[str]) -> None:
    """All of them HTML."""
    write_file(out, PAGE.format(title=title, header=header, rows="\n".join(rows)).encode())


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light }}
body {{ font: 17px/1.6 Georgia, serif; max-width: 46em; margin: 2em auto; padding: 0 1em; color: #222 }}
p {{ margin: .3em 0; white-space: pre-wrap; overflow-wrap: anywhere }}
header {{ font: 14px system-ui, sans-serif; color: #555; margin-bottom: 1.5em }}
header span {{ color: #222 }}
</style></head>
<body><header>{header}</header>
{rows}
</body></html>
"""
