"""The model table: one row a model, one meaning a column."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from chekhov.cli.output import number
from chekhov.evaluation.perplexity import Evaluation


def model_table(
    results: Sequence[Evaluation],
    *,
    floor: float | None = None,
    training: Sequence[float] = (),
    title: str | None = None,
    console: Console | None = None,
) -> None:
    """Print the table on stdout, with what its marks mean below. ``floor``: bits per character; ``training``: CPU-s."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    table.add_column("model")
    columns = ["parameters", "tokens", "unknown", "perplexity", "bits/char"]
    columns += ["over floor"] if floor else ["bits/byte"]
    columns += ["train CPU-s"] if training else []
    for column in [*columns, "score tok/s"]:
        table.add_column(column, justify="right")
    best = min((r.bits_per_character for r in results if not r.star), default=math.nan)
    marks = perplexity_marks(results)
    for index, result in enumerate(results):
        row = [
            result.model,
            f"{result.parameters:,}",
            f"{result.tokens:,}",
            f"{100 * result.oov / max(1, result.tokens):.2f} %",
            number(result.perplexity) + marks[index],
            number(result.bits_per_character, 3) + result.star,
        ]
        if floor:
            over = result.bits_per_character / floor - 1
            row.append(f"+{100 * over:.1f} %{result.star}" if math.isfinite(over) else "inf")
        else:
            row.append(number(result.bits_per_byte, 3) + result.star)
        row += [f"{training[index]:.1f}"] if training else []
        row.append(f"{result.tokens_per_second:,.0f}")
        table.add_row(*row, style="bold green" if result.bits_per_character == best else None)
    console = console or Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    for line in footnotes(results, floor):
        console.print(line, style="dim", markup=False, soft_wrap=True)


def perplexity_marks(results: Sequence[Evaluation]) -> list[str]:
    """Perplexities compare only between equal tokenizers: each but the commonest gets a mark."""
    digests = [digest for digest, _ in Counter(result.tokenizer_digest for result in results).most_common()]
    return ["'" * digests.index(result.tokenizer_digest) for result in results]


def footnotes(results: Sequence[Evaluation], floor: float | None) -> list[str]:
    lines = []
    if floor:
        lines.append(
            f"floor {floor:.3f} bits/char: what the grammar that wrote this text needs for it (inside algorithm)"
        )
    if any(perplexity_marks(results)):
        lines.append("' other tokens than the rest: compare bits/char, not perplexity")
    if any(result.star for result in results):
        lines.append("* does not pay for every blank and line break: not the whole text to the letter")
    lines += [zeros(result) for result in results if result.zero_probability_tokens]
    return lines


def zeros(result: Evaluation) -> str:
    """Why a perplexity is infinite; and, where the zeros are few enough to leave out, what it would be."""
    count, tokens = result.zero_probability_tokens, result.tokens
    line = f"inf: {result.model} gives {count:,} of {tokens:,} tokens no chance: they never followed their context"
    if count < tokens / 100:
        line += f"; without them {result.bits_per_character_without_zeros:.3f} bits/char"
    return line
