"""Taggers and classifiers on real data: three seeds, mean and spread, CPU seconds, and scikit-learn beside them.

    python benchmarks/labels.py [--seeds 3] [SET...]     needs CHEKHOV_DATA
    python benchmarks/labels.py --lm DIR --lm-backward DIR SET...     taggers, with states of one's own language models
    python benchmarks/labels.py --speed                  words per CPU second on EWT dev, cold caches
    python benchmarks/labels.py --rivals [--passes spaCy=8,flair=2] [pos/SET...]    beside other libraries, a table

The configuration is that of the class's defaults, the same for every set of a kind. It was chosen on dev parts; a test
part is read after training, once a seed. Settings given with --set are an experiment and get dev figures only. The
language models of docs/labels.md were trained for twelve minutes each on Russian prose, with `chekhov train lstm`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from label_rivals import RIVALS, installed, scikit_learn
from machine import machine

from chekhov.evaluation.labelling import span_counts, span_interval, wilson_interval
from chekhov.evaluation.paired_labels import mcnemar
from chekhov.labels.columns import read_columns
from chekhov.labels.conllu import read_conllu
from chekhov.labels.rows import read_tsv
from chekhov.tasks.classifier import Classifier
from chekhov.tasks.classifier_training import evaluate_classifier
from chekhov.tasks.label_training import evaluate_tagger
from chekhov.tasks.tagger import Tagger

DATA = Path(os.environ.get("CHEKHOV_DATA", "."))
TARGETS = {
    "pos/en_ewt": 95.8, "pos/ru_taiga_r2.7": 94.5, "ner/ru_factrueval": 63.0, "ner/en_uner_ewt": 70.0,
    "classification/en_trec6": 91.5, "classification/en_sst2": 83.6, "classification/ru_rusentitweet": 61.0,
}  # fmt: skip


def read(name: str, part: str) -> tuple[list[Any], list[Any]]:
    """Sentences and tags, or texts and labels."""
    folder = DATA / name
    if name.startswith("pos/"):
        sentences = read_conllu((folder / f"{part}.conllu").read_text("utf-8"))
        return [s.words for s in sentences], [s.column("UPOS") for s in sentences]
    if name.startswith("ner/"):
        pairs = read_columns((folder / f"{part}.bio").read_text("utf-8"))
        return [words for words, _ in pairs], [tags for _, tags in pairs]
    return read_tsv((folder / f"{part}.tsv").read_text("utf-8"))


def tag_once(name: str, seed: int, settings: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    started = time.process_time()
    tagger = Tagger(seed=seed, **settings).fit(*read(name, "train"), valid=read(name, "dev"))
    result: dict[str, Any] = {"cpu": time.process_time() - started}
    for part in parts:
        words, tags = read(name, part)
        figures = evaluate_tagger(tagger, words, [tags])[0]
        span = "span_f1" in figures
        result[part] = 100 * figures["span_f1" if span else "accuracy"]
        result[f"{part} interval"] = [100 * x for x in figures["span_f1_interval" if span else "accuracy_interval"]]
        result[f"{part} ECE"] = 100 * figures["calibration_error"]
        result[f"{part} unknown"] = 100 * figures["accuracy_unknown"]
    return result


def classify_once(name: str, seed: int, settings: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    started = time.process_time()
    classifier = Classifier(seed=seed, **settings).fit(*read(name, "train"), valid=read(name, "dev"))
    result: dict[str, Any] = {"cpu": time.process_time() - started, "chosen": classifier.chosen}
    for part in parts:
        figures = evaluate_classifier(classifier, *read(name, part))
        result[part], result[f"{part} macro-F1"] = 100 * figures["accuracy"], 100 * figures["macro_f1"]
        result[f"{part} interval"] = [100 * x for x in figures["accuracy_interval"]]
        result[f"{part} ECE"] = 100 * figures["calibration_error"]
    return result


def report(name: str, label: str, runs: list[dict[str, Any]], parts: list[str]) -> None:
    for part in parts:
        values = [run[part] for run in runs]
        spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        low, high = np.mean([run[f"{part} interval"] for run in runs], axis=0)
        more = [f"{key} {statistics.mean(run[f'{part} {key}'] for run in runs):.2f}"
                for key in ("unknown", "macro-F1", "ECE") if f"{part} {key}" in runs[0]]  # fmt: skip
        target = f", target {TARGETS[name]}" if part == "test" else ""
        cpu = statistics.mean(run["cpu"] for run in runs)
        print(
            f"{name} {label} {part}: {statistics.mean(values):.2f}{spread} ({len(runs)} seeds; 95 % {low:.2f} to "
            f"{high:.2f}{target}); {', '.join(more)}; {cpu:.0f} CPU s",
            flush=True,
        )


def rival_logistic(name: str, parts: list[str]) -> None:
    """scikit-learn's tagger on the same parts."""
    started = time.process_time()
    tag = scikit_learn(read(name, "train"), read(name, "dev"), RIVALS["scikit-learn"][1])
    run: dict[str, Any] = {"cpu": time.process_time() - started}
    for part in parts:
        words, tags = read(name, part)
        found = tag(words)
        if name.startswith("ner/"):
            run[part] = 100 * span_counts(tags, found).f1
            run[f"{part} interval"] = [100 * x for x in span_interval(tags, found)]
        else:
            hits = right_words(tags, found)
            run[part] = 100 * sum(hits) / len(hits)
            run[f"{part} interval"] = [100 * x for x in wilson_interval(sum(hits), len(hits))]
    report(name, "scikit-learn logistic", [run], parts)


