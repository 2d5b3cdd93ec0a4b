"""Damaged models, full disks and stopped runs: one message, and what there was is kept."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from calling import LSTM, PROGRAM, TEXT, call, refused

from chekhov import files


@pytest.mark.parametrize("verb", ["generate", "score", "info", "verify", "evaluate", "mix", "trace"])
@pytest.mark.parametrize(
    ("name", "says"), [("nowhere", "no such folder"), ("che.txt", "this is a file"), (".", "holds no config.json")]
)
def test_what_is_no_model(folder: Path, tmp_path: Path, verb: str, name: str, says: str) -> None:
    text = str(folder / "che.txt")
    flags = {"evaluate": ("--text", text), "mix": (str(folder / "ngram"), "--valid", text, "-o", str(tmp_path / "x"))}
    flags["trace"] = ("--text", text)
    refused(verb, str(folder / name), *flags.get(verb, ()), code=1, says=says)
    assert not (tmp_path / "x" / "config.json").exists()


@pytest.mark.parametrize("kind", ["chain", "ngram", "lstm"])
def test_a_damaged_model_is_refused_by_every_verb(folder: Path, tmp_path: Path, kind: str) -> None:
    shutil.copytree(folder / kind, tmp_path / kind)
    path = next((tmp_path / kind).glob("model-*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    for verb in ("generate", "score", "verify"):
        refused(verb, str(tmp_path / kind), code=1, says="E-MODEL-011 .*damaged.*Mend: ")
    path.write_bytes(data[:-1])
    refused("verify", str(tmp_path / kind), code=1, says="E-MODEL-010 .*bytes, config.json says")
    path.unlink()
    refused("generate", str(tmp_path / kind), code=1, says="E-MODEL-009")


def config_with(**changes: Any) -> Any:
    def damage(config: dict[str, Any]) -> bytes:
        return json.dumps({**config, **changes}).encode()

    return damage


def sizes_of(value: int) -> Any:
    def damage(config: dict[str, Any]) -> bytes:
        sizes = {name: value if isinstance(size, int) else size for name, size in config["sizes"].items()}
        return json.dumps({**config, "sizes": sizes}).encode()

    return damage


CONFIGS = {
    "empty": (lambda config: b"", "E-MODEL-005"),
    "of another program": (lambda config: b"{}", "E-MODEL-005"),
    "no object": (lambda config: b"null", "E-MODEL-005"),
    "no UTF-8": (lambda config: b"\xff\xfe", "E-MODEL-005"),
    "a hundred thousand deep": (lambda config: b'{"sizes": ' + b"[" * 100_000, "E-MODEL-005"),
    "cut short": (lambda config: json.dumps(config).encode()[:-9], "E-MODEL-005"),
    "an unknown field": (config_with(extra=1), "E-MODEL-005"),
    "of the future": (config_with(format=99), "E-MODEL-006.*upgrade chekhov"),
    "a path outside": (config_with(model="../weights"), "E-MODEL-007"),
    "an unknown kind": (config_with(kind="gpt"), "E-MODEL-018"),
    "no sizes": (config_with(sizes={}), "E-MODEL-0(12|17|20|21)"),
    "negative sizes": (sizes_of(-1), "E-MODEL-0(17|20|21)"),
    "sizes beyond all memory": (sizes_of(2**40), "E-MODEL-017.*larger than all that is stored"),
    "another tokenizer": (config_with(tokenizer_digest="0"), "E-MODEL-015"),
}


@pytest.mark.parametrize("kind", ["chain", "ngram", "lstm"])
@pytest.mark.parametrize("damage", CONFIGS)
def test_a_damaged_config_is_refused(folder: Path, tmp_path: Path, kind: str, damage: str) -> None:
    shutil.copytree(folder / kind, tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    change, says = CONFIGS[damage]
    path.write_bytes(change(json.loads(path.read_bytes())))
    for verb in ("generate", "verify"):
        refused(verb, str(tmp_path / "m"), code=1, says=f"^(seed \\d+\\n)?{says}")


def test_a_damaged_training_record_is_no_riddle(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "ngram", tmp_path / "m")
    path = tmp_path / "m" / "config.json"
    path.write_bytes(config_with(training={"valid": 3, "notes": 7})(json.loads(path.read_bytes())))
    refused("info", str(tmp_path / "m"), code=1, says="E-MODEL-005.*training record")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("generate", "NOWHERE"), "E-MODEL-001"),
        (("info", "NOWHERE"), "E-MODEL-001"),
        (("train", "ngram", "NOWHERE", "-o", "OUT"), "E-TEXT-010"),
        (("train", "lstm", "TEXT", "-o", "OUT", "--lr", "nan"), "E-RANGE-001"),
        (("train", "lstm", "TEXT", "-o", "OUT", "--lr", "fast"), "E-USAGE-001"),
        (("mix", "NGRAM", "CHAIN", "--valid", "TEXT", "-o", "OUT"), "E-MIX-006"),
    ],
)
def test_errors_are_objects_with_json(folder: Path, tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    names = {"NOWHERE": "nowhere", "TEXT": "che.txt", "NGRAM": "ngram", "CHAIN": "chain"}
    paths = {**{name: str(folder / file) for name, file in names.items()}, "OUT": str(tmp_path / "m")}
    _, out, err = call(*[paths.get(argument, argument) for argument in arguments], "--json")
    record = json.loads(out)
    assert record["schema"] == 1
    assert record["error"]["code"] == code
    assert record["error"]["mend"]
    assert err.count(code) == 1
    assert not (tmp_path / "m" / "config.json").exists()


def test_models_of_different_tokens_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    arguments = (str(folder / "chain"), str(folder / "ngram"), "--valid", str(folder / "che.txt"))
    refused("mix", *arguments, "-o", str(tmp_path / "x"), code=2, says="read different tokens.*--tokenizer")
    assert not (tmp_path / "x").exists()
    refused(
        "mix", str(folder / "ngram"), "--valid", str(folder / "che.txt"), "-o", str(tmp_path / "x"), code=2, says="two"
    )


def test_folders_that_cannot_take_a_model(folder: Path, tmp_path: Path) -> None:
    text = str(folder / "che.txt")
    before = (folder / "ngram" / "config.json").read_bytes()
    refused("train", "ngram", text, "-o", str(folder / "ngram"), code=1, says="already holds a model.*--overwrite")
    refused("train", "lstm", text, "-o", str(folder / "ngram"), code=1, says="--resume its run")
    assert (folder / "ngram" / "config.json").read_bytes() == before
    refused("train", "ngram", text, "-o", text, code=1, says="cannot be written|is a file|Not a directory|File exists")
    refused("train", "ngram", text, "-o", "", code=2, says="-o is empty")
    both = (str(folder / "ngram"), str(folder / "lstm"), "--valid", text)
    refused("mix", *both, "-o", "", code=2, says="-o is empty")
    refused("mix", *both, "-o", text, code=1, says="E-SAVE-001")
    refused("mix", *both, "-o", str(folder / "ngram"), code=1, says="E-SAVE-002")
    refused("demo", text, "-o", "", code=2, says="-o is empty")
    assert Path(text).read_text() == TEXT


def test_a_folder_that_another_process_writes_is_left_alone(folder: Path, tmp_path: Path) -> None:
    hold = "import sys; from pathlib import Path; from chekhov.saving import locked\n"
    hold += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    held, text = str(tmp_path / "held"), str(folder / "che.txt")
    other = subprocess.Popen([sys.executable, "-c", hold, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    says = f"E-LOCK-001.*in use.*held by process {other.pid} on .* since 20.*Kept: nothing was changed"
    refused("train", "ngram", text, "-o", held, code=1, says=says)
    refused("mix", str(folder / "ngram"), str(folder / "lstm"), "--valid", text, "-o", held, code=1, says=says)
    assert [path.name for path in Path(held).iterdir()] == [".lock"]
    other.communicate()
    assert call("train", "ngram", text, "-o", held)[0] == 0  # the lock goes with its holder


@pytest.mark.parametrize("kind", ["ngram", "lstm"])
def test_a_full_disk_keeps_the_old_model(folder: Path, tmp_path: Path, kind: str) -> None:
    text, out = str(folder / "che.txt"), str(tmp_path / "m")
    flags = LSTM if kind == "lstm" else ()
    assert call("train", kind, text, "-o", out, *flags)[0] == 0
    scores = call("score", out, text)[1]

    def full(*arguments: Any, **flags: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        says = "E-SAVE-001 .*No space left.*Mend: free some space.*Kept: "
        refused("train", kind, text, "-o", out, "--overwrite", "--seed", "5", *flags, code=1, says=says)
    assert call("score", out, text)[1] == scores
    assert not list(Path(out).glob(".tmp-*"))


def test_resuming_what_cannot_be_resumed(folder: Path, tmp_path: Path) -> None:
    text, out = str(folder / "che.txt"), str(tmp_path / "m")
    refused("train", "lstm", text, "-o", out, *LSTM, "--resume", code=1, says="E-RESUME-001")
    assert call("train", "lstm", text, "-o", out, *LSTM)[0] == 0
    refused(
        "train", "lstm", text, "-o", out, *LSTM, "--lr", "0.001", "--resume", code=1, says="differ from the run's: lr"
    )
    for flag, value in (("--hidden-size", "9"), ("--num-layers", "2"), ("--dropout", "0.5")):
        name = flag.removeprefix("--").replace("-", "_")
        says = f"E-RESUME-004.*differ from the run's: {name}"
        refused("train", "lstm", text, "-o", out, *LSTM, flag, value, "--resume", code=1, says=says)
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("ружьё", "весло"))
    refused("train", "lstm", str(other), "-o", out, *LSTM, "--resume", code=1, says="E-RESUME-003")
    assert call("generate", out, "--seed", "1")[0] == 0


def test_a_loss_that_is_not_finite_names_the_step_and_keeps_the_best(folder: Path, tmp_path: Path) -> None:
    from chekhov.training import objectives

    original, calls = objectives.linear_cross_entropy, 0

    def poisoned(*arguments: Any, **flags: Any) -> Any:
        nonlocal calls
        calls += 1
        return original(*arguments, **flags) * (float("nan") if calls == 12 else 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objectives, "linear_cross_entropy", poisoned)
        flags = ("--hidden-size", "8", "--epochs", "5", "--sequence-length", "16")
        says = r"not finite at step 12.*Mend: a smaller learning rate.*Kept: the best model so far, of step \d+"
        refused("train", "lstm", str(folder / "che.txt"), "-o", str(tmp_path / "m"), *flags, code=1, says=says)
    assert call("generate", str(tmp_path / "m"), "--seed", "1")[0] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_keeps_its_best_and_says_how_to_go_on(
    folder: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "m"
    flags = ["--hidden-size", "8", "--embedding-size", "4", "--epochs", "400", "--patience", "0"]
    command = [*PROGRAM, "train", "lstm", str(folder / "che.txt"), "-o", str(out), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (out / "checkpoint.json").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert f"stopped by {number.name} at step" in err
    assert not list(out.glob(".tmp-*"))
    assert call("verify", str(out))[0] == 0
    again = shlex.split(err.splitlines()[-1])  # the command that it prints, as it stands, but for the interpreter
    assert again[-1] == "--resume"
    assert call(*again[again.index("train") :])[0] == 0
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps[-1]["step"] == steps[-1]["total_steps"]
    assert call("generate", str(out), "--seed", "1")[0] == 0


HALF_AN_ARPA = """
import os, signal, sys
from chekhov.cli.main import main
from chekhov.ngram import arpa

