"""ARPA files in and out of model folders."""

from __future__ import annotations

from pathlib import Path

from chekhov.errors import UsageError
from chekhov.ngram.arpa import read_arpa, write_arpa
from chekhov.ngram.model import NGram
from chekhov.tasks.text_model import TextModel
from chekhov.tokens.spelling import train_spelling
from chekhov.tokens.vocabulary import RESERVED, Vocabulary
from chekhov.tokens.whitespace import WhitespaceSettings, WhitespaceTokenizer


def import_arpa(path: str | Path) -> TextModel:
    """The model of an ARPA file (plain or .gz): it reads one sentence a line, words between blanks, as KenLM does."""
    words, table = read_arpa(Path(path))
    settings = WhitespaceSettings(lowercase=False, literal_unk="unknown", lines=True)
    tokenizer = WhitespaceTokenizer(Vocabulary(words[len(RESERVED) :]), train_spelling([]), settings)
    name = Path(path).name
    return TextModel(NGram(table, "of the ARPA file"), tokenizer, {"name": name, "text": name}, name=name)


def export_arpa(model: TextModel, path: str | Path) -> None:
    """Write an n-gram model as an ARPA file, packed if the name ends in .gz."""
    if not isinstance(model.model, NGram):
        what = f"a model of kind {model.kind} has no n-grams to write"
        raise UsageError("E-EXPORT-001", what, mend="give a model that `chekhov train ngram` wrote")
    write_arpa(model.model.table, list(model.tokenizer.vocabulary), Path(path))
