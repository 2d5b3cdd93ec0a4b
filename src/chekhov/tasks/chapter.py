"""The chapter's own program, through a trained chain: 101 words, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

from chekhov.errors import UsageError, check_range
from chekhov.tasks.generate import MAX_TOKENS
from chekhov.tasks.text_model import TextModel


def chapter_text(
    model: TextModel, *, seed: int, words: int = 100, note: Callable[[str], None] = lambda message: None
) -> str:
    """What the chapter's program prints under ``np.random.seed(seed)`` for the text that the chain was trained on.

    Raises `UsageError` unless the model is a chain of order 1 on whitespace tokens, and `TextError` for a text on which
    the chapter's program never ends.
    """
    from chekhov.ngram.chain import Chain
    from chekhov.ngram.chapter import chapter_walk, dead_word

    chain = model.model
    if not isinstance(chain, Chain) or chain.order != 1 or model.tokenizer.name != "whitespace":
        mend = "chekhov train chain TEXT --order 1 --chapter-compatible -o DIR"
        raise UsageError("E-CHAPTER-001", "the chapter's program is a chain of order 1 on blanks", mend=mend)
    check_range("max_tokens", words, 1, MAX_TOKENS)
    if not 0 <= seed < 1 << 32:
        raise UsageError(
            "E-CHAPTER-002", f"np.random.seed takes 0 to 4294967295, not {seed}", mend="give such a --seed"
        )
    tokens = list(model.tokenizer.vocabulary)
    walk, dead = chapter_walk(chain, tokens, seed=seed, words=words), dead_word(chain, tokens)
    if dead in walk[:-1]:
        note(f"nothing follows {dead!r}: the chapter's program ends there with a KeyError, this one starts anew")
    return " ".join(walk)
