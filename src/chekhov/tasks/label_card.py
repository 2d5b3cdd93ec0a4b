"""The model card of a tagger or a classifier."""

from __future__ import annotations

from typing import Any

PIPELINES = {"tagger": "token-classification", "classifier": "text-classification"}
VERBS = {"tagger": "tag", "classifier": "classify"}


def label_card(kind: str, parameter_count: int, training: dict[str, Any]) -> str:
    """Markdown with the YAML front matter of a model card."""
    shown = ("text", "command", "seconds", "cpu_seconds", "steps")
    settings = {**training.get("settings", {}), **training.get("used", {})}
    kept = training.get("fitted", {}).get("chosen")
    if kept == "linear":  # what is said of nets is of none that is there
        settings = {name: settings[name] for name in ("task", "model", "class_weight", "seed") if name in settings}
    lines = [
        *("---", "library_name: chekhov", f"pipeline_tag: {PIPELINES[kind]}", "---"),
        *(f"# {training.get('name', kind)}", "", f"A {kind}, trained with chekhov {training.get('chekhov', '')}.", ""),
        *("| | |", "|---|---|", f"| parameters | {parameter_count:,} |"),
        *(f"| {name} | {training[name]} |" for name in shown if name in training),
        *([f"| kept | {kept} |"] if kept else []),
        *(f"| {name} | {shown_as(value)} |" for name, value in settings.items() if value is not None),
    ]
    for part in ("valid", "test"):
        if figures := training.get(part):
            learnt = ", before it was learnt" if part == "valid" and "learnt_too" in training else ""
            lines += ["", f"## Figures on the {part} part{learnt}", "", "| measure | value |", "|---|---|"]
            lines += [f"| {n} | {shown_as(value)} |" for n, value in figures.items() if isinstance(value, (int, float))]
    return "\n".join([*lines, "", f"Use it: `chekhov {VERBS[kind]} FOLDER FILE`.", ""])


def shown_as(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
