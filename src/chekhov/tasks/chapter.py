"""The chapter's own program, through a trained chain: 101 words, bit for bit."""

from __future__ import annotations

from chekhov.errors import UsageError
from chekhov.tasks.text_model import TextModel


def chapter_text(model: TextModel, *, seed: int, words: int = 100) -> str:
    """What the chapter's program prints under ``np.random.seed(seed)`` for the text that the chain was trained on.

    Raises `UsageError` unless the model is a chain of order 1 on whitespace tokens, and `TextError` for a text on which
    the chapter's program never ends.
    """
    from chekhov.ngram.chain import Chain
    from chekhov.ngram.chapter import chapter_walk

    chain = model.model
    if not isinstance(chain, Chain) or chain.order != 1 or model.tokenizer.name != "whitespace":
        mend = "chekhov train chain TEXT --order 1 --chapter-compatible -o DIR"
        raise UsageError("E-CHAPTER-001", "the chapter's program is a chain of order 1 on blanks", mend=mend)
    if not 0 <= seed < 1 << 32:
        raise UsageError(
            "E-CHAPTER-002", f"np.random.seed takes 0 to 4294967295, not {seed}", mend="give such a --seed"
        )
    return " ".join(chapter_walk(chain, list(model.tokenizer.vocabulary), seed=seed, words=words))
