"""How near the LSTM of `make demo` comes to the floor of the demo grammars, and how far the best n-gram stays away.

    python benchmarks/rifle_floor.py [--seconds 60] [--seeds 0 1 2]

Cross-entropy on the held-out part over what the grammar itself needs for that very text (inside probabilities).
"""

from __future__ import annotations

import argparse
import statistics

from machine import machine

import chekhov
from chekhov.tasks.demo import GENERATED
from chekhov.text.demo import NAMES, demo_corpus, text_floor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    print(machine())
    for name in NAMES:
        corpus = demo_corpus(name)
        floor = text_floor(name, corpus.test)
        print(f"{name}: floor {corpus.floor:.4f} nats/token expected, {floor:.4f} for the held-out text")
        for order in range(1, 8):
            model = chekhov.train("ngram", f"demo:{name}", tokens="whitespace", order=order)
            over = model.evaluate(corpus.test).cross_entropy / floor - 1
            print(f"  Kneser-Ney {order}-gram  +{100 * over:.1f} %")
        overs = []
        for seed in arguments.seeds:
            model = chekhov.train(
                "lstm",
                f"demo:{name}",
                tokens="whitespace",
                time=arguments.seconds,
                seed=seed,
                quiet=True,
                **GENERATED,
            )
            overs.append(model.evaluate(corpus.test).cross_entropy / floor - 1)
            spent = model.training["cpu_seconds"]
            print(f"  LSTM seed {seed}, {spent:.1f} CPU-s  +{100 * overs[-1]:.2f} %", flush=True)
        print(f"  LSTM median  +{100 * statistics.median(overs):.2f} %", flush=True)


if __name__ == "__main__":
    main()
