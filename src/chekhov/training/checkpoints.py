"""A stopped run is a checkpoint: everything that the next step depends on, so that resuming is bit-exact.

``checkpoint.json`` is its commit point and names ``checkpoint-<8 hex>.safetensors`` with the weights, the optimiser's
moments, the carried state and the state of the random generator; numbers and the best so far are in the JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from chekhov.errors import TrainingError
from chekhov.files import StoredFile, check_file, read_arrays, save_error, write_arrays, write_file
from chekhov.state import leaves, map_state
from chekhov.types import Arrays


class Progress(msgspec.Struct, forbid_unknown_fields=True):
    """Where a run stands. Losses are in nats per token."""

    step: int = 0
    total_steps: int = 0  # 0 while --time is still being calibrated
    tokens: int = 0
    loss_sum: float = 0.0  # since the last line of the log
    loss_count: int = 0
    best_loss: float | None = None
    best_step: int = 0
    bad_validations: int = 0
    plateaus: int = 0  # bad validations, never forgotten
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    finished: bool = False


class CheckpointFile(msgspec.Struct, forbid_unknown_fields=True):
    file: str
    stored: StoredFile
    progress: Progress
    plan: dict[str, Any]
    data_digest: str


def save_checkpoint(
    folder: Path,
    model: Any,
    best: dict[str, torch.Tensor],
    optimisers: list[torch.optim.Optimizer],
    carry: Any,
    progress: Progress,
    plan: dict[str, Any],
    data_digest: str,
) -> None:
    arrays: Arrays = {f"model.{name}": array for name, array in model.arrays().items()}
    arrays.update({f"best.{name}": tensor.numpy() for name, tensor in best.items()})
    first = 0  # the weights of all optimisers are numbered one after the other
    for optimiser in optimisers:
        for index, state in optimiser.state_dict()["state"].items():
            for name, value in state.items():
                arrays[f"optimiser.{first + index}.{name}"] = value.detach().numpy()
        first += count_of(optimiser)
    if carry is not None:
        arrays.update({f"carry.{index}": leaf.numpy() for index, leaf in enumerate(leaves(carry))})
    arrays["generator"] = torch.get_rng_state().numpy()
    name, stored = write_arrays(folder, "checkpoint", arrays)
    record = CheckpointFile(name, stored, progress, plan, data_digest)
    write_file(folder / "checkpoint.json", msgspec.json.format(msgspec.json.encode(record), indent=2))
    for path in folder.glob("checkpoint-*.safetensors"):
        if path.name != name:
            path.unlink(missing_ok=True)


def count_of(optimiser: torch.optim.Optimizer) -> int:
    """How many weights it has."""
    return sum(len(group["params"]) for group in optimiser.param_groups)


def read_checkpoint(folder: Path) -> tuple[CheckpointFile, Arrays]:
    path = folder / "checkpoint.json"
    mend = "start anew without --resume"
    if not path.is_file():
        why = "a run leaves one at each validation"
        raise TrainingError(
            "E-RESUME-001", "there is no checkpoint to resume from", where=str(folder), why=why, mend=mend
        )
    try:
        record = msgspec.json.decode(path.read_bytes(), type=CheckpointFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise TrainingError(
            "E-RESUME-002", "checkpoint.json is damaged", where=str(path), why=str(error), mend=mend
        ) from error
    check_file(folder, record.file, record.stored, remembered=False)
    return record, read_arrays(folder / record.file)


def restore(arrays: Arrays, model: Any, optimisers: list[torch.optim.Optimizer]) -> Any:
    """Put the checkpoint's arrays back; returns the carry (None if the run had none yet)."""
    weights = {name.removeprefix("model."): array for name, array in arrays.items() if name.startswith("model.")}
    model.load_arrays(weights)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            moments.setdefault(int(index), {})[key] = torch.from_numpy(np.array(array))
    first = 0
    for optimiser in optimisers:
        state, count = optimiser.state_dict(), count_of(optimiser)
        state["state"] = {index: moments[first + index] for index in range(count) if first + index in moments}
        optimiser.load_state_dict(state)
        first += count
    torch.set_rng_state(torch.from_numpy(np.array(arrays["generator"])))
    if "carry.0" not in arrays:
        return None
    parts = iter([torch.from_numpy(np.array(arrays[f"carry.{i}"])) for i in range(sum("carry." in n for n in arrays))])
    batch_size = arrays["carry.0"].shape[0]
    return map_state(lambda _: next(parts), model.stack.initial_state(batch_size))


def read_log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    records = []
    for line in lines:
        try:
            records.append(msgspec.json.decode(line))
        except msgspec.MsgspecError:
            break  # the torn last line of a killed run
    return records


def write_log(folder: Path, records: list[dict[str, Any]]) -> None:
    write_file(folder / "metrics.jsonl", b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def append_log(folder: Path, record: dict[str, Any]) -> None:
    path = folder / "metrics.jsonl"
    try:
        with path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")
    except OSError as error:
        raise save_error(path, error) from error
