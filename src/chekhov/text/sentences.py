"""Text -> sentences, by rule, for Russian and English, in linear time.

A line break always ends a sentence. Inside a line one ends after ``. ! ? …``, with the quotes and brackets that close
behind them, before a blank; unless a small letter follows («— Да? — спросил он.» is one sentence), or the mark is one
dot after an initial or an abbreviation that does not end sentences. A text without capitals is cut at its lines only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

# A line break, or end marks with what closes behind them. Every alternative matches as soon as its first character
# does, and nothing is scanned twice: that keeps the scan linear, whatever the text. `_places` tells where it matches.
_BOUNDARY = re.compile(r"""[\r\n]+|[.!?…]+(?:["'»”’“)\]}]+|[^\S\r\n]{1,3}[»)\]}]+)?""")
_BLANKS = re.compile(r"[^\S\r\n]*")
_OPENING = re.compile(r"""(?:[^\S\r\n]|["«“„'‘(\[{—–-])*""")
_DOTS = re.compile(r"[.…]*")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"[0-9]+|[IVXLCІХ]+")
_LIST_NUMBER = re.compile(r"(?:(?:[0-9]{1,3}|[IVXLC]{1,6})\.)+")
_LOOK_BACK = 24  # characters: enough for an abbreviation and the word before it


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Something must follow these: no sentence ends with them.
_OPEN = _words(
    """Mr Mrs Ms Messrs Mme Mlle Dr Prof Gen Col Maj Capt Lt Sgt Rev Hon Gov Sen Mt vs cf viz approx ca e.g i.e
    т.е т.к т.н т.о тт тов гр гг-н им см ср напр проф акад доц инж ген св преп ул пл пер просп бул наб дер пос оз кн гос
    г в с т д п р о к л м ч н е ж"""
)
# These stand before a number; before anything else they are ordinary words, or end a sentence.
_BEFORE_NUMBER = _words(
    """No Nos Fig Figs Vol Vols Ch Sec Eq p pp fig vol vols ch sec eq par Jan Feb Apr Aug Sep Sept Oct
    Nov Dec стр гл рис табл илл пп ст вып тел кв корп разд вкл"""
)
# After a number these are units, and a unit may end a sentence («в 1799 г. Кто-то»).
_UNITS = _words("г гг в вв р к м ч л с т см")
_YEARS = _words("г гг в вв")
# These may end a sentence, and the next word's capital says that they do; a number after them says that they do not.
_MAY_END = _words(
    """etc p.m a.m т.д т.п др пр проч н.э гг вв руб коп тыс млн млрд долл
    экз чел мин сек кг км обл губ ред изд прим перев"""
)
# Names follow these as often as sentences do: they end one only before a word that is no name.
_BEFORE_NAME = _words("Jr Sr Inc Ltd Co Corp St Bros Ave Rd")
_KNOWN = _OPEN | _BEFORE_NUMBER | _BEFORE_NAME
_LONG = 1 + max(map(len, _KNOWN | _MAY_END))
_SPACED = {("т.", "д"): "т.д", ("т.", "п"): "т.п", ("н.", "э"): "н.э", ("p.", "m"): "p.m", ("a.", "m"): "a.m"}
_STARTERS = _words(
    """The A An He She It They We You I This That These Those There In On At And But Or If When Then So Yet As After
    Before His Her Their Our My Its What Who Why How No Not Now
    Он Она Оно Они Мы Вы Я Ты Это Этот Эта Эти Тот Та Но И А В На С К У О По За Из От Его Её Ее Их Там Тут Здесь Когда
    Если Все Всё Потом Тогда Так Как Что Кто Не Где Затем Теперь"""
)


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` in order, without the blanks around them; joined, they lack nothing but blanks."""
    found: list[str] = []
    start = searched = 0
    has_word = False  # does text[start:searched] hold a letter or a digit?
    for mark in _places(text):
        if text[mark] in "\r\n":
            found.append(text[start:mark].strip())
            start, has_word = mark + 1, False
            continue
        end = _BOUNDARY.match(text, mark).end()  # type: ignore[union-attr]  # a mark stands there
        if not text[end : end + 1].isspace():
            continue  # the middle of 3.14 or e.g., or the end of the text
        following = _BLANKS.match(text, end).end()  # type: ignore[union-attr]  # it always matches
        if not has_word:  # a sentence of marks alone belongs to what follows
            has_word = _WORD.search(text, max(start, searched), mark) is not None
            searched = mark
        if has_word and _ends(text, start, mark, following):
            found.append(text[start:end].strip())
            start, has_word = following, False
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


_BLOCK = 1 << 18
_AFTER = 2  # characters that a mark needs to be judged


@cache
def _kinds() -> NDArray[np.uint8]:
    """Of the characters below U+FFFF: 1 a line break, 2 an end mark, 4 other white space, 8 what may close behind a
    mark, 16 a small letter."""
    kinds = np.zeros(1 << 16, np.uint8)
    for code in range(1 << 16):
        char = chr(code)
        if char.isspace():
            kinds[code] = 1 if char in "\r\n" else 4
        elif char.islower():
            kinds[code] = 16
    for chars, kind in ((".!?…", 2), ("\"'»”’“)]}", 8)):
        kinds[[ord(char) for char in chars]] = kind
    return kinds


def _places(text: str) -> Iterator[int]:
    """Where line breaks stand (of several one behind the other the first), and where end marks begin. Those that can
    be seen at a glance to end no sentence are left out: before a letter, a digit, a small letter or a line break."""
    kinds = _kinds()
    before = 0
    for first in range(0, len(text), _BLOCK):
        part = text[first : first + _BLOCK + _AFTER]
        codes = np.frombuffer(part.encode("utf-32-le", "surrogatepass"), np.uint32)
        kind = kinds[np.minimum(codes, (1 << 16) - 1)]
        own = kind[: min(_BLOCK, len(kind))]
        previous = np.concatenate([[np.uint8(before)], own[:-1]])
        before = int(own[-1])
        next1 = np.concatenate([kind[1:], [np.uint8(1)] * _AFTER])[: len(own)]
        next2 = np.concatenate([kind[2:], [np.uint8(1)] * _AFTER])[: len(own)]
        ends = (next1 & (2 | 8)).astype(bool) | ((next1 == 4) & (next2 != 16))
        breaks = (own == 1) & (previous != 1)
        yield from (np.flatnonzero(breaks | ((own == 2) & (previous != 2) & ends)) + first).tolist()


def _ends(text: str, start: int, mark: int, following: int) -> bool:
    """Does the mark at ``mark`` end the sentence begun at ``start``, the next visible text being at ``following``?"""
    if text[following : following + 1] in ",;:!?%":
        return False
    opening = _DOTS.match(text, following).end()  # type: ignore[union-attr]  # it always matches
    if opening > following and text[opening : opening + 1].isspace():
        return False  # «Он . . . ушёл»: the marks go on; but «Он ушёл. …И вот» are two sentences
    word = _OPENING.match(text, opening).end()  # type: ignore[union-attr]  # it always matches
    first = text[word : word + 1]
    if not first or first in "\r\n" or first.islower():
        return False
    if text[mark] != "." or text[mark + 1] in ".!?…" or text[mark - 1].isspace():
        return True
    return _dot_ends(text, start, mark, word)


def _dot_ends(text: str, start: int, dot: int, word: int) -> bool:
    """Does a single dot, right after a word, end the sentence, if no small letter follows? ``word`` is the next one."""
    if text[max(start, dot - _LONG) : dot].isalpha() and dot - start >= _LONG:
        return True  # the usual case, told quickly: a word longer than any abbreviation
    back = max(start, dot - _LOOK_BACK)
    before = text[back:dot].split()
    last = before[-1].lstrip("«\"'“„‘([{—–-*")
    previous = before[-2] if len(before) > 1 else ""
    if back == start and _LIST_NUMBER.fullmatch(text[start : dot + 1].strip()):
        return False  # «1. Введение»
    if not last:
        return True
    if last[-1].isupper() and (len(last) == 1 or last[-2] in ".-"):  # initials: А. С., J.R.R., Ж.-Ж., also U.S.
        return _is_starter(text, word)
    if not last[0].islower() and last not in _KNOWN:
        last = last[0].lower() + last[1:]  # «См. выше»
    last = _SPACED.get((previous.lower().lstrip("("), last), last)
    if last in _UNITS and _NUMBER.fullmatch(previous.lstrip("(~").rsplit("-", 1)[-1].rsplit("–", 1)[-1]):
        only_a_date = last in _YEARS and back == start and len(before) <= 3  # «В 1799 г. Пушкин родился»
        return not only_a_date and not text[word].isdigit()
    if last in _OPEN:
        return False
    if last in _BEFORE_NUMBER:
        following = _WORD.match(text, word)
        return following is None or not _NUMBER.match(following.group())
    if last in _MAY_END:
        return not text[word].isdigit()
    return last not in _BEFORE_NAME or _is_starter(text, word)


def _is_starter(text: str, word: int) -> bool:
    """Is the word at ``word`` one that begins sentences, and not an initial («А. И. Куприн»)?"""
    match = _WORD.match(text, word)
    return match is not None and match.group() in _STARTERS and text[match.end() : match.end() + 1] != "."
