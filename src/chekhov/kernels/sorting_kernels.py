"""Sorting: columns of integers with what goes with them, and plain numbers."""

from __future__ import annotations

from chekhov.kernels.jit import inlined, lean

SMALL = 16  # runs that are sorted by insertion
MANY = 1 << 10  # numbers that are sorted by digits
DIGIT = 9  # bits
STACK = 1 << DIGIT  # numbers of scratch that sorting asks for


@inlined
def median(keys, low, high):
    """The middle one of the first, the middle and the last of keys[low:high]."""
    a, b, c = keys[low], keys[(low + high) >> 1], keys[high - 1]
    return max(min(a, b), min(max(a, b), c))


@inlined
def part(keys, payload, low, high, pivot, equal):
    """Bring what is less than the pivot (1: or equal to it) before all else of keys[low:high]; where that begins.

    Without a branch: one that is guessed wrongly half the time costs more than the moves.
    """
    place = low
    for i in range(low, high):
        key, load = keys[i], payload[i]
        keys[i], payload[i] = keys[place], payload[place]
        keys[place], payload[place] = key, load
        place += (key < pivot) | (equal & (key == pivot))
    return place


@lean
def sort_together(keys, payload, start, end, stack):
    """Sort keys[start:end] and move ``payload`` with them: quicksort, and insertion for short runs."""
    top = 0
    stack[0], stack[1] = start, end
    while top >= 0:
        low, high = stack[top], stack[top + 1]
        top -= 2
        while high - low > SMALL:
            pivot = median(keys, low, high)
            middle = part(keys, payload, low, high, pivot, 0)
            if middle == low:  # none is less: those that are equal are in their place
                low = part(keys, payload, low, high, pivot, 1)
                continue
            top += 2
            if middle - low < high - middle:  # the longer part waits: the stack stays short
                stack[top], stack[top + 1] = middle, high
                high = middle
            else:
                stack[top], stack[top + 1] = low, middle
                low = middle
        for i in range(low + 1, high):
            key, load = keys[i], payload[i]
            j = i - 1
            while j >= low and keys[j] > key:
                keys[j + 1], payload[j + 1] = keys[j], payload[j]
                j -= 1
            keys[j + 1], payload[j + 1] = key, load


@lean
def sort_bucket(keys, order, spare, m, stack):
    """Sort the columns keys[:, :m] by their first row, then by the next, and so on."""
    for j in range(m):
        order[j] = j
    sort_together(keys[0], order, 0, m, stack)
    for chunk in range(1, len(keys)):
        for j in range(m):
            spare[j] = keys[chunk, order[j]]
        start = 0
        while start < m:
            end = start + 1
            while end < m and same_so_far(keys, start, end, chunk):
                end += 1
            if end - start > 1:
                sort_together(spare, order, start, end, stack)
            start = end
        for j in range(m):
            keys[chunk, j] = spare[j]


@inlined
def same_so_far(keys, a, b, chunks):
    """Are the first ``chunks`` rows of two columns equal?"""
    for chunk in range(chunks):
        if keys[chunk, a] != keys[chunk, b]:
            return False
    return True


@lean
def sort_numbers(values, spare, n, bits, stack):
    """Sort values[:n] by their bits from 32 on, ``bits`` of them: insertion, quicksort or, for many, by digits.

    stack: scratch (STACK,).
    """
    if n <= MANY:
        sort_run(values, 0, n, stack)
        return
    counts, source, target = stack, values, spare
    for shift in range(32, 32 + bits, DIGIT):
        counts[:] = 0
        for i in range(n):
            counts[(source[i] >> shift) & ((1 << DIGIT) - 1)] += 1
        total = 0
        for digit in range(1 << DIGIT):
            counts[digit], total = total, total + counts[digit]
        for i in range(n):
            digit = (source[i] >> shift) & ((1 << DIGIT) - 1)
            target[counts[digit]] = source[i]
            counts[digit] += 1
        source, target = target, source
    if ((bits + DIGIT - 1) // DIGIT) % 2 == 1:
        for i in range(n):
            values[i] = spare[i]


@lean
def sort_run(values, start, end, stack):
    """Sort values[start:end]: quicksort, and insertion for short runs."""
    top = 0
    stack[0], stack[1] = start, end
    while top >= 0:
        low, high = stack[top], stack[top + 1]
        top -= 2
        while high - low > SMALL:
            pivot = median(values, low, high)
            left, right = low, high - 1
            while left <= right:
                while values[left] < pivot:
                    left += 1
                while pivot < values[right]:
                    right -= 1
                if left <= right:
                    values[left], values[right] = values[right], values[left]
                    left += 1
                    right -= 1
            top += 2
            if right + 1 - low < high - left:  # the longer part waits: the stack stays short
                stack[top], stack[top + 1] = left, high
                high = right + 1
            else:
                stack[top], stack[top + 1] = low, right + 1
                low = left
        for i in range(low + 1, high):
            value = values[i]
            j = i - 1
            while j >= low and values[j] > value:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = value
