"""The chapter's program, draw for draw.

    first_word = np.random.choice(corpus), again while first_word.islower()
    100 times: chain.append(np.random.choice(word_dict[chain[-1]]))

``np.random.choice`` of a list is ``list[np.random.randint(len(list))]``, so the same generator with the same seed gives
the same words. (It also makes an array of the list first, which drops NULs at the end of a word; our reader refuses
texts with NUL.) Two of the program's accidents are mended: its KeyError at the last word of a text becomes a new start
and its endless loop on a text without any capital, digit or dash becomes an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chekhov.errors import TextError, UsageError
from chekhov.ngram.chain import Chain


def chapter_walk(chain: Chain, tokens: Sequence[str], *, seed: int, words: int = 100) -> list[str]:
    """``words`` + 1 words; ``tokens[id]`` is the spelling of an id.

    At the dead end (`dead_word`) the chapter's program stops with a KeyError and prints nothing, so there is nothing to
    be equal to: a new start is drawn. `TextError` where the chapter's program would draw its first word for ever;
    `UsageError` for a chain that is not of order 1.
    """
    if chain.order != 1:
        raise UsageError(
            "E-CHAPTER-001", f"the chain has order {chain.order}, the chapter's has 1", mend="train it with --order 1"
        )
    corpus, random = chain.corpus, np.random.RandomState(seed)
    if all(tokens[int(token)].islower() for token in np.unique(corpus)):
        raise TextError(
            "E-CHAPTER-004",
            "every word of the text is lower-case, so no word may come first",
            why="the chapter's program draws its first word until it is not all lower-case",
            mend="generate without --chapter-compatible, or give a text with capitals",
        )

    def start() -> int:
        while True:
            token = int(corpus[random.randint(len(corpus))])
            if not tokens[token].islower():
                return token

    walk = [start()]
    for _ in range(words):
        followers = chain.followers(1, chain.rank_of(walk[-1]))
        walk.append(int(followers[random.randint(len(followers))]) if len(followers) else start())
    return [tokens[token] for token in walk]


def dead_word(chain: Chain, tokens: Sequence[str]) -> str | None:
    """The one word that nothing follows: the last of the text, if it stands nowhere else.

    A walk restarted if and only if this word stands in it before the last place.
    """
    last = int(chain.corpus[-1])
    return None if len(chain.followers(1, chain.rank_of(last))) else tokens[last]
