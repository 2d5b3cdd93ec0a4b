"""Taggers and classifiers on real data: three seeds, mean and spread, CPU seconds, and scikit-learn beside them.

    python benchmarks/labels.py [--seeds 3] [SET...]     needs CHEKHOV_DATA
    python benchmarks/labels.py --lm DIR --lm-backward DIR SET...     taggers, with states of one's own language models
                                                         beside affixes, and in place of characters where these are used
    python benchmarks/labels.py --refit SET...           taggers that learn the dev part, too, when it has chosen all
    python benchmarks/labels.py --speed                  the tagger of EWT, dev alone: words tagged a CPU second
    python benchmarks/labels.py --linear [SET...]        the log-linear model of a tagger by itself, dev alone
    python benchmarks/labels.py --rivals [--passes spaCy=8,flair=2] [SET...]    beside other libraries, a table each

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
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from label_rivals import TAG_RIVALS, scikit_learn
from label_tables import compare, write_table
from machine import machine

from chekhov.evaluation.labelling import span_counts, span_interval, wilson_interval
from chekhov.labels.columns import read_columns
from chekhov.labels.conllu import read_conllu
from chekhov.labels.features import known_words, number_words
from chekhov.labels.log_linear import LogLinear
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
    """The dev part is measured before a tagger that is to learn it (``refit``) does so."""
    result: dict[str, Any] = {}

    def measure(part: str) -> None:
        words, tags = read(name, part)
        figures = evaluate_tagger(tagger, words, [tags])[0]
        span = "span_f1" in figures
        result[part] = 100 * figures["span_f1" if span else "accuracy"]
        result[f"{part} interval"] = [100 * x for x in figures["span_f1_interval" if span else "accuracy_interval"]]
        result[f"{part} ECE"] = 100 * figures["calibration_error"]
        result[f"{part} unknown"] = 100 * figures["accuracy_unknown"]

    def measure_dev() -> None:
        begun = time.process_time()
        measure("dev")
        result["cpu"] -= time.process_time() - begun  # training alone counts

    tagger = Tagger(seed=seed, **settings)
    result["cpu"] = -time.process_time()
    tagger.fit(*read(name, "train"), valid=read(name, "dev"), measure=measure_dev)
    result["cpu"] += time.process_time()
    result["speed"] = speed(tagger, read(name, "dev")[0])
    if "test" in parts:
        measure("test")
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
        if "speed" in runs[0]:
            more.append(f"{statistics.mean(run['speed'] for run in runs):,.0f} words of dev tagged a CPU second")
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
    tag = scikit_learn(read(name, "train"), read(name, "dev"), TAG_RIVALS["scikit-learn"][1])
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


def linear_alone(name: str) -> None:
    """The model that stands beside the net of a tagger, without the net: accuracy by word, CPU seconds, speed."""
    (texts, tags), (held, held_tags) = read(name, "train"), read(name, "dev")
    labels = sorted({tag for own in tags for tag in own})
    numbers = {word: number for number, word in enumerate(known_words(texts))}
    targets = np.array([labels.index(tag) for own in tags for tag in own])
    few = number_words(texts[:5], numbers)
    LogLinear.fit(few, 1, targets, len(labels), 0).scores(few, 1)  # kernels are compiled
    started = time.process_time()
    model = LogLinear.fit(number_words(texts, numbers), 1, targets, len(labels), 0)
    trained = time.process_time()
    found = model.scores(number_words(held, numbers), 1).argmax(1)
    tagged = time.process_time()
    hits = [labels[k] == tag for k, tag in zip(found, (tag for own in held_tags for tag in own), strict=True)]
    print(
        f"{name} log-linear alone, dev: {100 * sum(hits) / len(hits):.2f}; {trained - started:.1f} CPU s, "
        f"{len(hits) / (tagged - trained):,.0f} words scored a CPU second, features included",
        flush=True,
    )


def right_words(tags: list[Any], found: list[Any]) -> list[bool]:
    return [a == b for x, y in zip(tags, found, strict=True) for a, b in zip(x, y, strict=True)]


def speed(tagger: Tagger, words: list[Any], repeats: int = 5) -> float:
    """Words per CPU second, features and decoding included; no word is remembered between calls."""
    tagger.predict(words[:5])  # kernels are compiled
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        tagger.predict(words)
        times.append(time.process_time() - begun)
    return sum(map(len, words)) / statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", default="{}", metavar="JSON", help="settings of an experiment: dev figures only")
    parser.add_argument("--models", default="linear,bag,net,auto", help="auto: what train classifier keeps")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--linear", action="store_true", help="the log-linear model of a tagger by itself, dev alone")
    parser.add_argument("--no-rival", action="store_true")
    parser.add_argument(
        "--rivals", action="store_true", help="beside every library that is installed, in docs/labels.md"
    )
    parser.add_argument("--passes", default="", metavar="NAME=N,...", help="of rivals, over the training part")
    parser.add_argument("--lm", metavar="DIR", help="a net on characters, whose states are features too")
    parser.add_argument("--lm-backward", metavar="DIR", help="one of a text whose lines were turned round")
    parser.add_argument("--refit", action="store_true", help="taggers learn the dev part, too, in the end")
    given = parser.parse_args()
    print(machine(), flush=True)
    import torch

    torch.set_num_threads(1)
    if given.speed:
        report("pos/en_ewt", "Tagger", [tag_once("pos/en_ewt", 0, {}, ["dev"])], ["dev"])
        return
    if given.linear:
        for name in given.sets:
            if name.startswith("pos/"):
                linear_alone(name)
        return
    if given.rivals:
        passes = {name: int(count) for name, count in (each.split("=") for each in given.passes.split(",") if each)}
        for name in given.sets:
            table = compare(name, *(read(name, part) for part in ("train", "dev", "test")), passes)
            print(table)
            write_table(table, name, Path(__file__).resolve().parent.parent / "docs" / "labels.md")
        return
    settings = json.loads(given.set)
    parts = ["dev"] if settings else ["dev", "test"]
    states = [f"{kind}:{folder}" for kind, folder in (("lm", given.lm), ("lm-backward", given.lm_backward)) if folder]
    if states:
        settings = {"features": ",".join(["affixes", *states]), **settings}
    if given.refit:
        settings = {"refit": True, **settings}
    for name in given.sets:
        if name.startswith("classification/"):
            for model in given.models.split(","):
                seeds = 1 if model == "linear" else given.seeds  # it has no seed
                runs = [classify_once(name, seed, {"model": model, **settings}, parts) for seed in range(seeds)]
                report(name, model, runs, parts)
        else:
            label = "Tagger" + " with language models" * bool(states) + " --refit" * given.refit
            runs = [tag_once(name, seed, settings, parts) for seed in range(given.seeds)]
            report(name, label, runs, parts)
            if not given.no_rival:
                rival_logistic(name, parts)


if __name__ == "__main__":
    main()