number, whole = int(sys.argv.pop(1)), arpa.arpa_blocks

def half(*arguments):
    yield next(whole(*arguments))
    os.kill(os.getpid(), number)
    yield b"never"

arpa.arpa_blocks = half
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_file_that_is_half_written_goes(folder: Path, tmp_path: Path, number: signal.Signals, code: int) -> None:
    flags = ["train", "ngram", str(folder / "che.txt"), "--arpa", str(tmp_path / "m.arpa"), "--order", "2", "-q"]
    command = [sys.executable, "-c", HALF_AN_ARPA, str(int(number)), *flags]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (code, "stopped\n")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_gone_is_no_error(folder: Path) -> None:
    command = f"{' '.join(PROGRAM)} generate {folder / 'ngram'} --num 400 --seed 1 | head -c 1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60)
    assert len(result.stdout) == 1
    assert result.stderr == b""


def test_models_of_one_name_keep_each_its_weight(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "ngram", tmp_path / "copy" / "ngram")
    both = (str(folder / "ngram"), str(tmp_path / "copy" / "ngram"))
    text = str(folder / "che.txt")
    code, out, _ = call("mix", *both, "--valid", text, "-o", str(tmp_path / "x"), "--json")
    assert code == 0
    assert json.loads(out)["weights"] == {"ngram": 0.5, "ngram (2)": 0.5}
