"""``demo:pydocs``: real English on every machine, offline: the sentences of Python's own documentation strings.

The docstrings of the standard library and the texts of ``help()``, one sentence a line, each once, in the order of the
files. The text depends on the version of Python; what was trained on it names its digest.
"""

from __future__ import annotations

import ast
import inspect
import re
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from chekhov.text.sentences import sentences

LEAVE_OUT = {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "turtledemo", "__phello__"}
PROSE = re.compile(r"[A-Z][A-Za-z,;:'’()\"“” -]*(?:[0-9]+(?:\.[0-9]+)*[A-Za-z,;:'’()\"“” -]+)*[.!?]")
LEAST_WORDS = 5
LEAST_LETTERS = 0.9  # of the characters that are no blanks


def pydocs() -> str:
    """The whole corpus, about a megabyte."""
    found: dict[str, None] = {}
    for text in documentation():
        for paragraph in re.split(r"\n\s*\n", text):
            for sentence in sentences(" ".join(paragraph.split())):
                if is_prose(sentence):
                    found[sentence.strip()] = None
    return "\n".join(found) + "\n"


def documentation() -> Iterator[str]:
    """Every docstring of the standard library, then every topic of ``help()``."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if LEAVE_OUT.isdisjoint(path.relative_to(root).parts):
            yield from docstrings(path)
    from pydoc_data.topics import topics

    yield from (topics[name] for name in sorted(topics))


def docstrings(path: Path) -> Iterator[str]:
    """Of a module, its classes and functions, by parsing: nothing is run. A file that cannot be parsed has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own old escapes
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield inspect.cleandoc(text)


def is_prose(sentence: str) -> bool:
    """Words and stops alone: no code, no signatures, no markup, no examples."""
    words = sentence.split()
    letters = sum(character.isalpha() for character in sentence)
    return (
        len(words) >= LEAST_WORDS
        and letters >= LEAST_LETTERS * sum(map(len, words))
        and PROSE.fullmatch(sentence) is not None
        and "::" not in sentence
    )
