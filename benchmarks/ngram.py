"""Text to a loadable 5-gram table or to ARPA, and scoring, beside KenLM: interleaved runs, as ratios (above 1: ours).

    KENLM_BIN=.../bin python benchmarks/ngram.py PROSE.txt HELD_OUT.txt --runs 5
    python benchmarks/ngram.py --load FOLDER...

KENLM_BIN is the folder of lmplz, build_binary and query; both texts are tokens between blanks, one sentence a line
(prepare_prose.py). Each program runs in a process of its own, its start included; CPU seconds are user + system.
--load: only how long model folders take to load, in milliseconds of a process that has done so before.
"""

from __future__ import annotations

import argparse
import copy
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import AS_INSTALLED, machine


class Cost:
    """Of one or more child processes."""

    def __init__(self, *commands: list[str], stdin: Path | None = None):
        os.sync()  # else one program waits for the disk that another's files are still on their way to
        before, started = os.times(), time.monotonic()
        self.peak = 0
        for command in commands:
            with Path(stdin or os.devnull).open("rb") as source, Path(os.devnull).open("wb") as sink:
                child = subprocess.Popen(command, stdin=source, stdout=sink, stderr=sink, env=AS_INSTALLED)
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                sys.exit(f"{command} ended with {child.returncode}")
            self.peak = max(self.peak, usage.ru_maxrss >> 10)
        after = os.times()
        self.wall = time.monotonic() - started
        self.cpu = after.children_user + after.children_system - before.children_user - before.children_system

    def __add__(self, other: Cost) -> Cost:
        both = copy.copy(self)
        both.wall, both.cpu, both.peak = self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak)
        return both


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prose", type=Path, nargs="?")
    parser.add_argument("held_out", type=Path, nargs="?")
    parser.add_argument("--load", nargs="+", metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--order", default="5")
    options = parser.parse_args()
    if options.load:
        show_loading(options.load)
        print(f"Measured on {machine()}.")
        return
    if options.held_out is None:
        parser.error("two texts are wanted")
    binaries = Path(os.environ["KENLM_BIN"])
    chekhov = shutil.which("chekhov", path=str(Path(sys.executable).parent))
    if chekhov is None:
        sys.exit("chekhov is not installed beside this Python")
    with tempfile.TemporaryDirectory() as folder:
        arpa, binary, ours = f"{folder}/m.arpa", f"{folder}/m.bin", f"{folder}/m"
        estimate = [str(binaries / "lmplz"), "-o", options.order, "--text", str(options.prose), "--arpa", arpa]
        peers = {memory: [*estimate, "-S", memory, "-T", folder] for memory in ("4G", "1G")}
        train = [chekhov, "train", "ngram", str(options.prose), "-o", ours, "--order", options.order, "-q"]
        train += ["--tokens", "whitespace", "--split", "none", "--overwrite"]
        own = {"in memory": train, "--memory 128M": [*train, "--memory", "128M"]}
        to_arpa = [chekhov, "train", "ngram", str(options.prose), "--arpa", f"{folder}/ours.arpa"]
        to_arpa += ["--order", options.order, "-q", "--tokens", "whitespace", "--split", "none"]
        Cost(train, to_arpa)  # compiles the kernels
        costs: dict[str, list[Cost]] = {}
        arpa_costs: dict[str, list[Cost]] = {}
        for _ in range(options.runs):
            for memory, command in peers.items():
                estimated = Cost(command)
                arpa_costs.setdefault(f"lmplz -S {memory}", []).append(estimated)
                built = estimated + Cost([str(binaries / "build_binary"), arpa, binary])
                costs.setdefault(f"lmplz -S {memory}", []).append(built)
            for name, command in own.items():
                costs.setdefault(name, []).append(Cost(command))
            arpa_costs.setdefault("--arpa", []).append(Cost(to_arpa))
        show("text to table", costs, "lmplz -S 4G")
        show("text to ARPA", arpa_costs, "lmplz -S 4G")
        scoring: dict[str, list[Cost]] = {}
        program = f"import sys; sys.argv = ['chekhov', 'evaluate', {ours!r}, '--text', {str(options.held_out)!r}]"
        program += "; from chekhov.cli.main import main; main()"
        for _ in range(options.runs):
            query = [str(binaries / "query"), "-v", "summary", binary]
            scoring.setdefault("query", []).append(Cost(query, stdin=options.held_out))
            scoring.setdefault("evaluate", []).append(Cost([sys.executable, "-c", program]))
        show("scoring, the start of each program included", scoring, "query")
        show_loading([ours])
    print(f"Measured on {machine()}.")


def show(title: str, costs: dict[str, list[Cost]], base: str) -> None:
    """Medians, and how many times the base's cost is ours."""
    cpu = {name: statistics.median(cost.cpu for cost in runs) for name, runs in costs.items()}
    wall = {name: statistics.median(cost.wall for cost in runs) for name, runs in costs.items()}
    print(f"{title}\n{'':<16} {'CPU-s':>7} {'wall s':>7} {'MiB':>6} {'CPU':>6} {'wall':>6}")
    for name, runs in costs.items():
        peak = max(cost.peak for cost in runs)
        ratios = f"{cpu[base] / cpu[name]:>5.2f}x {wall[base] / wall[name]:>5.2f}x"
        print(f"{name:<16} {cpu[name]:>7.2f} {wall[name]:>7.2f} {peak:>6} {ratios}")


def show_loading(folders: list[str]) -> None:
    """Median wall and CPU milliseconds of `chekhov.load` and `chekhov.kenlm.Model`; the first call of each is left out:
    it imports, and takes the digests of the files if nobody has yet."""
    import chekhov
    from chekhov import kenlm

    for folder in folders:
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(f"{folder}: {size / 1e6:.1f} MB")
        for name, load in (("chekhov.load", chekhov.load), ("kenlm.Model", kenlm.Model)):
            wall, cpu = [], []
            for _ in range(21):
                started, cpu_started = time.perf_counter(), time.process_time()
                load(folder)
                wall.append((time.perf_counter() - started) * 1000)
                cpu.append((time.process_time() - cpu_started) * 1000)
            print(f"  {name:<13} {statistics.median(wall[1:]):.2f} ms wall, {statistics.median(cpu[1:]):.2f} CPU")


if __name__ == "__main__":
    main()
