"""How much memory a run will need, before it starts."""

from __future__ import annotations

from typing import Any

from chekhov.errors import ModelError
from chekhov.training.machine import free_bytes

COPIES = 6  # of the weights: themselves, gradient, two moments of AdamW, the best so far, and one while it is saved
BASE = 400 << 20  # PyTorch itself
LOGITS = 3  # of a token: themselves, their softmax, their gradient
UNITS = {  # floats of a unit and step that backward needs
    **{"lstm": 10, "gru": 8, "elman": 3, "window": 2},
    **{"mingru": 8, "minlstm": 10, "qrnn": 10, "sru": 12, "indrnn": 4, "rglru": 10},
}
LAYER_NORM = 12  # besides: U h, the gates apart from W x, a second gradient


def estimate_bytes(kind: str, parameters: int, vocab_size: int, sizes: dict[str, Any], window_tokens: int) -> int:
    """Resident bytes at the peak of a training step on ``window_tokens`` = B T, within a factor of about 1.5."""
    inputs = (sizes["embedding_size"] or vocab_size) * (1 + sizes["cell_options"].get("width", 1))
    units = UNITS[kind] + (LAYER_NORM if sizes["cell_options"].get("layer_norm") else 0)
    per_token = inputs + sizes["num_layers"] * sizes["hidden_size"] * units + LOGITS * vocab_size
    return BASE + 4 * (COPIES * parameters + window_tokens * per_token)


def check_memory(needed: int) -> None:
    """Raise `ModelError` if the machine has less memory free than ``needed`` bytes; silent where it does not tell."""
    free = free_bytes()
    if free is not None and needed > free:
        raise ModelError(
            "E-MEMORY-002",
            f"training needs about {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free",
            mend="a smaller --hidden-size, --batch-size, --sequence-length or --vocab-size",
            kept="nothing was begun",
        )
