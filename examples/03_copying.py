"""Copy memory: say five symbols again after twenty blanks. An orthogonal Elman net is no worse here than an LSTM."""

from race import race

from chekhov.batches.memory_tasks import copying

if __name__ == "__main__":
    race(copying(delay=20, symbols=5))
