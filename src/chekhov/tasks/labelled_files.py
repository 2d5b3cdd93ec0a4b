"""Files of words with tags: which format it is, what is in it, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chekhov.errors import TextError, UsageError
from chekhov.labels.columns import read_columns
from chekhov.labels.conllu import COLUMNS, Sentence, read_conllu
from chekhov.labels.raw_text import RawSentence, split_text
from chekhov.labels.rows import label_folders, read_jsonl, read_tsv
from chekhov.text.reading import read_documents

FORMATS = ("auto", "conllu", "columns", "text")
HEADINGS = (
    "label", "labels", "class", "category", "target", "sentiment", "text", "sentence", "метка", "класс", "текст",
)  # fmt: skip
Note = Callable[[str], None]
MEND_COLUMN = "one of UPOS, XPOS, FEATS, LEMMA, DEPREL, MISC; of a tagger of token<TAB>tag give such a file"


@dataclass
class TaggedFile:
    """``format`` says which of the parts is there: conllu's sentences, columns' tags, or text's raw sentences."""

    format: str
    text: str
    sentences: list[list[str]]
    conllu: list[Sentence] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    raw: list[RawSentence] = field(default_factory=list)
    skipped: int = 0

    def columns(self, names: Sequence[str]) -> list[list[list[str]]]:
        """Tags of each column; UsageError E-LABEL-005 for a column that the format has not."""
        if self.format == "columns":
            if len(names) != 1:
                what = f"a file of token<TAB>tag has one column of tags, where {', '.join(names)} are wanted"
                raise UsageError("E-LABEL-005", what, mend="give CoNLL-U, or a tagger of one column")
            return [self.tags]
        unknown = [name for name in names if name not in COLUMNS]
        if unknown:
            raise UsageError("E-LABEL-005", f"CoNLL-U has no column {', '.join(unknown)}", mend=MEND_COLUMN)
        return [[sentence.column(name) for sentence in self.conllu] for name in names]


def read_tagged(
    source: str | Path, *, format: str = "auto", encoding: str | None = None, skip_bad: bool = False, note: Note
) -> TaggedFile:
    """A file, a pattern of files of one format, or ``-``. ``auto``: CoNLL-U and columns by the file's ending, else by
    its first line, which ``note`` hears; what is neither is text. ``skip_bad``: malformed sentences are left out, and
    ``note`` hears how many and the first. UsageError E-LABEL-006 (format), 015 (files of several formats)."""
    if format not in FORMATS:
        raise UsageError("E-LABEL-006", f"the format {format!r} is unknown", mend=f"one of {', '.join(FORMATS)}")
    documents = read_documents([source], encoding=encoding, note=note)
    kinds = {format if format != "auto" else detect(document.name, document.text, note) for document in documents}
    if len(kinds) > 1 or (kinds == {"text"} and len(documents) > 1):
        what = f"these are {len(documents)} files of {' and '.join(sorted(kinds))}"
        raise UsageError("E-LABEL-015", what, where=str(source), mend="name one file, or files of one tagged format")
    kind, text = kinds.pop(), documents[0].text
    if kind == "text":
        raw = split_text(text)
        return TaggedFile(kind, text, [sentence.words for sentence in raw], raw=raw)
    errors: list[TextError] = []
    skipped = errors.append if skip_bad else None
    if kind == "conllu":
        conllu = [s for own in documents for s in read_conllu(own.text, name=own.name, skipped=skipped)]
        found = TaggedFile(kind, text, [sentence.words for sentence in conllu], conllu=conllu)
    else:
        pairs = [pair for own in documents for pair in read_columns(own.text, name=own.name, skipped=skipped)]
        found = TaggedFile(kind, text, [words for words, _ in pairs], tags=[tags for _, tags in pairs])
    found.skipped = len(errors)
    if errors:
        note(f"{len(errors)} of {len(errors) + len(found.sentences)} sentences left out; the first: {errors[0]}")
    return found


def read_labelled(
    source: str | Path, *, encoding: str | None = None, skip_bad: bool = False, note: Note
) -> tuple[list[str], list[str]]:
    """Texts and labels of a folder with one folder a label, of .jsonl, or of ``label<TAB>text`` lines; of all the files
    of a pattern."""
    if Path(source).is_dir():
        pairs = label_folders(Path(source))
        if not pairs:
            mend = "put texts into FOLDER/LABEL/NAME.txt"
            raise TextError("E-ROWS-004", "the folder holds no folder with texts", where=str(source), mend=mend)
        documents = read_documents([path for _, path in pairs], encoding=encoding, note=note)
        return [document.text for document in documents], [label for label, _ in pairs]
    errors: list[TextError] = []
    texts: list[str] = []
    labels: list[str] = []
    for document in read_documents([source], encoding=encoding, note=note):
        read = read_jsonl if Path(document.name.removesuffix(".gz")).suffix.lower() == ".jsonl" else read_tsv
        own = read(document.text, name=document.name, skipped=errors.append if skip_bad else None)
        if read is read_tsv:
            doubt_lines(document.name, *own, note=note)
        texts += own[0]
        labels += own[1]
    if errors:
        note(f"{len(errors)} of {len(errors) + len(texts)} lines left out; the first: {errors[0]}")
    return texts, labels


def doubt_lines(name: str, texts: list[str], labels: list[str], *, note: Note) -> None:
    """Say what looks like a heading, and columns that look like each other's; both are read as they stand."""
    if labels and labels[0].lower() in HEADINGS and labels.count(labels[0]) == 1:
        note(f"{name}: the first line looks like a heading, and is read as a text of {labels[0]!r}; if so, take it out")
    if len(set(labels)) > max(20, len(labels) // 2) and sum(map(len, labels)) > sum(map(len, texts)):
        note(f"{name}: the labels are longer than the texts: label<TAB>text is expected, is it text<TAB>label?")


def detect(name: str, text: str, note: Note) -> str:
    """By the ending; else by the first line, one that begins as CoNLL-U does, malformed or not, being that."""
    endings = {".conllu": "conllu", ".conll": "columns", ".bio": "columns", ".iob": "columns", ".tsv": "columns"}
    ending = Path(name.removesuffix(".gz")).suffix.lower()
    if ending in endings:
        return endings[ending]
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith("#")), "")
    row = first.split("\t")
    kind = "columns" if len(row) == 2 else "text"
    if len(row) == len(COLUMNS) or (len(row) > 3 and row[0][:1].isdigit()):
        kind = "conllu"
    if kind != "text":
        note(f"{name}: taken for {'CoNLL-U' if kind == 'conllu' else 'token<TAB>tag'} by its first line; else --format")
    return kind


def default_columns(found: TaggedFile) -> list[str]:
    return ["UPOS"] if found.format == "conllu" else ["tag"]


def as_fit(columns: list[Any]) -> Any:
    """Tags as `Tagger.fit` takes them: of one column alone, or of several."""
    return columns[0] if len(columns) == 1 else columns
