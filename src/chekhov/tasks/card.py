"""The model card: what the model is, what it was trained on, how well it does, and the command that made it."""

from __future__ import annotations

from typing import Any

from chekhov.tokens.tokenizer import Tokenizer
from chekhov.types import LanguageModel

KINDS = {
    "chain": "A Markov chain (order = words of context)",
    "ngram": "An n-gram language model (order = n)",
    "window": "A fixed-window neural language model",
    "elman": "A simple recurrent (Elman) language model",
    "gru": "A gated recurrent unit language model",
    "mingru": "A minGRU language model",
    "minlstm": "A minLSTM language model",
    "qrnn": "A quasi-recurrent (QRNN) language model",
    "sru": "A simple recurrent unit (SRU) language model",
    "indrnn": "An independently recurrent (IndRNN) language model",
    "rglru": "A real-gated linear recurrent unit (RG-LRU) language model",
    "lstm": "A long short-term memory language model",
    "mixture": "A mixture of language models, weights fitted by EM",
}
FIGURES = ("perplexity", "bits_per_character", "cross_entropy", "tokens", "oov")


def model_card(kind: str, model: LanguageModel[Any], tokenizer: Tokenizer, training: dict[str, Any]) -> str:
    """Markdown with the YAML front matter of a model card."""
    sizes = {name: size for name, size in model.sizes().items() if isinstance(size, (int, float, str))}
    lines = [
        "---",
        "library_name: chekhov",
        "pipeline_tag: text-generation",
        "---",
        f"# {training.get('name', kind)}",
        "",
        f"{KINDS.get(kind, kind)}, trained with chekhov {training.get('chekhov', '')} on "
        f"{training.get('text', 'a text')} (split: {training.get('split', 'not recorded')}).",
        "",
        "| | |",
        "|---|---|",
        f"| kind | {kind} |",
        f"| tokens | {tokenizer.name}, {tokenizer.vocabulary.size:,} types |",
        f"| parameters | {model.parameter_count:,} |",
        *[f"| {name} | {size} |" for name, size in sizes.items()],
        *[f"| {name} | {training[name]} |" for name in ("command", "seconds", "cpu_seconds") if name in training],
    ]
    for part in ("valid", "test"):
        if figures := training.get(part):
            lines += ["", f"## Figures on the {part} part", "", "| measure | value |", "|---|---|"]
            lines += [f"| {name} | {_number(figures[name])} |" for name in FIGURES if name in figures]
    if notes := training.get("notes"):
        lines += ["", "## Notes", "", *[f"- {note}" for note in notes]]
    lines += [
        "",
        'Use it: `chekhov generate FOLDER`, `chekhov score FOLDER`, or `chekhov.load("FOLDER")` in Python.',
        "",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "inf"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
