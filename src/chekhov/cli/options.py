"""Flags that several verbs have."""

from __future__ import annotations

from typing import Annotated

import typer

Encoding = Annotated[str | None, typer.Option(help="Of the text; else UTF-8, or detected and said.")]
