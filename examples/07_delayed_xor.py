"""Delayed XOR: two marked bits, do they differ? One of them tells nothing, so there is no slope to begin with."""

from race import race

from chekhov.batches.memory_tasks import delayed_xor

if __name__ == "__main__":
    race(delayed_xor(20), max_steps=2500)
