"""What does it remember? Every kind of model under the rifle test: docs/memory.md and docs/memory.svg.

    CHEKHOV_DATA=... python benchmarks/rifle_page.py [--epochs 6] [--results FILE]

Trains on demo:rifle-ru, three seeds and --epochs passes for each net, and measures on the test part that no model has
seen; then on the characters of two real texts of CHEKHOV_DATA, half as many passes for each net, one seed. FILE keeps
what was measured; what it holds already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from rifle_windows import spread

import chekhov
from chekhov.tasks.rifle import rifle_test
from chekhov.text.demo import demo_corpus
from chekhov.training.plot import load_matplotlib, save_figure

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT, SEEDS, ALTERNATIVES = "demo:rifle-ru", (0, 1, 2), 8
COUNTING = ("chain", "ngram")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "chain, order 2": ("chain", {"order": 2}),
    "5-gram": ("ngram", {"order": 5}),
    "fixed window of 8": ("window", {}),
    "Elman": ("elman", {}),
    "Elman, by AdamW": ("elman", {"optimiser": "adamw"}),
    "GRU": ("gru", {}),
    "minGRU": ("mingru", {}),
    "LSTM, windows of 32": ("lstm", {"sequence_length": 32}),
    "LSTM, windows of 256": ("lstm", {"sequence_length": 256}),
}
REAL = {"Chekhov's stories": "chekhov-stories.txt", "tinyshakespeare": "tinyshakespeare.txt"}
REAL_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "3-gram": ("ngram", {"order": 3}),
    "7-gram": ("ngram", {"order": 7}),
    "Elman": ("elman", {}),
    "GRU": ("gru", {}),
    "LSTM": ("lstm", {}),
}
Runs = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    runs: Runs = {}
    if options.results and options.results.exists():
        runs = json.loads(options.results.read_text("utf-8"))

    def once(key: str, measure: Callable[[], dict[str, Any]]) -> None:
        if key not in runs:
            runs[key] = measure()
            print(key, runs[key]["reach"], runs[key]["horizon"], runs[key]["planted"], flush=True)
            if options.results:
                options.results.write_text(json.dumps(runs), "utf-8")

    with tempfile.TemporaryDirectory() as folder:
        chekhov.train("ngram", TEXT, out=f"{folder}/tokens")
        for name, (kind, flags) in MODELS.items():
            for seed in SEEDS[: 1 if kind in COUNTING else None]:
                once(f"{name}|{seed}", lambda k=kind, f=flags, s=seed: of_demo(k, f, s, options.epochs, folder))
        for title, file in REAL.items():
            for name, (kind, flags) in REAL_MODELS.items():
                once(f"{title}|{name}", lambda f=file, k=kind, g=flags: of_text(f, k, g, options.epochs // 2, folder))
    plot(runs, DOCS / "memory.svg")
    values = {"table": "\n".join(table(runs)), "real": "\n".join(real_table(runs)), "epochs": options.epochs}
    page = PAGE.format(**values, half=options.epochs // 2, machine=machine())
    (DOCS / "memory.md").write_text(page, "utf-8")


def of_demo(kind: str, flags: dict[str, Any], seed: int, epochs: int, folder: str) -> dict[str, Any]:
    if kind not in COUNTING:
        flags = {**flags, "epochs": epochs, "seed": seed, "quiet": True, "tokenizer": f"{folder}/tokens"}
    if kind != "chain":
        flags = {**flags, "out": f"{folder}/model", "overwrite": True}
    model = chekhov.train(kind, TEXT, **flags)
    return rifle_test(model, [demo_corpus(TEXT).test], seed=seed).as_json()


def of_text(file: str, kind: str, flags: dict[str, Any], epochs: int, folder: str) -> dict[str, Any]:
    """Trained on nine tenths of the characters, measured on the last."""
    text = (Path(os.environ["CHEKHOV_DATA"]) / file).read_text("utf-8")
    cut = text.index("\n", 9 * len(text) // 10) + 1
    part = Path(folder) / file
    part.write_text(text[:cut], "utf-8")
    if kind not in COUNTING:
        flags = {**flags, "epochs": epochs, "quiet": True, "size": "small"}
    model = chekhov.train(kind, str(part), tokens="characters", out=f"{folder}/model", overwrite=True, **flags)
    return rifle_test(model, [text[cut:]]).as_json()


def reach_of(run: dict[str, Any]) -> str:
    return ("≥ " if run["reach_capped"] else "") + f"{run['reach']:,}"


def of_model(runs: Runs, name: str) -> list[dict[str, Any]]:
    return [run for key, run in runs.items() if key.startswith(f"{name}|") and key.split("|")[1].isdigit()]


def distances_of(runs: Runs) -> list[int]:
    return [d for d, _, _ in of_model(runs, "5-gram")[0]["planted"]]


def table(runs: Runs) -> list[str]:
    """Means over the seeds, and the lowest and the highest of them."""
    header = f"{'model':<21}{'reach':>9}{'horizon':>13}" + "".join(f"{f'd {d}':>17}" for d in distances_of(runs))
    lines = [f"{header}  rifle"]
    for name in MODELS:
        own = of_model(runs, name)
        known = [run["horizon"] for run in own if run["horizon"] is not None]
        horizon = "-" if not known else str(known[0]) if len(own) == 1 else spread(known, ".0f")
        row = f"{name:<21}{reach_of(own[-1]):>9}{horizon:>13}"
        for column in np.array([[100 * p for _, p, _ in run["planted"]] for run in own]).T:
            row += f"{spread(column, '.0f', ' %') if len(own) > 1 else f'{column[0]:.0f} %':>17}"
        rifles = sorted(run["rifle_horizon"] for run in own)
        lines.append(f"{row}  {', '.join(map(str, rifles))}")
    return lines


def real_table(runs: Runs) -> list[str]:
    lines = [f"{'text':<19}{'model':<8}{'reach':>8}{'horizon':>9}  95 %        nats after 1, 8, 64, 1,000 characters"]
    for title in REAL:
        for name in REAL_MODELS:
            run = runs[f"{title}|{name}"]
            curve = dict(map(tuple, run["curve"]))
            losses = ", ".join(f"{curve[d]:.3f}" for d in (1, 8, 64, 1000) if d in curve)
            interval = f"{run['horizon_low']:,} to {run['horizon_high']:,}"
            lines.append(f"{title:<19}{name:<8}{reach_of(run):>8}{run['horizon']:>9}  {interval:<12}{losses}")
    return lines


def plot(runs: Runs, out: Path) -> None:
    pyplot = load_matplotlib()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
    distances = distances_of(runs)
    for number, name in enumerate(MODELS):
        own, colour = of_model(runs, name), f"C{number}"
        accuracies = np.array([[p for _, p, _ in run["planted"]] for run in own])
        right.plot(distances, accuracies.mean(axis=0), marker="o", markersize=4, color=colour, label=name)
        right.fill_between(distances, accuracies.min(axis=0), accuracies.max(axis=0), color=colour, alpha=0.15)
        for run in own[:1]:
            if run["curve"]:
                left.plot(*zip(*run["curve"], strict=True), color=colour, label=name)
                left.axvline(run["horizon"], color=colour, linestyle=":", linewidth=1)
    left.set(xscale="log", xlabel="tokens of context", ylabel="nats per token", title="horizon (dotted), first seed")
    right.axhline(1 / ALTERNATIVES, color="grey", linestyle="--", linewidth=1, label="chance")
    right.set(xscale="log", ylim=(0, 1.03), xlabel="words between the rifle and the shot", ylabel="accuracy")
    right.set_title("does it go off? mean and range of three seeds")
    right.set_xticks(distances, [str(each) for each in distances], minor=False)
    right.minorticks_off()
    for axis in (left, right):
        axis.grid(alpha=0.3)
    right.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    save_figure(figure, out)


PAGE = """# What does it remember?

