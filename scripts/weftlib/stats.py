"""Small, deterministic statistics for repeated timings.

Timings of contended threads are skewed and come in clusters, so everything
here rests on order statistics: no mean, no normal distribution, no random
resampling, and the same samples always give the same numbers.
"""

from functools import lru_cache
from math import comb, exp, fsum, lgamma, log, log1p


def median(values):
    """The middle value, or the mean of the two middle ones."""
    return quantile(values, 0.5)


def quantile(values, q):
    """The q-quantile with linear interpolation between order statistics."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    part = place - below
    return ordered[below] * (1 - part) + ordered[above] * part


def sign_test_rank(n, confidence=0.95):
    """The rank k whose k-th smallest and k-th largest of n enclose the median.

    The interval holds the true median with at least the given confidence
    whatever the distribution: each sample lies above it with probability one
    half, so the count that does is binomial. Returns (k, exact confidence),
    or None when n is too small (below 6 for 95 %).
    """
    tail = 0.0
    best = None
    for k in range(1, n // 2 + 1):
        tail += comb(n, k - 1) / 2.0**n
        level = 1 - 2 * tail
        if level < confidence:
            break
        best = (k, level)
    return best


def median_ci(values, confidence=0.95):
    """(low, high, exact confidence) of the median, or None for few samples."""
    found = sign_test_rank(len(values), confidence)
    if found is None:
        return None
    k, level = found
    ordered = sorted(values)
    return ordered[k - 1], ordered[-k], level


def interval(values):
    """Of the median; of few values all there is, and what that is worth."""
    found = median_ci(values)
    if found:
        return found
    if not values:
        return float("inf"), 0.0, 0.0
    return min(values), max(values), 1 - 2.0 ** (1 - len(values))


def binomial_interval(hits, n, confidence=0.95):
    """(low, high) of a chance that came true `hits` times of n: Clopper and Pearson's
    exact interval, which holds it with at least the given confidence."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else bisect_chance(
        lambda p: 1 - binomial_below(hits, n, p) < tail)
    high = 1.0 if hits == n else bisect_chance(
        lambda p: binomial_below(hits + 1, n, p) > tail)
    return low, high


def binomial_below(hits, n, p):
    """The chance of fewer than so many hits of n, 0 < p < 1."""
    # By logarithms: of thousands the coefficients are too large for a float.
    return fsum(exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) +
                    k * log(p) + (n - k) * log1p(-p)) for k in range(hits))


def bisect_chance(too_low):
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return (low + high) / 2


def ratio_ci(before, now, confidence=0.95):
    """(median, low, high, exact confidence) of how many times as large the values of
    `now` are, from all their ratios to those of `before`; None for too few values.

    The interval is that of the rank-sum test: if the values of both were drawn alike,
    but for a factor, it holds the factor with at least that confidence, whatever they
    were drawn from.
    """
    ratios = sorted(new / old for new in now for old in before)
    counts = rank_sum_counts(len(before), len(now))
    tail = 0.0
    best = None
    for k, count in enumerate(counts[:len(ratios) // 2], 1):
        tail += count / sum(counts)
        if 1 - 2 * tail < confidence:
            break
        best = (ratios[k - 1], ratios[-k], 1 - 2 * tail)
    return best and (median(ratios), *best)


@lru_cache(maxsize=None)
def rank_sum_counts(n, m):
    """In how many orders of n and m values so many of the n * m pairs are inverted."""
    # The coefficients of the product of (1 - x^(m+i)) / (1 - x^i), i from 1 to n.
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for at in range(n * m, m + i - 1, -1):
            counts[at] -= counts[at - m - i]
        for at in range(i, n * m + 1):
            counts[at] += counts[at - i]
    return tuple(counts)


def describe(values):
    """Everything the summary says about one quantity of one cell.

    `spread` is half the interquartile range as a share of the median: 0.03
    reads as "the middle half of the rounds lay within about 3 %".
    """
    if not values:
        return None
    middle = median(values)
    q1, q3 = quantile(values, 0.25), quantile(values, 0.75)
    ci = median_ci(values)
    return {
        "n": len(values),
        "median": middle,
        "min": min(values),
        "max": max(values),
        "q1": q1,
        "q3": q3,
        "spread": (q3 - q1) / 2 / middle if middle else 0.0,
        "ci_low": ci[0] if ci else None,
        "ci_high": ci[1] if ci else None,
        "ci_level": ci[2] if ci else None,
    }


def inverse(found, scale):
    """The description of `scale` / value, from that of the values.

    With an even number of values the median lies between two of them, and the
    inverse of that is not what lies between their inverses. One of the two has
    to follow from the other, or they contradict each other.
    """
    if not found:
        return None
    swapped = {"median": "median", "min": "max", "max": "min", "q1": "q3", "q3": "q1",
               "ci_low": "ci_high", "ci_high": "ci_low"}
    result = dict(found)
    for key, source in swapped.items():
        result[key] = None if found[source] is None else scale / found[source]
    result["spread"] = (result["q3"] - result["q1"]) / 2 / result["median"]
    return result


def three_digits(value):
    """A number with three significant digits and no exponent: 0.0812, 12.3."""
    if value is None:
        return "-"
    size = abs(value)
    for limit, places in ((99.95, 0), (9.995, 1), (0.9995, 2), (0.09995, 3)):
        if size >= limit:
            return "%.*f" % (places, value)
    return "%.4f" % value if size >= 0.00005 else "0"


def duration(seconds):
    """Seconds as people say them: 8 s, 2 min 05 s, 1 h 12 min."""
    seconds = int(round(seconds))
    if seconds < 60:
        return "%d s" % seconds
    if seconds < 3600:
        return "%d min %02d s" % divmod(seconds, 60)
    return "%d h %02d min" % divmod(seconds // 60, 60)
