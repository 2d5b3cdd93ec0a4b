"""Brackets: of which kind is the one that closes here? The state must be a stack, four deep."""

from race import race

from chekhov.batches.memory_tasks import brackets

if __name__ == "__main__":
    race(brackets(T=40, kinds=4, depth=4))
