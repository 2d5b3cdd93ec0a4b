"""``chekhov tag DIR [FILE|-]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import note, print_json

if TYPE_CHECKING:
    from chekhov.tasks.labelled_files import TaggedFile
    from chekhov.tasks.tagger import Tagger


def tag(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A tagger's folder.")],
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="CoNLL-U, columns or text.")] = "-",
    format: Annotated[str, typer.Option(help="auto, conllu, columns (token<TAB>...) or text.")] = "auto",
    encoding: Encoding = None,
    spans: Annotated[bool, typer.Option("--spans", help="Spans with offsets and confidence, one object each.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave malformed sentences out, and count them.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One object a sentence.")] = False,
) -> None:
    """Tag every word: CoNLL-U in, CoNLL-U out; anything else as token<TAB>tag."""
    import sys
    from pathlib import Path

    from chekhov.saving import read_config
    from chekhov.tasks.label_training import check_labeller
    from chekhov.tasks.labelled_files import read_tagged
    from chekhov.tasks.tagger import Tagger

    check_labeller(read_config(Path(model)).kind, "tagger", model)
    tagger = Tagger.load(model)
    found = read_tagged(file, format=format, encoding=encoding, skip_bad=skip_bad, note=note)
    if spans:
        for record in span_records(tagger, found):
            print_json(record)
        return
    columns = tagger._predict(found.sentences)
    if json:
        sure = [tagger.predict_confidence(found.sentences, column) for column in range(len(columns))]
        for place, words in enumerate(found.sentences):
            tags = {name: column[place] for name, column in zip(tagger.columns, columns)}
            confidence = {name: column[place].round(4).tolist() for name, column in zip(tagger.columns, sure)}
            print_json({"schema": 1, "tokens": words, "tags": tags, "confidence": confidence})
    else:
        sys.stdout.write(written(tagger, found, columns))


def written(tagger: Tagger, found: TaggedFile, columns: list[Any]) -> str:
    """In the format of what came in; tags that CoNLL-U has no column for go to MISC, as name=tag."""
    from chekhov.labels.conllu import COLUMNS, write_conllu

    if found.format == "conllu":
        sentences = found.conllu
        for name, column in zip(tagger.columns, columns):
            if name in COLUMNS:
                sentences = [sentence.with_column(name, tags) for sentence, tags in zip(sentences, column)]
            else:
                pairs = zip(sentences, column)
                sentences = [
                    s.with_column("MISC", [merged(old, name, t) for old, t in zip(s.column("MISC"), tags)])
                    for s, tags in pairs
                ]
        return write_conllu(sentences)
    lines = []
    for words, *tags in zip(found.sentences, *columns):
        lines += ["\t".join(row) + "\n" for row in zip(words, *tags)] + ["\n"]
    return "".join(lines)


def merged(old: str, name: str, tag: str) -> str:
    """MISC with name=tag in it, in place of an older one."""
    kept = [part for part in old.split("|") if part != "_" and not part.startswith(f"{name}=")]
    return "|".join([*kept, f"{name}={tag}"])


def span_records(tagger: Tagger, found: TaggedFile) -> list[dict[str, Any]]:
    """{text, start, end, label, confidence}: of raw text in characters of it, else with the sentence and in words; of
    the first column whose tags are spans, or of the first."""
    column = tagger.net.spans.index(True) if any(tagger.net.spans) else 0
    if len(tagger.columns) > 1:
        note(f"spans are those of the column {tagger.columns[column]}")
    records = []
    for place, spans in enumerate(tagger.predict_spans(found.sentences, column)):
        for span in spans:
            record: dict[str, Any] = {"schema": 1}
            if found.raw:
                start, end = found.raw[place].starts[span.start], found.raw[place].ends[span.end - 1]
                record |= {"text": found.text[start:end], "start": start, "end": end}
            else:
                text = " ".join(found.sentences[place][span.start : span.end])
                record |= {"text": text, "sentence": place, "start": span.start, "end": span.end}
            records.append({**record, "label": span.label, "confidence": round(span.confidence, 4)})
    return records
