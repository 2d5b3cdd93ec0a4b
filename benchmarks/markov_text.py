"""`chekhov.markovify` beside the package markovify: the same calls on the same text, each in a process of its own.

    python benchmarks/markov_text.py TEXT [--runs 3] [--state-size 2]

Prints CPU seconds of training and of reading JSON, sentences a CPU-second with the default check, and the peak of
memory after training; ratios above 1 are ours. The kernels are compiled before; their loading counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from machine import machine

PROGRAM = """
import json, random, resource, sys, time
name, path, size, seconds, saved = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
started = time.process_time()
if name == "chekhov":
    from chekhov import markovify
    flags = {"strict": True}
else:
    import markovify
    flags = {}
text = open(path, encoding="utf-8").read()
read = time.process_time()
model = markovify.Text(text, state_size=size, **flags)
found = {"train": time.process_time() - (started if name == "chekhov" else read)}
del text
found["words"] = sum(map(len, model.parsed_sentences)) if name != "chekhov" else len(model._sentences.ids)
found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
random.seed(1)
model.make_sentence()
made, started = 0, time.process_time()
while time.process_time() - started < seconds:
    made += model.make_sentence() is not None
found["sentences"] = made / (time.process_time() - started)
if name != "chekhov":
    open(saved, "w").write(model.to_json())
del model
data = open(saved).read()
started = time.process_time()
markovify.Text.from_json(data)
found["json"] = time.process_time() - started
print(json.dumps(found))
"""


def measure(name: str, path: str, size: int, seconds: float, saved: str) -> dict[str, float]:
    command = [sys.executable, "-c", PROGRAM, name, path, str(size), str(seconds), saved]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--state-size", type=int, default=2)
    options = parser.parse_args()
    saved = options.text.name + ".markovify.json"
    runs: dict[str, list[dict[str, float]]] = {"markovify": [], "chekhov": []}
    for i in range(options.runs + 1):
        for name, results in runs.items():
            found = measure(name, str(options.text), options.state_size, 5.0, saved)
            if i or options.runs == 1:  # the first compiles
                results.append(found)
    middle = {n: {key: statistics.median(r[key] for r in results) for key in results[0]} for n, results in runs.items()}
    theirs, ours = middle["markovify"], middle["chekhov"]
    print(f"{options.text.name}, state size {options.state_size}: {ours['words']:,.0f} words in sentences that pass")
    for key, label in (("train", "training, CPU-s"), ("json", "reading JSON, CPU-s"), ("memory", "peak, MiB")):
        print(f"{label:<24} markovify {theirs[key]:,.2f}, chekhov {ours[key]:,.2f}: {theirs[key] / ours[key]:.1f}x")
    speeds = theirs["sentences"], ours["sentences"]
    print(
        f"{'sentences/CPU-s':<24} markovify {speeds[0]:,.0f}, chekhov {speeds[1]:,.0f}: {speeds[1] / speeds[0]:,.0f}x"
    )
    Path(saved).unlink()
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main()
