"""What cruder rules say of the same recorded rounds. Each is a function of the rounds
of one cell, in the order they ran, and says whether it would flag a slowdown."""

from math import erfc, log, sqrt

from ..stats import median, median_ci

ROUNDS = 11
RATIO = 1.10
LEAST = 1.05
SURE = 0.05


def one_run(rows):
    """One run of each, and a ratio of 1.10: what most scripts in CI do."""
    return rows[0][2] / rows[0][1] > RATIO


def minimum(rows):
    """The fastest of 11 runs of each, and 5 %."""
    rows = rows[:ROUNDS]
    return min(row[2] for row in rows) / min(row[1] for row in rows) > LEAST


def blocks(rows):
    """Base first and head then, 11 runs each, and the test of Mann and Whitney at 5 %,
    to one side: Google Benchmark's compare.py does that with two sides."""
    base, head = [row[1] for row in rows[:ROUNDS]], [row[2] for row in rows[ROUNDS:2 * ROUNDS]]
    return mann_whitney(base, head) < SURE


def fixed_order(rows):
    """Our own rule without balance: of the rounds in which the base ran first alone."""
    pairs = [log(row[2] / row[1]) for row in rows
             if row[0].index("b") < row[0].index("h")][:ROUNDS]
    found = median_ci(pairs, 0.95)
    return bool(found) and found[0] > log(LEAST)


def mean_ratio(rows):
    """The means of 11 runs of each, and 5 %."""
    rows = rows[:ROUNDS]
    return sum(row[2] for row in rows) / sum(row[1] for row in rows) > LEAST


def median_ratio(rows):
    """The median of the pairs' ratios, and 5 %, without an interval or a control."""
    return median([row[2] / row[1] for row in rows[:ROUNDS]]) > LEAST


#: And how many rounds it takes.
RIVALS = ((one_run, ROUNDS), (minimum, ROUNDS), (mean_ratio, ROUNDS), (median_ratio, ROUNDS),
          (blocks, 2 * ROUNDS), (fixed_order, 2 * ROUNDS))


def mann_whitney(low, high):
    """The chance of `high` lying so far above `low` if both were alike; normal
    approximation, ties count half."""
    above = sum((h > l) + 0.5 * (h == l) for h in high for l in low)
    n, m = len(low), len(high)
    middle, spread = n * m / 2, sqrt(n * m * (n + m + 1) / 12)
    return erfc((above - middle) / spread / sqrt(2)) / 2
