"""Temporal order: X or Y early, X or Y late, in which order?"""

from race import race

from chekhov.batches.memory_tasks import temporal_order

if __name__ == "__main__":
    race(temporal_order(60))
