"""What generates for a model: itself, or its recurrent nets on the generation kernels, in the precision asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chekhov.errors import UsageError
from chekhov.mixture import Mixture
from chekhov.types import LanguageModel

if TYPE_CHECKING:
    from chekhov.recurrent.language_model import RecurrentLM

PRECISIONS = ("auto", "float32", "bf16", "int8")
FASTEST = ("int8", "bf16", "float32")  # what ``auto`` tries, in this order


def silent(message: str) -> None:
    pass


def decoder(
    model: LanguageModel[Any], precision: str, *, recurrent: tuple[str, ...], note: Callable[[str], None] = silent
) -> LanguageModel[Any]:
    """The model to generate with. ``recurrent``: the kinds that are nets.

    ``float32``: the model itself, which is what `score` and `evaluate` measure. ``int8``, ``bf16``: its nets with
    rounded weights, where this machine has the kernels; else in float32, which ``note`` tells, by kernels if there are
    any. ``auto``: on the fastest kernels there are, float32 the last; models without nets as they are. Raises
    `UsageError` for another name, and for ``int8`` or ``bf16`` of a model that has no net.
    """
    if precision not in PRECISIONS:
        what = f"the precision {precision!r} is unknown"
        raise UsageError("E-GENERATE-007", what, mend=f"one of {', '.join(PRECISIONS)}")
    if precision == "float32":
        return model
    if isinstance(model, Mixture):
        nets = [part.kind in recurrent for part in model.components]
        if any(nets):
            parts = [
                decoder(part, precision, recurrent=recurrent, note=note) if net else part
                for part, net in zip(model.components, nets)
            ]
            return Mixture(parts, model.weights.tolist())
    elif model.kind in recurrent:
        return on_kernels(model, precision, note)  # type: ignore[arg-type]
    if precision == "auto":
        return model
    what = f"--precision {precision} is for recurrent nets, and this is a model of the kind {model.kind}"
    raise UsageError("E-GENERATE-008", what, mend="leave it out")


def on_kernels(model: RecurrentLM, precision: str, note: Callable[[str], None]) -> LanguageModel[Any]:
    from chekhov.recurrent.generator import Generator, refusal

    if precision != "auto" and (why := refusal(model, precision)):
        note(f"float32 in place of {precision}: {why}")
    for name in FASTEST if precision == "auto" else (precision, "float32"):
        if not refusal(model, name):
            return Generator(model, name)
    return model
