"""A saliency for people: the text in colours, the tokens that count most, and a page."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from chekhov.errors import printable
from chekhov.inspection.backoff import shown
from chekhov.inspection.reading import ReadText
from chekhov.inspection.saliency import Saliency
from chekhov.tasks.surprisal import SCALE, Colour, colour_of, html_cell, print_pieces, write_page

MOST = 8  # tokens that are listed
SIGNS = (("for it", 1.0), ("against", -1.0))
LEAST_SHARE = 0.02  # of the largest: less is neither marked nor listed


def pieces(read: ReadText, first: int, last: int) -> Iterator[tuple[str, int | None]]:
    """The text of the tokens ``first`` ... ``last`` with the number of each; what stands between has none."""
    place = None
    for t in range(first, last + 1):
        start, end = read.offsets[t].tolist()
        if start < 0:
            token = read.tokens[t]
            yield (" ⏎ " if token == "</s>" else f" {token} "), t
            continue
        if place is not None and start > place:
            yield read.text[place:start], None
        yield read.text[start:end], t
        place = end


def shade(share: float) -> Colour:
    """Of a share of the largest: white to red for what speaks for the token, to blue for what speaks against it."""
    low, high = SCALE[0][0], SCALE[-1][0]
    r, g, b = colour_of(low + (high - low) * min(1.0, abs(share)))
    return (r, g, b) if share >= 0 else (b, g, r)


def coloured(found: Saliency) -> Iterator[tuple[str, float | None, Colour]]:
    largest = max(float(abs(found.replacement).max()), 1e-9)
    for piece, t in pieces(found.read, found.first, found.position - 1):
        value = None if t is None else float(found.replacement[t - found.first])
        yield piece, value, shade((value or 0.0) / largest)


def print_saliency(found: Saliency, out: TextIO) -> None:
    token = printable(shown([found.read.tokens[found.position]]))
    print(f"{printable(found.model)}: log p({token}) = {found.log_prob:.3f} nats. It rests on:", file=out)
    largest = float(abs(found.replacement).max())
    least = max(LEAST_SHARE * largest, 0.005)
    marked = []
    for piece, value, colour in coloured(found):
        small = value is None or abs(value) < least
        marked.append((piece.replace("\n", "⏎"), None if small else value, colour))
    print_pieces(marked, out, digits=2)
    nets = found.gradient is not None
    print(f"\n{'replaced':>15}{'gradient':>10}{'x input':>9}" if nets else f"\n{'replaced':>15}", file=out)
    ranked = sorted(range(len(found.places)), key=lambda i: -abs(found.replacement[i]))
    for i in ranked[:MOST]:
        if abs(found.replacement[i]) < least:
            break
        row = f"{found.replacement[i]:8.3f} ± {found.error[i]:.2f}"
        if found.gradient is not None and found.gradient_x_input is not None:
            row += f"{found.gradient[i]:10.3f}{found.gradient_x_input[i]:9.3f}"
        j = found.places[i]
        print(f"{row}  {printable(shown([found.read.tokens[j]]))}, {found.position - j} back", file=out)
    print("replaced: nats that the prediction loses when the token is another one, a mean and its error", file=out)
    gradient = (
        "of the log-odds by the token's embedding; x input: times the embedding" if nets else "only nets have one"
    )
    print(f"gradient: {gradient}", file=out)


def write_saliency_page(found: Saliency, out: Path) -> None:
    cells = []
    for piece, value, colour in coloured(found):
        cells.append(html.escape(piece) if value is None else html_cell(piece, colour, f"{value:.3f} nats"))
    token = html.escape(shown([found.read.tokens[found.position]]))
    rows = [f'<p>{"".join(cells)} <b title="{found.log_prob:.3f} nats">{token}</b></p>']
    model, scale = html.escape(found.model), " ".join(html_cell(f" {name} ", shade(sign), "") for name, sign in SIGNS)
    header = (
        f"What {model} rests {token} on (log p {found.log_prob:.3f} nats): nats lost when a token is replaced. {scale}"
    )
    write_page(out, f"Saliency of {token}", header, rows)
