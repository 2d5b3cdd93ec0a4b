"""The best path and the marginals of a linear-chain CRF."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel


@kernel
def viterbi(scores, lengths, transitions, start, end, out):
    """Fill ``out`` (B, T) with the best path of each row; -1 after its end. scores (B, T, K), transitions (K, K)."""
    B, T, K = scores.shape
    back = np.empty((T, K), np.int32)
    now, after = np.empty(K, np.float64), np.empty(K, np.float64)
    for b in range(B):
        length = min(lengths[b], T)
        out[b, length:] = -1
        if length == 0:
            continue
        for k in range(K):
            now[k] = start[k] + scores[b, 0, k]
        for t in range(1, length):
            for k in range(K):
                best, place = now[0] + transitions[0, k], 0
                for j in range(1, K):
                    value = now[j] + transitions[j, k]
                    if value > best:
                        best, place = value, j
                after[k] = best + scores[b, t, k]
                back[t, k] = place
            now[:] = after
        best = 0
        for k in range(1, K):
            if now[k] + end[k] > now[best] + end[best]:
                best = k
        for t in range(length - 1, -1, -1):
            out[b, t] = best
            best = back[t, best] if t > 0 else 0


@kernel
def forward_backward(scores, transitions, start, end, alpha, beta):
    """Logarithms of the sums over all paths that reach (t, k), alpha, and that leave it, beta; returns log Z.

    One row: scores (T, K). alpha has the score of (t, k) in it, beta has not (Rabiner 1989, equations 19 to 25).
    """
    T, K = scores.shape
    for k in range(K):
        alpha[0, k] = start[k] + scores[0, k]
        beta[T - 1, k] = end[k]
    for t in range(1, T):
        for k in range(K):
            most = -np.inf
            for j in range(K):
                most = max(most, alpha[t - 1, j] + transitions[j, k])
            total = 0.0
            for j in range(K):
                total += np.exp(alpha[t - 1, j] + transitions[j, k] - most)
            alpha[t, k] = most + np.log(total) + scores[t, k]
    for t in range(T - 2, -1, -1):
        for k in range(K):
            most = -np.inf
            for j in range(K):
                most = max(most, transitions[k, j] + scores[t + 1, j] + beta[t + 1, j])
            total = 0.0
            for j in range(K):
                total += np.exp(transitions[k, j] + scores[t + 1, j] + beta[t + 1, j] - most)
            beta[t, k] = most + np.log(total)
    most = -np.inf
    for k in range(K):
        most = max(most, alpha[T - 1, k] + end[k])
    total = 0.0
    for k in range(K):
        total += np.exp(alpha[T - 1, k] + end[k] - most)
    return most + np.log(total)
