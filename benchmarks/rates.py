"""What this machine reaches on its own: matrix products and memory.

    python3 benchmarks/rates.py [--quick]

Prints one JSON object. FLOP/s of a product of two 2048 x 2048 matrices by
NumPy's BLAS on all cores, in float64 and float32, and bytes a second of a
triad, a = b + s·c, over arrays that no cache holds (as McCalpin's STREAM,
https://www.cs.virginia.edu/stream/ref.html). The best of several tries: a
rate is what the machine can do, so what disturbed it does not count.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import processes

SIDE = 2048
# Doubles in an array of the triad: 64 MiB, and a piece that a cache holds.
LENGTH, PIECE, SCALE = 1 << 23, 1 << 14, 3.0


def best(work, seconds):
    """The shortest of the calls that fit into so many seconds, three or
    more."""
    work()
    shortest, calls, began = float("inf"), 0, time.perf_counter()
    while calls < 3 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
        calls += 1
    return shortest


def product(kind, seconds):
    """FLOP/s of a large matrix product."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIDE, SIDE)).astype(kind) for _ in range(2))
    result = np.empty_like(a)
    return 2 * SIDE ** 3 / best(lambda: np.matmul(a, b, out=result), seconds)


def triad(seconds):
    """Bytes a second, two read and one written for each element."""
    count = processes.cores()
    a, b, c = np.zeros(LENGTH), np.ones(LENGTH), np.ones(LENGTH)
    edges = np.linspace(0, LENGTH, count + 1).astype(int)

    def part(first, end):
        for at in range(first, end, PIECE):
            to = min(at + PIECE, end)
            np.multiply(c[at:to], SCALE, out=a[at:to])
            # What was just written comes from the cache.
            np.add(a[at:to], b[at:to], out=a[at:to])

    with ThreadPoolExecutor(count) as pool:
        shortest = best(
            lambda: list(pool.map(part, edges[:-1], edges[1:])), seconds)
    return 3 * 8 * LENGTH / shortest


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    seconds = 0.5 if parser.parse_args().quick else 2
    print(json.dumps({
        "f64": product(np.float64, seconds),
        "f32": product(np.float32, seconds),
        "bytes": triad(seconds)}))


if __name__ == "__main__":
    main()
