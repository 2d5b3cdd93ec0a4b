"""The four models of the demonstration, and what to conclude from their table."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chekhov.evaluation.perplexity import Evaluation
from chekhov.tasks.corpus import Corpus
from chekhov.tasks.mix import mix
from chekhov.tasks.text_model import TextModel
from chekhov.tasks.train import train

Say = Callable[[str], None]
# 200,000 generated tokens are read a dozen times in a minute: without dropout the net would learn them by heart.
GENERATED: dict[str, Any] = {"dropout": 0.1}


def train_all(text: str, corpus: Corpus, out: Path, *, seed: int, time: str, say: Say, note: Say) -> list[TextModel]:
    """Chain of order 1, Kneser-Ney n-gram, LSTM, and the mixture of the last two: all on the same training part.

    A generated corpus has a line for a sentence and blanks between its tokens: words. Any other text: characters,
    the unit in which every model can be compared to the letter.
    """
    generated = text.startswith("demo:rifle")
    unit, order = ("whitespace", 5) if generated else ("characters", 7)
    split = None if generated else "auto"
    say("1/4 Markov chain of order 1, the chapter's ...")
    chain = train("chain", text, out=out / "chain", split=split, seed=seed, overwrite=True)
    say(f"2/4 {order}-gram with Kneser-Ney smoothing on {'words' if generated else 'characters'} ...")
    ngram = train(
        "ngram", text, out=out / "ngram", order=order, tokens=unit, split=split, seed=seed, overwrite=True, note=note
    )
    say(f"3/4 LSTM, {time} ...")
    lstm = train(
        "lstm",
        text,
        out=out / "lstm",
        tokenizer=out / "ngram",
        split=split,
        seed=seed,
        time=time,
        sequence_length=max(1, min(64, sum(map(len, corpus.train)) // 16)),
        overwrite=True,
        note=note,
        **(GENERATED if generated else {}),
    )
    say("4/4 mixture of the two ...")
    chain.name, ngram.name, lstm.name = "chain, order 1", f"Kneser-Ney {order}-gram", "LSTM"
    mixture = mix([ngram, lstm], corpus.valid or corpus.train)
    mixture.save(out / "mixture")
    shares = mixture.training["weights"].values()
    mixture.name = "mixture " + " + ".join(f"{share:.2f}" for share in shares)
    return [chain, ngram, lstm, mixture]


def held_out_floor(name: str, texts: Sequence[str]) -> float:
    """Bits per character that the grammar itself needs for these texts: on average, no model can do with fewer."""
    from chekhov.text.demo import text_floor

    text = "".join(texts)
    tokens = len(text.split()) + text.count("\n")
    return text_floor(name.removeprefix("demo:"), text) * tokens / math.log(2) / len(text)


def verdict(
    results: Sequence[Evaluation], text: str, out: str, floor: float | None, program: str = "chekhov"
) -> list[str]:
    """Who won and why, in words that the figures bear out."""
    _, ngram, lstm, mixture = results
    best = min((ngram, lstm, mixture), key=lambda result: result.bits_per_character)
    lines = [f"Best: {best.model}, {best.bits_per_character:.3f} bits/char."]
    gap = lstm.bits_per_character - ngram.bits_per_character
    if gap < 0 and floor:
        far = (ngram.bits_per_character / floor - 1, lstm.bits_per_character / floor - 1)
        lines.append(
            f"The n-gram forgets all but its last words and stays {100 * far[0]:.1f} % above the floor; "
            f"the LSTM carries the subject and the rifle in its state and comes to {100 * far[1]:.1f} %."
        )
    elif gap < 0:
        lines.append(f"Alone, the LSTM is {-gap:.3f} bits/char better than the n-gram.")
    else:
        lines.append(
            f"Alone, the n-gram is {gap:.3f} bits/char better than the LSTM: it has counted the whole text within a "
            "second, the net has read it for a minute."
        )
    gain = min(ngram.bits_per_character, lstm.bits_per_character) - mixture.bits_per_character
    if gain > 0:
        lines.append(f"Their mixture gains {gain:.3f} bits/char more: the two err in different places.")
    source = shlex.quote(text)
    flags = f" --tokenizer {shlex.quote(out)}/ngram --dropout 0.1" if text.startswith("demo:rifle") else ""
    lines += [
        "A longer run:",
        f"  {program} train lstm {source}{flags} -o long --time 10m --hidden-size 384 --lr 4e-3",
    ]
    lines += ["More text from it:", f"  {program} generate {shlex.quote(out)}/mixture --max-tokens 500"]
    return lines
