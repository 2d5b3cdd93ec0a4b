"""Sentence ends: a table of cases, most of them made to mislead (`|` marks where a sentence ends)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chekhov.text.sentences as rules
from chekhov.text.sentences import sentences

RUSSIAN = """
Кот спит. | Пёс лает.
Кот спит. | Пёс
Где ты? | Я здесь! | Тихо…
Что?! | Не может быть!.. | Может.
Стихи А. С. Пушкина знают все. | Мы тоже.
Рассказ А.П. Чехова напечатан. | Его читали.
Пришёл И. Петров. | Он устал.
Письмо Ж.-Ж. Руссо нашли.
Поэт родился в 1799 г. | Кто-то ему завидовал.
В 1799 г. Пушкин родился.
1799 г. Кто-то пришёл.
В 1904 г. умер Чехов. | Мы помним.
Это случилось 5 г. 3 мая.
Он жил в г. Москве, потом в г. Ялте. | Там и умер.
Замок построили в XIX в. | Потом его сожгли.
В XIX в. Россия изменилась.
Купил хлеб, соль и т. д. | Ушёл домой.
Купил хлеб, соль и т.п. | Ушёл домой.
Звери, т. е. кот и пёс, спят. | Тихо.
Он болен, т. к. Пётр не топил.
Дом стоит на ул. Садовой. | Рядом пруд.
Смотри стр. 15 и гл. IV. | Там всё есть.
На последней стр. | Он не подписался.
См. рис. 3. | Он понятен.
Заплатил 5 тыс. руб. | Вернулся без денег.
Набралось 3 млн. 500 тыс. человек.
Были врачи, учителя и др. | Все молчали.
Школа им. Чехова закрыта.
— Да? — спросил он. | — Нет.
— Да! | — Он встал. | — Иду.
— Уходи! | — Нет.
«Кто там?» — послышалось за дверью.
«Кто там?» | Никто не ответил.
Он сказал: «Иду». | И не пошёл.
(Дверь скрипнула.) | Вошёл гость.
Я думал… думал… и уснул.
Я думал... | Потом уснул.
Он ушёл. | …И вот вернулся.
Он . . . молчал.
1. Введение. | Начнём.
Было это в 44 до н. э. | Рим шумел.
Ах! как хорошо.
Это я. | Он ушёл.
Пробежал 5 км. | Устал.
Температура 36.6 упала. | Хорошо.
Открой файл a.txt. | Прочти.
Шёл по улице Витамин С. | Он кислый.
Кабинет проф. Серебрякова заперт. | Ключа нет.
"""

ENGLISH = """
The cat sleeps. | The dog barks.
Where are you? | Here! | Hush…
What?! | No way!
Mr. Smith met Mrs. Jones and Dr. Brown. | They talked.
J. R. R. Tolkien wrote it. | He was pleased.
J.R.R. Tolkien wrote it.
We left at 5 p.m. | Nobody saw us.
We left at 5 p.m. and walked.
We bought nails, glue, etc. | The shop was small.
We bought nails, glue, etc. and left.
Use a tool, e.g. Python, for this. | It helps.
Use one tool, i.e. Python.
The U.S. Army came. | It left.
He lives in the U.S. | She does not.
So am I. | He knows it.
I am. | I was.
See p. 5 and Fig. 3. | They agree.
Item No. 7 is broken. | Send another.
He said no. | Then he left.
He said no. | 7 men heard it.
"Stop." | He stopped.
"Stop!" he said. | Nobody stopped.
He said, "Stop." | She did.
He shouted “Stop!” | She did.
(They left.) | We stayed.
It costs 3.50 dollars. | Pay now.
Version 2.0 is out. | Try it.
Apple Inc. | The firm is old.
Martin Luther King Jr. Day is in winter.
Baker St. | He lived there.
Prof. Moriarty fell. | Good.
1. Introduction. | We begin.
IV. The end. | Nothing follows.
Well... | Maybe.
Well... maybe not.
He waited . . . and waited.
Born on Jan. 5. | Died on Feb. 7.
Who? | Me? | Yes, you!
Visit example.com. | Then leave.
We met Gov. Brown vs. Sen. White. | Both lost.
Rome fell in 476 A.D. | The East did not.
My Ph.D. thesis is long. | Nobody reads it.
The end
Wait! | (No one came.) | Fine.
A line; another: no end, none.
"""


@pytest.mark.parametrize("case", RUSSIAN.strip().splitlines() + ENGLISH.strip().splitlines())
def test_table(case):
    expected = case.split(" | ")
    assert sentences(case.replace(" | ", " ")) == expected


def test_there_are_forty_cases_and_both_languages_have_their_half():
    assert len(RUSSIAN.strip().splitlines()) >= 20
    assert len(ENGLISH.strip().splitlines()) >= 20


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\n\n \n"])
def test_a_line_break_always_ends_a_sentence(line_break):
    assert sentences(f"Глава первая{line_break}в которой г.{line_break}Mr.") == ["Глава первая", "в которой г.", "Mr."]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t\r\n \u00a0"])
def test_blank_text_has_no_sentences(text):
    assert sentences(text) == []


def test_marks_alone_are_not_a_sentence_of_their_own():
    assert sentences("... Да. ! Нет.") == ["... Да. !", "Нет."]
    assert sentences("! ? Да. Нет.") == ["! ? Да.", "Нет."]
    assert sentences("?!") == ["?!"]


def test_no_break_spaces_are_blanks():
    assert sentences("А.\u00a0С.\u00a0Пушкин. Он.\u00a0\u00a0Да.") == ["А.\u00a0С.\u00a0Пушкин.", "Он.", "Да."]


@given(st.text(alphabet=st.sampled_from("аАbB1.!?…,»«\"'()—- \n\r\t\u00a0Mrтд"), max_size=80) | st.text(max_size=80))
def test_nothing_is_lost_but_blanks(text):
    pieces = sentences(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece == piece.strip() and piece and "\n" not in piece for piece in pieces)


@given(
    st.text(alphabet=st.sampled_from("аАB1.!?…,»«\"'()— \n\r\u00a0\u2028д𝐀"), max_size=60) | st.text(max_size=40),
    st.integers(1, 9),
)
def test_places_seen_at_a_glance_are_those_of_the_plain_scan(text, size):
    with patch.object(rules, "_BLOCK", size):
        found = sentences(text)
    with patch.object(rules, "_places", lambda text: [match.start() for match in rules._BOUNDARY.finditer(text)]):
        assert found == sentences(text)


@given(st.text(alphabet="аБ.! «»", max_size=40), st.text(alphabet="аБ.! «»", max_size=40))
def test_lines_are_independent(first, second):
    assert sentences(first + "\n" + second) == sentences(first) + sentences(second)


HOSTILE = {
    "dots": ".",
    "spaced dots": "a . . ",
    "dots in runs": "a ... ",
    "blanks": " ",
    "mark and blanks": ".     ",
    "quotes": '."',
    "closing brackets": ".  )",
    "openings": ". «— ",
    "initials": "А. ",
    "abbreviations": "т. д. ",
    "no blank": "а",
    "list numbers": "1.",
    "combining": "\u0301",
    "line breaks": "\n",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear(unit):
    """From 50,000 to 400,000 characters the time may grow eightfold; a quadratic scan would take 64 times as long."""

    def seconds(length: int) -> float:
        text = "Да " + unit * (length // len(unit))
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            sentences(text)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(400_000) < 20 * max(seconds(50_000), 0.002)


@pytest.mark.data
def test_real_prose_keeps_its_characters_and_has_sentences_of_a_sensible_length():
    folder = os.environ.get("CHEKHOV_DATA")
    if not folder:
        pytest.skip("CHEKHOV_DATA is not set")
    text = (Path(folder) / "chekhov8.txt").read_text(encoding="utf-8")
    pieces = sentences(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert 8 < len(text.split()) / len(pieces) < 20
    assert sum(piece[0].islower() for piece in pieces) < 0.02 * len(pieces)