def right_words(tags: list[Any], found: list[Any]) -> list[bool]:
    return [a == b for x, y in zip(tags, found, strict=True) for a, b in zip(x, y, strict=True)]


def compare(name: str, passes: dict[str, int], repeats: int = 5) -> str:
    """A Markdown table: chekhov's tagger and every rival that is installed, on the same parts, one after the other.

    One seed each. Speed is that of tagging the dev part from lists of words, what a library makes of them included, in
    turns.
    """
    train, dev, test = (read(name, part) for part in ("train", "dev", "test"))
    taggers: dict[str, Any] = {}
    rows: dict[str, list[str]] = {}
    right: dict[str, list[bool]] = {}
    for system in ["chekhov", *installed()]:
        started = time.process_time()
        if system == "chekhov":
            own = Tagger(seed=0).fit(*train, valid=dev)
            taggers[system], count = own.predict, own._settings_for(len(train[0]))["epochs"]
        else:
            count = passes.get(system, RIVALS[system][1])
            taggers[system] = RIVALS[system][2](train, dev, count)
        cpu = time.process_time() - started
        shares = []
        for words, tags in (dev, test):
            right[system] = right_words(tags, taggers[system](words))
            shares.append(100 * sum(right[system]) / len(right[system]))
        low, high = wilson_interval(sum(right[system]), len(right[system]))
        p = "" if system == "chekhov" else f"{mcnemar(right['chekhov'], right[system]).p_value:.1g}"
        interval = f"{shares[1]:.2f} ({100 * low:.2f} to {100 * high:.2f})"
        rows[system] = [system, f"{count}", f"{shares[0]:.2f}", interval, p, f"{cpu:.0f}"]
        print(" | ".join(rows[system]), flush=True)
    seconds: dict[str, list[float]] = {system: [] for system in taggers}
    for _ in range(repeats):
        for system, tag in taggers.items():
            begun = time.process_time()
            tag(dev[0])
            seconds[system].append(time.process_time() - begun)
    total = sum(map(len, dev[0]))
    lines = [f"| {' | '.join([*rows[s], f'{total / statistics.median(seconds[s]):,.0f}'])} |" for s in taggers]
    versions = ", ".join(f"{s} {version(PACKAGES[s])}" for s in taggers if s in PACKAGES)
    return "\n".join([HEAD, *lines, "", f"Measured on {machine()}, one thread; {versions}."])


