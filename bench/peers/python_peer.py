# Python's pools as yardsticks: the questions of pp-bench asked of concurrent.futures and of dask.
"""python_peer.py futures|dask TEST [places=2x1/fabric;...] [workers=N] [quick=1]

Prints a JSON object a line, as bench/suite/sample.hpp says. The jobs are the same as pp's, written in Python.
"""
import json
import math
import os
import sys
import time

GRAINS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]
LIMITS = [100000, 100100, 100200, 100300, 100400, 100500, 100600, 100700]
SUMS = [454396537, 454996777, 455898156, 456700218, 457603451, 458407033, 459412387, 460217613]


def same(n):
    return n


def burn(steps):
    state = steps | 1
    for _ in range(steps):
        state = (state ^ (state >> 29)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return state


def sum_primes(limit):
    total = 0
    for n in range(2, limit):
        divisor = 2
        while divisor * divisor <= n and n % divisor:
            divisor += 1
        if divisor * divisor > n:
            total += n
    return total


def skewed_bag(count):
    low, high, alpha = 10, 10000, 1.08
    state = 12345
    bag = []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        u = (state >> 11) / 9007199254740992.0
        bag.append(low * (1 - u * (1 - (low / high) ** alpha)) ** (-1 / alpha))
    return bag


def steps_per_microsecond():
    best = 0
    for _ in range(50):
        start = time.monotonic()
        burn(2000)
        best = max(best, 2000 / (time.monotonic() - start) / 1e6)
    return best


def emit(row, unit, value, **more):
    print(json.dumps({"row": row, "unit": unit, "value": value, **more}), flush=True)


class Futures:
    def __init__(self, workers):
        from concurrent.futures import ProcessPoolExecutor
        self.pool = ProcessPoolExecutor(workers)
        list(self.pool.map(same, range(4 * workers)))  # starts the processes

    def run(self, job, arguments):
        return [future.result() for future in [self.pool.submit(job, each) for each in arguments]]

    def close(self):
        self.pool.shutdown()


class Dask:
    def __init__(self, workers):
        import logging
        import tempfile
        import dask
        from distributed import Client, LocalCluster
        self.folder = tempfile.TemporaryDirectory()
        dask.config.set({"distributed.worker.memory.terminate": False})
        self.cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
                                    local_directory=self.folder.name, silence_logs=logging.CRITICAL)
        self.client = Client(self.cluster)
        self.client.wait_for_workers(workers)

    def run(self, job, arguments):
        return self.client.gather([self.client.submit(job, each, pure=False) for each in arguments])

    def close(self):
        self.client.close()
        self.cluster.close()
        self.folder.cleanup()


def percent_of_ideal(pool, workers, job, arguments):
    start = time.monotonic()
    for each in arguments:
        job(each)
    alone = time.monotonic() - start
    start = time.monotonic()
    results = pool.run(job, arguments)
    together = time.monotonic() - start
    if job is sum_primes and results != SUMS:
        sys.exit("a sum of primes is wrong")
    return 100 * alone / together / workers


def metg(curve, percent):
    """The smallest grain from which on the efficiency stays there (bench/suite/metg.hpp)."""
    if curve[-1][1] < percent:
        return None
    first = len(curve) - 1
    while first > 0 and curve[first - 1][1] >= percent:
        first -= 1
    if first == 0:
        return curve[0][0]
    (smaller, below), (grain, above) = curve[first - 1], curve[first]
    return smaller * (grain / smaller) ** ((percent - below) / (above - below))


def skew(pool, workers, places, quick):
    steps = steps_per_microsecond()
    bag = [int(length * steps) for length in skewed_bag(300 if quick else 10000)]
    percent = percent_of_ideal(pool, workers, burn, bag)
    for place in places:
        emit(place, "% of ideal", percent)


def primes(pool, workers, places, quick):
    percent = percent_of_ideal(pool, workers, sum_primes, LIMITS)
    for place in places:
        emit(place, "% of ideal", percent)


def grain(pool, workers, places, quick):
    steps = steps_per_microsecond()
    curve = []
    for length in [100, 1000] if quick else GRAINS:
        count = max(8, round((20000 if quick else 200000) / length / workers)) * workers
        curve.append((length, percent_of_ideal(pool, workers, burn, [int(length * steps)] * count)))
    for place in places:
        for length, percent in curve:
            emit(f"{length} us, {place}", "% of ideal", percent, x=length, line=place)
        for percent in (50, 95):
            smallest = metg(curve, percent)
            if smallest is not None and math.isfinite(smallest):
                emit(f"METG {percent} %, {place}", "us", smallest)


def start(pool, workers, places, quick):
    pool.run(same, [1])
    took = (time.monotonic_ns() - int(os.environ["PP_BENCH_STARTED"])) / 1e6
    for place in places:
        emit(place, "ms", took)


def submit(pool, workers, places, quick):
    rounds, count = 0, 200 if quick else 1000
    begin = time.monotonic()
    while time.monotonic() - begin < (0.02 if quick else 1):
        pool.run(same, range(count))
        rounds += 1
    rate = rounds * count / (time.monotonic() - begin) / 1e6
    emit("1 worker" if workers == 1 else f"{workers} workers", "M/s", rate)


TESTS = {"skew": skew, "primes": primes, "grain": grain, "start": start, "submit": submit}
POOLS = {"futures": Futures, "dask": Dask}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in POOLS or sys.argv[2] not in TESTS:
        sys.exit(__doc__)
    told = dict(word.split("=", 1) for word in sys.argv[3:])
    words = [word for word in told.get("places", "").split(";") if word]
    workers = int(words[0].split("x")[0]) if words else int(told.get("workers", "1"))
    places = []
    for word in words:
        shape, _, lane = word.partition("/")
        places.append(shape.replace("x", " x ") + (f", {lane}" if lane else ""))
    pool = POOLS[sys.argv[1]](workers)
    TESTS[sys.argv[2]](pool, workers, places, told.get("quick") == "1")
    pool.close()


if __name__ == "__main__":
    main()
