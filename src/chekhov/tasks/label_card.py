"""The model card of a tagger or a classifier."""

from __future__ import annotations

from typing import Any

PIPELINES = {"tagger": "token-classification", "classifier": "text-classification"}
VERBS = {"tagger": "tag", "classifier": "classify"}


def label_card(kind: str, parameter_count: int, training: dict[str, Any]) -> str:
    """Markdown with the YAML front matter of a model card."""
    shown = ("text", "command", "seconds", "cpu_seconds", "steps")
    lines = [
        *("---", "library_name: chekhov", f"pipeline_tag: {PIPELINES[kind]}", "---"),
        *(f"# {training.get('name', kind)}", "", f"A {kind}, trained with chekhov {training.get('chekhov', '')}.", ""),
        *("| | |", "|---|---|", f"| parameters | {parameter_count:,} |"),
        *(f"| {name} | {training[name]} |" for name in shown if name in training),
        *(f"| {name} | {value} |" for name, value in training.get("settings", {}).items()),
    ]
    for part in ("valid", "test"):
        if figures := training.get(part):
            lines += ["", f"## Figures on the {part} part", "", "| measure | value |", "|---|---|"]
            lines += [f"| {name} | {value} |" for name, value in figures.items() if isinstance(value, (int, float))]
    return "\n".join([*lines, "", f"Use it: `chekhov {VERBS[kind]} FOLDER FILE`.", ""])