Written by `python benchmarks/rifle_page.py`; do not edit. Every model has read the same text, `demo:rifle-ru`; the nets
three times, {epochs} passes each, with another seed: means, and the lowest and the highest of the three. *d*: so many
words after the rifle was hung, how often its verb is the likeliest of eight; *rifle*: the last distance, of those
measured, at which a model is surely better than half-way from chance to always, for each seed.

```text
{table}
```

![Loss by length of context, and planted rifles](memory.svg)

A Markov chain knows its last k words and not one more: that is its definition, and what the measurement finds. The
verb that must come in the last act hangs on a thing eight to twenty words back; beyond its order the n-gram guesses,
one time in eight rightly. A net may carry the thing in its state for as long as it likes; whether it does is learnt.

No rifle of the training text hangs for longer than some twenty words: what nets do at 32 and beyond they were never
taught, and seeds differ there. The Elman net, whose gradient fades ([gradients.md](gradients.md)), learns half of it by
AdamW in so many passes, with one seed nothing beyond eight words; by Muon, whose steps are as long where the gradient
is faint as where it is strong ([training.md](training.md)), it learns all of it, as nets with gates do. These carry the
thing on for longer than they were taught, minGRU, whose gates do not look at the state, the longest. Windows of 32
words cover all that there is to learn; those of 256 bring the gradient farther and leave an eighth of the updates
([windows.md](windows.md)).

*Reach* is not *use*: a net's state changes a little with a word of long ago. The *horizon* tells what is of use: from
there on more context gains no more than a hundredth of a nat a token.

## Real texts, in characters

Nine tenths of the text to learn from, {half} passes a net, the last tenth to measure on; one seed.

```text
{real}
```

Most of what there is to gain comes from the last eight characters: the word, and the end of the one before it. These
nets, small and trained briefly, gain some hundredths of a nat beyond, and where their horizon ends is uncertain; the
7-gram, which has counted all, is ahead of them here. Longer training turns that round ([chekhov.md](chekhov.md)).

## Что она помнит?

Марковская цепь помнит k последних слов и больше ни одного: так она определена, и то же показывает измерение. Глагол
последнего акта зависит от вещи, названной за восемь-двадцать слов до него; дальше своего порядка n-граммная модель
угадывает, в одном случае из восьми верно. Сеть может нести вещь в скрытом состоянии сколько угодно; несёт ли она её,
зависит от обучения.

В обучающем тексте ружьё не висит дольше двадцати слов: тому, что сети делают на 32 словах и дальше, их не учили, и
запуски там расходятся. Сеть Элмана, чей градиент затухает, с AdamW за столько проходов выучивает половину, а один раз
ничего дальше восьми слов; с Muon, чей шаг одинаково длинен и там, где градиент мал, она выучивает всё, как и сети с
вентилями. Те несут вещь дальше, чем их учили, дальше всех minGRU, чьи вентили не смотрят на состояние. Окна в 32 слова
вмещают всё, чему здесь можно научиться; окна в 256 слов ведут градиент дальше, но оставляют в восемь раз меньше шагов.

*Reach*: самое дальнее слово, замена которого меняет предсказание. *Horizon*: контекст, длиннее которого брать
незачем: выигрыш меньше сотой доли ната на слово. Столбцы d: через столько слов после ружья верный глагол вероятнее
остальных семи; среднее трёх запусков, наименьшее и наибольшее. Вторая таблица: томик Чехова и Шекспир по символам.

Measured on {machine}, one thread.
"""

if __name__ == "__main__":
    main()
