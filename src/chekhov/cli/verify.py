"""``chekhov verify DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chekhov.cli.output import print_json


def verify(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Check every file of a model against its digest, then load it."""
    from chekhov.files import check_file
    from chekhov.saving import read_config
    from chekhov.tasks.stored_tokenizer import verify_tokenizer
    from chekhov.tasks.text_model import load, verify_content

    config = read_config(Path(model))
    for name, stored in config.files.items():
        check_file(Path(model), name, stored, remembered=False)
        if not json:
            print(f"{name}: {stored.bytes:,} bytes, digest {stored.sha256} holds")
    if config.kind == "tagger":
        from chekhov.tasks.tagger import Tagger

        Tagger.load(model)
    elif config.kind == "classifier":
        from chekhov.tasks.classifier import Classifier

        Classifier.load(model)
    elif config.kind == "counts":
        from chekhov.tasks.counts import read_counts

        verify_tokenizer(Path(model), config)
        read_counts(model)
    else:
        verify_tokenizer(Path(model), config)
        verify_content(load(model))
    if json:
        print_json({"schema": 1, "model": model, "ok": True, "files": len(config.files)})
    else:
        print(f"{model}: {'sound counts' if config.kind == 'counts' else f'a sound {config.kind}'}")
