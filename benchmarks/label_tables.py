"""chekhov's tagger or classifier beside every library that is installed, on the same parts: a table for the docs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from label_rivals import SPAN_RIVALS, TAG_RIVALS, Rivals
from machine import machine
from text_rivals import TEXT_RIVALS

from chekhov.evaluation.labelling import macro_f1, span_interval, wilson_interval
from chekhov.evaluation.paired_labels import Answers, mcnemar, span_randomisation
from chekhov.tasks.classifier import EPOCHS, EPOCHS_OF_FEW, FEW, Classifier
from chekhov.tasks.tagger import Tagger

Part = tuple[list[Any], list[Any]]
KINDS: dict[str, Rivals] = {"pos": TAG_RIVALS, "ner": SPAN_RIVALS, "classification": TEXT_RIVALS}
FIGURES = {"pos": "accuracy", "ner": "span F1", "classification": "accuracy"}


def installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def own(kind: str, train: Part, valid: Part) -> tuple[Callable[[list[Any]], Any], int]:
    """chekhov with its defaults, and how many passes these are; of texts, what ``train classifier`` keeps."""
    if kind == "classification":
        classifier = Classifier(model="auto", seed=0).fit(*train, valid=valid)
        print(f"kept: {classifier.chosen}", flush=True)
        return classifier.predict, EPOCHS if len(train[0]) >= FEW else EPOCHS_OF_FEW
    tagger = Tagger(seed=0).fit(*train, valid=valid)
    return tagger.predict, tagger._settings_for(len(train[0]))["epochs"]


def answers(system: str, kind: str, part: Part, found: Any) -> Answers:
    """Of texts, each is a sentence of one tag."""
    if kind == "classification":
        return Answers(system, "", [[label] for label in part[1]], [[str(label)] for label in found], False)
    return Answers(system, "", part[1], found, kind == "ner")


def words_in(rows: list[Any]) -> int:
    return sum(len(row.split() if isinstance(row, str) else row) for row in rows)


def compare(name: str, train: Part, dev: Part, test: Part, passes: dict[str, int], repeats: int = 3) -> str:
    """A Markdown table: one after the other, one seed each. Speed is that of the larger one of dev and test, what a
    library makes of lists of words or of texts included, in turns."""
    kind = name.partition("/")[0]
    rivals, several = KINDS[kind], kind == "classification"
    missing = [system for system, (module, _, _) in rivals.items() if not installed(module)]
    ready: dict[str, Callable[[list[Any]], Any]] = {}
    rows: dict[str, list[str]] = {}
    first: Answers | None = None
    for system in ["chekhov", *(system for system in rivals if system not in missing)]:
        started = time.process_time()
        if system == "chekhov":
            ready[system], count = own(kind, train, dev)
        else:
            count = passes.get(system, rivals[system][1])
            ready[system] = rivals[system][2](train, dev, count)
        cpu = time.process_time() - started
        on_dev, on_test = (answers(system, kind, part, ready[system](part[0])) for part in (dev, test))
        first = first or on_test
        low, high = interval(on_test)
        p = "" if on_test is first else f"{paired(first, on_test):.1g}"
        figures = [f"{100 * on_dev.figure:.2f}", f"{100 * on_test.figure:.2f} ({100 * low:.2f} to {100 * high:.2f})", p]
        if several:
            texts = [label for row in on_test.right for label in row], [label for row in on_test.found for label in row]
            figures.append(f"{100 * macro_f1(*texts):.2f}")
        speed = [f"{cpu:.0f}", *([] if several else [f"{count * words_in(train[0]) / cpu:,.0f}"])]
        rows[system] = [system, f"{count}" if count else "", *figures, *speed]
        print(" | ".join(rows[system]), flush=True)
    asked = max(dev[0], test[0], key=words_in)
    seconds: dict[str, list[float]] = {system: [] for system in ready}
    for _ in range(repeats):
        for system, label in ready.items():
            begun = time.process_time()
            label(asked)
            seconds[system].append(time.process_time() - begun)
    total = words_in(asked)
    lines = [f"| {' | '.join([*rows[s], f'{total / statistics.median(seconds[s]):,.0f}'])} |" for s in ready]
    packages = packages_distributions()
    top = {system: rivals[system][0].partition(".")[0] for system in ready if system in rivals}
    versions = ", ".join(f"{system} {version(packages[module][0])}" for system, module in top.items())
    absent = f" Not installed: {', '.join(missing)}." if missing else ""
    titles = ["system", "passes", f"dev {FIGURES[kind]}", "test (95 %)", "p", *(["test macro-F1"] if several else [])]
    titles += ["training, CPU-seconds", *([] if several else ["words a CPU-second"]), "in use, words a CPU-second"]
    head = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return "\n".join([*head, *lines, "", f"Measured on {machine()}, one thread; {versions}.{absent}"])


def interval(found: Answers) -> tuple[float, float]:
    if found.spans:
        return span_interval(found.right, found.found)
    return wilson_interval(sum(found.hits), len(found.hits))


def paired(one: Answers, other: Answers) -> float:
    """p of no difference."""
    if one.spans:
        return span_randomisation(one.right, one.found, other.found).p_value
    return mcnemar(one.hits, other.hits).p_value


def write_table(table: str, name: str, page: Path) -> None:
    """Between its marks; after the last table, if it has none yet."""
    begin, end = f"<!-- rivals:{name} -->\n", "\n<!-- /rivals -->"
    before, found, rest = page.read_text("utf-8").partition(begin)
    if not found:
        before, mark, rest = before.rpartition(end)
        before, rest = before + mark + "\n\n", end + rest
    page.write_text(before + begin + table + end + rest.partition(end)[2], "utf-8")
