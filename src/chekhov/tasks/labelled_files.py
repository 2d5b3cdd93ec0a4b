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
Note = Callable[[str], None]
MEND_COLUMN = "one of UPOS, XPOS, FEATS, LEMMA, DEPREL, MISC"


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
                raise UsageError("E-LABEL-005", "a file of token<TAB>tag has one column", mend="name one --column")
            return [self.tags]
        unknown = [name for name in names if name not in COLUMNS]
        if unknown:
            raise UsageError("E-LABEL-005", f"CoNLL-U has no column {', '.join(unknown)}", mend=MEND_COLUMN)
        return [[sentence.column(name) for sentence in self.conllu] for name in names]


def read_tagged(source: str | Path, *, format: str = "auto", skip_bad: bool = False, note: Note) -> TaggedFile:
    """A file or ``-``. ``auto``: CoNLL-U and columns by the file's ending, else by its first line; what is neither is
    text. ``skip_bad``: malformed sentences are left out, and ``note`` hears how many and the first."""
    if format not in FORMATS:
        raise UsageError("E-LABEL-006", f"the format {format!r} is unknown", mend=f"one of {', '.join(FORMATS)}")
    document = read_documents([source], note=note)[0]
    kind = format if format != "auto" else detect(document.name, document.text)
    if kind == "text":
        raw = split_text(document.text)
        return TaggedFile(kind, document.text, [sentence.words for sentence in raw], raw=raw)
    errors: list[TextError] = []
    skipped = errors.append if skip_bad else None
    if kind == "conllu":
        conllu = read_conllu(document.text, name=document.name, skipped=skipped)
        found = TaggedFile(kind, document.text, [sentence.words for sentence in conllu], conllu=conllu)
    else:
        pairs = read_columns(document.text, name=document.name, skipped=skipped)
        found = TaggedFile(kind, document.text, [words for words, _ in pairs], tags=[tags for _, tags in pairs])
    found.skipped = len(errors)
    if errors:
        note(f"{len(errors)} of {len(errors) + len(found.sentences)} sentences left out; the first: {errors[0]}")
    return found


def read_labelled(source: str | Path, *, skip_bad: bool = False, note: Note) -> tuple[list[str], list[str]]:
    """Texts and labels of a folder with one folder a label, of .jsonl, or of ``label<TAB>text`` lines."""
    if Path(source).is_dir():
        pairs = label_folders(Path(source))
        if not pairs:
            mend = "put texts into FOLDER/LABEL/NAME.txt"
            raise TextError("E-ROWS-004", "the folder holds no folder with texts", where=str(source), mend=mend)
        texts = [document.text for document in read_documents([path for _, path in pairs], note=note)]
        return texts, [label for label, _ in pairs]
    document = read_documents([source], note=note)[0]
    errors: list[TextError] = []
    read = read_jsonl if Path(document.name.removesuffix(".gz")).suffix.lower() == ".jsonl" else read_tsv
    texts, labels = read(document.text, name=document.name, skipped=errors.append if skip_bad else None)
    if errors:
        note(f"{len(errors)} of {len(errors) + len(texts)} lines left out; the first: {errors[0]}")
    return texts, labels


def detect(name: str, text: str) -> str:
    endings = {".conllu": "conllu", ".conll": "columns", ".bio": "columns", ".iob": "columns", ".tsv": "columns"}
    ending = Path(name.removesuffix(".gz")).suffix.lower()
    if ending in endings:
        return endings[ending]
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith("#")), "")
    return {len(COLUMNS): "conllu", 2: "columns"}.get(len(first.split("\t")), "text")


def default_columns(found: TaggedFile) -> list[str]:
    return ["UPOS"] if found.format == "conllu" else ["tag"]


def as_fit(columns: list[Any]) -> Any:
    """Tags as `Tagger.fit` takes them: of one column alone, or of several."""
    return columns[0] if len(columns) == 1 else columns
