"""The models of the demonstration, and what to conclude from their table."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chekhov.evaluation.perplexity import Evaluation
from chekhov.tasks.corpus import Corpus
from chekhov.tasks.mix import mix
from chekhov.tasks.recurrent import parse_time
from chekhov.tasks.text_model import TextModel
from chekhov.tasks.train import train

Say = Callable[[str], None]
# 200,000 generated tokens are read a dozen times in a minute: without dropout the net would learn them by heart.
NETS = {"window": "fixed window of 8", "elman": "Elman", "gru": "GRU", "mingru": "minGRU", "lstm": "LSTM"}
GENERATED: dict[str, Any] = {"dropout": 0.1}


def train_all(text: str, corpus: Corpus, out: Path, *, seed: int, time: str, say: Say, note: Say) -> list[TextModel]:
    """Every kind of model on the same training part; the last is the mixture of n-gram and LSTM.

    A generated corpus has a line for a sentence and blanks between its tokens: words. Any other text: characters,
    the unit in which every model can be compared to the letter. The LSTM has ``time``, each other net a fifth of it.
    """
    generated = text.startswith("demo:rifle")
    unit, order = ("whitespace", 5) if generated else ("characters", 7)
    shared: dict[str, Any] = {"split": None if generated else "auto", "seed": seed, "overwrite": True}
    steps = len(NETS) + 3
    say(f"1/{steps} Markov chain of order 1, the chapter's ...")
    chain = train("chain", text, out=out / "chain", **shared)
    say(f"2/{steps} {order}-gram with Kneser-Ney smoothing on {'words' if generated else 'characters'} ...")
    ngram = train("ngram", text, out=out / "ngram", order=order, tokens=unit, note=note, **shared)
    chain.name, ngram.name = "chain, order 1", f"Kneser-Ney {order}-gram"
    models, seconds = [chain, ngram], parse_time(time) or 60.0
    shared["sequence_length"] = max(1, min(64, sum(map(len, corpus.train)) // 16))
    for i, (kind, name) in enumerate(NETS.items(), start=3):
        last = kind == "lstm"
        say(f"{i}/{steps} {name}, {seconds if last else seconds / 5:.0f} s ...")
        model = train(
            kind,
            text,
            out=out / kind,
            tokenizer=out / "ngram",
            time=seconds if last else seconds / 5,
            baselines=last,
            quiet=not last,
            note=note,
            **shared,
            **(GENERATED if generated else {}),
        )
        model.name = name
        models.append(model)
    say(f"{steps}/{steps} mixture of n-gram and LSTM ...")
    mixture = mix([ngram, models[-1]], corpus.valid or list(corpus.train))
    mixture.save(out / "mixture")
    shares = mixture.training["weights"].values()
    mixture.name = "mixture " + " + ".join(f"{share:.2f}" for share in shares)
    return [*models, mixture]


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
    ngram, (lstm, mixture) = results[1], results[-2:]
    best = min(results[1:], key=lambda result: result.bits_per_character)
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
