"""The adding problem: two numbers of a hundred are marked, what is their sum? A gate keeps them, tanh does not."""

from race import race

from chekhov.batches.memory_tasks import adding

if __name__ == "__main__":
    race(adding(100), max_steps=2000)
