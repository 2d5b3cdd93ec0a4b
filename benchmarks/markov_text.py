"""`chekhov.markovify` beside the package markovify: the same calls on the same sentences, each in its own process.

    python benchmarks/markov_text.py TEXT [--runs 3] [--state-size 2]

The sentences of the text go to a file, one to a line: markovify's own splitter finds half of them in Russian prose,
and would be given half of the work. CPU seconds are of the whole program up to the model: imports, reading, training;
the kernels were compiled before. Ratios above 1 are ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from machine import machine

from chekhov.text.prose import prose_sentences

PROGRAM = """
import json, random, sys, time
name, path, size, seconds, saved = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
started = time.process_time()
if name == "chekhov":
    from chekhov import markovify
    flags = {"strict": True}
else:
    import markovify
    flags = {}
model = markovify.NewlineText(open(path, encoding="utf-8").read(), state_size=size, well_formed=False, **flags)
found = {"train": time.process_time() - started}
# Not that of getrusage, which begins with what the process had taken that started this one.
found["memory"] = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
random.seed(1)
model.make_sentence()
made, started = 0, time.process_time()
while time.process_time() - started < seconds:
    made += model.make_sentence() is not None
found["sentences"] = made / (time.process_time() - started)
started = time.process_time()
data = model.to_json()
found["to_json"] = time.process_time() - started
if name != "chekhov":
    open(saved, "w").write(data)
found["words"] = sum(map(len, model.parsed_sentences))
del model, data
data = open(saved).read()
started = time.process_time()
markovify.NewlineText.from_json(data)
found["from_json"] = time.process_time() - started
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
    saved, lines = options.text.name + ".markovify.json", Path(options.text.name + ".sentences")
    with lines.open("w", encoding="utf-8") as file:
        for sentence in prose_sentences(options.text.read_text(encoding="utf-8")):
            print(" ".join(sentence.split()), file=file)
    runs: dict[str, list[dict[str, float]]] = {"markovify": [], "chekhov": []}
    for i in range(options.runs + 1):
        for name, results in runs.items():
            found = measure(name, str(lines), options.state_size, 5.0, saved)
            if i:  # the first compiles
                results.append(found)
    middle = {n: {key: statistics.median(r[key] for r in results) for key in results[0]} for n, results in runs.items()}
    theirs, ours = middle["markovify"], middle["chekhov"]
    if theirs["words"] != ours["words"]:
        raise SystemExit(f"markovify trained on {theirs['words']:,.0f} words, chekhov on {ours['words']:,.0f}")
    print(f"{options.text.name}, state size {options.state_size}: {ours['words']:,.0f} words")
    rows = {
        "train": "training, CPU-s",
        "memory": "peak, MiB",
        "to_json": "to_json, CPU-s",
        "from_json": "from_json, CPU-s",
    }
    for key, label in rows.items():
        print(f"{label:<24} markovify {theirs[key]:,.2f}, chekhov {ours[key]:,.2f}: {theirs[key] / ours[key]:.1f}x")
    speeds = theirs["sentences"], ours["sentences"]
    print(
        f"{'sentences/CPU-s':<24} markovify {speeds[0]:,.0f}, chekhov {speeds[1]:,.0f}: {speeds[1] / speeds[0]:,.0f}x"
    )
    lines.unlink()
    Path(saved).unlink()
    print(f"Measured on {machine()}.")


if __name__ == "__main__":
    main()
