"""The chapter's recurrent network in NumPy: forward, backpropagation through time by hand, training, text.

    h_t = tanh(W_xh x_t + W_hh h_{t-1})        x_t: one-hot vector of the character read
    o_t = softmax(W_ho h_t)                    the probabilities of the next one

    python examples/01_numpy_rnn.py                    learns one sentence by heart: two seconds
    python examples/01_numpy_rnn.py stories.txt        the first 100,000 characters of yours: a minute

tests/examples/test_numpy_rnn.py holds the gradients to finite differences and to PyTorch's autograd.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

TEXT = "в первом акте висит ружьё, в последнем акте ружьё стреляет. " * 50
Weights = dict[str, np.ndarray]


def initial_weights(V: int, H: int, rng: np.random.Generator) -> Weights:
    """V characters, H units. Small numbers, so that tanh starts where it is almost a straight line."""
    shapes = {"W_xh": (H, V), "W_hh": (H, H), "W_ho": (V, H)}
    return {name: rng.normal(0, 0.5 / np.sqrt(shape[1]), shape) for name, shape in shapes.items()}


def forward(w: Weights, inputs: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """inputs (T,), the state before them (H,) -> states (T + 1, H) from that one on, probabilities (T, V)."""
    states, probabilities = [h], []
    for x in inputs:
        h = np.tanh(w["W_xh"][:, x] + w["W_hh"] @ h)  # W_xh times a one-hot vector is a column of W_xh
        logits = w["W_ho"] @ h
        e = np.exp(logits - logits.max())  # the largest taken away: the same quotient, and no overflow
        states.append(h)
        probabilities.append(e / e.sum())
    return np.array(states), np.array(probabilities)


def loss(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Cross-entropy summed over time: L = sum_t -log o_t[target_t], in nats."""
    return float(-np.log(probabilities[np.arange(len(targets)), targets]).sum())


def backward(w: Weights, inputs: np.ndarray, targets: np.ndarray, states: np.ndarray, o: np.ndarray) -> Weights:
    """dL/dW by backpropagation through time: W is used T times, so T gradients are added up.

    From the last step to the first, `dh` is what the loss of this step and of all later ones says about h_t.
    """
    d = {name: np.zeros_like(weight) for name, weight in w.items()}
    from_later = np.zeros_like(states[0])
    for t in reversed(range(len(inputs))):
        h, h_before = states[t + 1], states[t]
        d_logits = o[t].copy()
        d_logits[targets[t]] -= 1  # softmax and cross-entropy together: o - target
        dh = w["W_ho"].T @ d_logits + from_later
        d_sum = (1 - h**2) * dh  # through tanh: tanh' = 1 - tanh^2
        d["W_ho"] += np.outer(d_logits, h)
        d["W_xh"][:, inputs[t]] += d_sum
        d["W_hh"] += np.outer(d_sum, h_before)
        from_later = w["W_hh"].T @ d_sum  # the product of T such factors is what vanishes or explodes
    return d


def train(w: Weights, ids: np.ndarray, *, T: int = 25, epochs: int = 10, rate: float = 0.1, clip: float = 5.0) -> float:
    """Truncated BPTT: windows of T characters, the state carried on, the gradient not. Adagrad, as min-char-rnn.

    Changes ``w``. Returns the loss of the last epoch in nats per character.
    """
    memory = {name: np.full_like(weight, 1e-8) for name, weight in w.items()}
    for epoch in range(epochs):
        h, total, count = np.zeros(len(w["W_hh"])), 0.0, 0
        for start in range(0, len(ids) - 1, T):
            inputs, targets = ids[start : start + T], ids[start + 1 : start + T + 1]
            inputs = inputs[: len(targets)]
            states, o = forward(w, inputs, h)
            total, count, h = total + loss(o, targets), count + len(targets), states[-1]
            d = backward(w, inputs, targets, states, o)
            norm = np.sqrt(sum((gradient**2).sum() for gradient in d.values()))
            for name, gradient in d.items():
                gradient *= min(1.0, clip / norm)  # clipping by norm: a shorter step in the same direction
                memory[name] += gradient**2
                w[name] -= rate * gradient / np.sqrt(memory[name])
        print(f"epoch {epoch + 1}: {total / count:.3f} nats per character")
    return total / count


def generate(w: Weights, first: int, length: int, rng: np.random.Generator) -> list[int]:
    """Draw a character, read it, draw the next."""
    h, ids = np.zeros(len(w["W_hh"])), [first]
    for _ in range(length):
        states, o = forward(w, np.array(ids[-1:]), h)
        h = states[-1]
        ids.append(int(rng.choice(len(o[0]), p=o[0])))
    return ids


def main() -> None:
    text = Path(sys.argv[1]).read_text(encoding="utf-8")[:100_000] if len(sys.argv) > 1 else TEXT
    characters = sorted(set(text))
    ids = np.array([characters.index(character) for character in text])
    rng = np.random.default_rng(0)
    w = initial_weights(len(characters), 100, rng)
    train(w, ids)
    print("".join(characters[i] for i in generate(w, int(ids[0]), 200, rng)))


if __name__ == "__main__":
    main()
