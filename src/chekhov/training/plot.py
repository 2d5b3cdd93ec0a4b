"""The loss curves of a run, as a line of blocks for the terminal and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chekhov.errors import UsageError
from chekhov.training.checkpoints import read_log

BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = 60
SUFFIXES = (".svg", ".png", ".pdf")
MEND = "end its name in .svg, .png or .pdf, in a folder that exists"


def curve_line(folder: Path) -> str:
    """Training loss from the first record to the last, sampled, highest to lowest."""
    losses = [record["loss"] for record in read_log(folder)]
    if len(losses) < 2:
        return "loss: too few records for a curve"
    shown = (
        [losses[i * (len(losses) - 1) // (COLUMNS - 1)] for i in range(COLUMNS)] if len(losses) > COLUMNS else losses
    )
    low, high = min(shown), max(shown)
    scale = (len(BLOCKS) - 1) / max(high - low, 1e-12)
    bars = "".join(BLOCKS[round((loss - low) * scale)] for loss in shown)
    return f"loss {losses[0]:.3f} {bars} {losses[-1]:.3f} nats/token"


def load_matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        mend = "pip install 'chekhov[plots]'"
        raise UsageError("E-SETUP-003", "--plot needs matplotlib, which is not installed", mend=mend) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def check_plot(out: Path) -> None:
    """Raise `UsageError` unless a picture can be drawn there, by its name and folder."""
    load_matplotlib()
    if out.suffix not in SUFFIXES or not out.parent.is_dir():
        raise UsageError("E-TRAIN-015", "the plot cannot be written", where=str(out), mend=MEND)


def plot_curves(folder: Path, out: Path) -> None:
    """Training and validation loss in nats per token against tokens read; the ending of ``out`` names the format."""
    pyplot = load_matplotlib()
    records = read_log(folder)
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    axes.plot([r["tokens"] for r in records], [r["loss"] for r in records], label="training")
    judged = [r for r in records if r["valid_loss"] is not None]
    axes.plot([r["tokens"] for r in judged], [r["valid_loss"] for r in judged], marker="o", label="validation")
    axes.set(xlabel="tokens read", ylabel="nats per token", title=str(folder))
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, out)


def save_figure(figure: Any, out: Path) -> None:
    """Write and close it; `UsageError` where it cannot be written."""
    undated = {"metadata": {"Date": None}} if out.suffix == ".svg" else {}  # the same curves, the same file
    try:
        with load_matplotlib().rc_context({"svg.hashsalt": "chekhov"}):
            figure.savefig(out, **undated)
    except (OSError, ValueError) as error:
        raise UsageError("E-TRAIN-015", f"the plot cannot be written: {error}", where=str(out), mend=MEND) from error
    finally:
        load_matplotlib().close(figure)
