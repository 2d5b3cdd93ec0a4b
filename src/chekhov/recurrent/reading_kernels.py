"""The LSTM over whole sequences when nothing is trained: no gate is kept, and W x of a word is read where it stands.

Arrays are flat, laid out as in `lstm_kernels`: ``units`` is H filled up to a multiple of 16, a line of gates is
4 * units long and interleaved, 16 units of i, f, g, o after another.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel, prefetch
from chekhov.kernels.matmul_kernels import PANEL, ZERO, product, rows_at_once
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, load, sigmoid, splat, store, tanh

FOUR = 4 * LANES  # a block of units: 16 of each gate
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache


@kernel
def lstm_read(gates, which, bias, panels, lengths, T, units, outputs, line, column, first, last, reverse):
    """h of rows ``first`` to ``last`` at every step, into outputs[(b * T + t) * line + column :][:units]; 0 after their
    ends. ``which`` (B * T): the line of ``gates``, W x, of each word. ``lengths`` (B) do not fall; states start at 0.

    Rows that have ended are left out: they are the first ones, so that the others stay side by side. ``panels`` hold U.
    """
    tiles_on()
    at_once, G = rows_at_once(panels), 4 * units
    running = last - first
    width = units + APART
    buffer = (running + at_once - 1) // at_once * at_once * width
    hidden = np.zeros(2 * buffer, panels.dtype)  # h before this step, and after it
    cells = np.zeros(running * units, np.float32)
    z = np.zeros(at_once * FOUR, np.float32)
    for b in range(first, last):
        for t in range(lengths[b], T):
            for u in range(0, units, LANES):
                store(outputs, (b * T + t) * line + column + u, splat(ZERO))
    for s in range(lengths[last - 1]):
        while lengths[last - running] <= s:  # row r of the buffers is row last - 1 - r: the longest first
            running -= 1
        now, after = s % 2 * buffer, (1 - s % 2) * buffer
        for u in range(0, units, LANES):
            for r0 in range(0, running, at_once):
                here = min(at_once, running - r0)
                for r in range(here):
                    b = last - 1 - r0 - r
                    at = which[b * T + (lengths[b] - 1 - s if reverse else s)] * G + 4 * u
                    for gate in range(0, FOUR, LANES):
                        prefetch(gates, at + gate)
                for half in range(2):
                    panel = (u // LANES * 2 + half) * PANEL * units
                    product(here, hidden, now + r0 * width, width, panels, panel, units, z, half * PANEL, FOUR, False)
                for r in range(here):
                    b = last - 1 - r0 - r
                    place = b * T + (lengths[b] - 1 - s if reverse else s)
                    at = which[place] * G + 4 * u
                    i = load(z, r * FOUR) + load(bias, 4 * u) + load(gates, at)
                    f = load(z, r * FOUR + LANES) + load(bias, 4 * u + LANES) + load(gates, at + LANES)
                    g = load(z, r * FOUR + 2 * LANES) + load(bias, 4 * u + 2 * LANES) + load(gates, at + 2 * LANES)
                    o = load(z, r * FOUR + 3 * LANES) + load(bias, 4 * u + 3 * LANES) + load(gates, at + 3 * LANES)
                    state = (r0 + r) * units + u
                    cell = sigmoid(f) * load(cells, state) + sigmoid(i) * tanh(g)
                    new = sigmoid(o) * tanh(cell)
                    store(cells, state, cell)
                    store(outputs, place * line + column + u, new)
                    store(hidden, after + (r0 + r) * width + u, new)
    tiles_off()
