"""The embedded Reber grammar: the letter before last is the second one, forty letters back and more."""

from race import race

from chekhov.batches.memory_tasks import embedded_reber

if __name__ == "__main__":
    race(embedded_reber(40), lr=3e-3)
