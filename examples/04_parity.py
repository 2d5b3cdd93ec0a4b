"""Parity: is the number of ones so far odd? One bit of state, flipped by every one."""

from race import race

from chekhov.batches.memory_tasks import parity

if __name__ == "__main__":
    race(parity(50))
