"""An `unrolled.Unrolled` net as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chekhov.inspection.unrolled import Unrolled

COLOURS = {"input": "#f3d9d2", "embedding": "#efe6c8", "cell": "#cfe3d0", "pool": "#dcd3ea", "output": "#cfdcee"}
LINES: dict[str, dict[str, Any]] = {
    "up": {"arrowstyle": "-|>", "color": "#444444", "linewidth": 0.9},
    "time": {"arrowstyle": "-|>", "color": "#2a7d4f", "linewidth": 1.8},
    "copy": {"arrowstyle": "-|>", "color": "#888888", "linewidth": 0.9, "linestyle": "--"},
    "chain": {"arrowstyle": "-", "color": "#3b6aa8", "linewidth": 1.8},
}
ROW, HEIGHT, FLAT = 0.87, 0.38, 0.19  # inches of a row, of a box, of an embedding's; columns are as wide as labels need
LETTER = 0.095  # inches of one at 10 points


def draw(picture: Unrolled, out: Path, title: str = "") -> None:
    """Write it; UsageError where it cannot be written."""
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    from chekhov.training.plot import load_matplotlib, save_figure

    pyplot = load_matplotlib()
    widths = {kind: width_of(picture, kind) for kind in COLOURS}
    column = max(max(widths.values()) + 0.3, widths["cell"] + 0.45)
    left = max([LETTER * longest(n.text) for n in picture.notes if not n.right and n.x < 0], default=0.2)
    right = max([LETTER * longest(n.text) for n in picture.notes if n.right], default=0.2)
    last, high = max(box.x for box in picture.boxes) * column, max(box.y for box in picture.boxes) * ROW
    low_x, high_x = -0.6 * column - left, last + 0.6 * column + right
    low_y, high_y = -0.45, high + (0.8 if title else 0.45)
    figure = pyplot.figure(figsize=(high_x - low_x, high_y - low_y))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(low_x, high_x), ylim=(low_y, high_y))
    axes.axis("off")
    places = [(box.x * column, box.y * ROW) for box in picture.boxes]
    patches: list[Any] = []
    for box, (x, y) in zip(picture.boxes, places, strict=True):
        width, height = widths[box.kind], FLAT if box.kind == "embedding" else HEIGHT
        corner = (x - width / 2, y - height / 2)
        style = "round,pad=0,rounding_size=0.08"
        patch = FancyBboxPatch(
            corner, width, height, boxstyle=style, facecolor=COLOURS[box.kind], edgecolor="#444444", zorder=2
        )
        patches.append(axes.add_patch(patch))
        axes.text(x, y, box.label, ha="center", va="center", fontsize=10, parse_math=False, zorder=3)
    for start, end, kind in picture.arrows:
        far = picture.boxes[end].label == "last" and abs(picture.boxes[start].x - picture.boxes[end].x) > 1.5
        bent = "arc3,rad=-0.12" if far else "arc3"
        arrow = FancyArrowPatch(
            places[start], places[end], patchA=patches[start], patchB=patches[end], shrinkA=0, shrinkB=0,
            mutation_scale=9, connectionstyle=bent, **LINES[kind],
        )  # fmt: skip
        axes.add_patch(arrow)
    for note in picture.notes:
        side = "left" if note.right else "right"
        axes.text(note.x * column, note.y * ROW, note.text, ha=side, va="center", fontsize=9, parse_math=False)
    if title:
        axes.text(last / 2, high_y - 0.22, title, ha="center", va="center", fontsize=12, parse_math=False)
    save_figure(figure, out)


def longest(text: str) -> int:
    return max(map(len, text.split("\n")))


def width_of(picture: Unrolled, kind: str) -> float:
    """Inches of the boxes of a kind: the longest label of them fits."""
    return max([0.4] + [LETTER * len(box.label) + 0.2 for box in picture.boxes if box.kind == kind])