HEAD = """| system | passes | dev | test (95 %) | p | training, CPU-seconds | tagging, words a CPU-second |
|---|---|---|---|---|---|---|"""
PACKAGES = {"scikit-learn": "scikit-learn", "spaCy": "spacy", "UDPipe 1": "ufal.udpipe", "flair": "flair"}


def write_table(table: str, name: str, page: Path) -> None:
    """Between its marks; after the last table, if it has none yet."""
    begin, end = f"<!-- rivals:{name} -->\n", "\n<!-- /rivals -->"
    before, found, rest = page.read_text("utf-8").partition(begin)
    if not found:
        before, mark, rest = before.rpartition(end)
        before, rest = before + mark + "\n\n", end + rest
    page.write_text(before + begin + table + end + rest.partition(end)[2], "utf-8")


def speed(repeats: int = 5) -> None:
    """The weights of the accuracy row's configuration, features and decoding included, every word type new."""
    words, _ = read("pos/en_ewt", "dev")
    train, tags = read("pos/en_ewt", "train")
    started = time.process_time()
    tagger = Tagger(epochs=1).fit(train, tags, valid=read("pos/en_ewt", "dev"))
    seconds = time.process_time() - started
    tagger.predict(words[:5])  # kernels are compiled; no word is remembered between calls
    count, times = sum(map(len, words)), []
    for _ in range(repeats):
        begun = time.process_time()
        tagger.predict(words)
        times.append(time.process_time() - begun)
    print(f"tagging: {count / statistics.median(times):,.0f} words per CPU second, median of {repeats}")
    print(f"training: {sum(map(len, train)) / seconds:,.0f} words per CPU second, validations included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", default="{}", metavar="JSON", help="settings of an experiment: dev figures only")
    parser.add_argument("--models", default="linear,bag,net,auto", help="auto: what train classifier keeps")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--no-rival", action="store_true")
    parser.add_argument(
        "--rivals", action="store_true", help="beside every library that is installed, in docs/labels.md"
    )
    parser.add_argument("--passes", default="", metavar="NAME=N,...", help="of rivals, over the training part")
    parser.add_argument("--lm", metavar="DIR", help="a net on characters, whose states are features too")
    parser.add_argument("--lm-backward", metavar="DIR", help="one of a text whose lines were turned round")
    given = parser.parse_args()
    print(machine(), flush=True)
    import torch

    torch.set_num_threads(1)
    if given.speed:
        speed()
        return
    if given.rivals:
        passes = {name: int(count) for name, count in (each.split("=") for each in given.passes.split(",") if each)}
        for name in ["pos/en_ewt"] if given.sets == list(TARGETS) else given.sets:
            table = compare(name, passes)
            print(table)
            write_table(table, name, Path(__file__).resolve().parent.parent / "docs" / "labels.md")
        return
    settings = json.loads(given.set)
    parts = ["dev"] if settings else ["dev", "test"]
    states = [f"{kind}:{folder}" for kind, folder in (("lm", given.lm), ("lm-backward", given.lm_backward)) if folder]
    if states:
        settings = {"features": ",".join(["affixes", *states]), **settings}
    for name in given.sets:
        if name.startswith("classification/"):
            for model in given.models.split(","):
                seeds = 1 if model == "linear" else given.seeds  # it has no seed
                runs = [classify_once(name, seed, {"model": model, **settings}, parts) for seed in range(seeds)]
                report(name, model, runs, parts)
        else:
            label = "Tagger with language models" if states else "Tagger"
            runs = [tag_once(name, seed, settings, parts) for seed in range(given.seeds)]
            report(name, label, runs, parts)
            if not given.no_rival:
                rival_logistic(name, parts)


if __name__ == "__main__":
    main()
