"""Latencies as HdrHistogram prints them (.hgrm), for its plotter and whatever reads that.

The values are in microseconds, of all rounds of a cell together; each is the largest
that its bucket may hold, but never more than the largest that was seen.
"""

import re
from math import log2, sqrt

from .binary import MEASURED

SUFFIX = ".hgrm"
#: Nanoseconds for one of the unit that is written.
UNIT = 1000.0
#: Lines for each halving of the distance to 100 %.
TICKS = 5
#: Below EXACT each value has a bucket; above, each power of two has half as many
#: (HIST_SUB_BITS in patterns/kernel/hist.h).
EXACT = 256
OCTAVES = 57


def files(run, chosen=None):
    """{file name: text} of the cells with latencies, those that `chosen` finds alone."""
    found = {}
    for cell in run.cells:
        text = of_cell(run, cell) if not chosen or chosen.search(cell["name"]) else None
        if text:
            found[file_name(cell["name"], found)] = text
    return found


def file_name(cell, taken):
    """The cell's name as that of a file that no other cell has."""
    name = re.sub(r"[^A-Za-z0-9.,=+_-]+", "-", cell.replace("/", "."))
    number = 1
    while (name if number == 1 else "%s-%d" % (name, number)) + SUFFIX in taken:
        number += 1
    return (name if number == 1 else "%s-%d" % (name, number)) + SUFFIX


def of_cell(run, cell):
    """The text, or None where no latencies are known."""
    if cell["verdict"] not in MEASURED:
        return None
    slices = [record["latency_ns"] for record in run.records.get(cell["name"], [])
              if (record.get("latency_ns") or {}).get("histogram")]
    counts = {}
    for entry in slices:
        for low, count in entry["histogram"]:
            counts[low] = counts.get(low, 0) + count
    counts = {low: count for low, count in counts.items() if count}
    return table(counts, max(entry["max"] for entry in slices)) if counts else None


def table(counts, most):
    """`counts` says how many values each bucket holds, by the smallest that it may;
    `most` is the largest of them, in ns."""
    lines = ["%12s %14s %10s %14s" % ("Value", "Percentile", "TotalCount",
                                      "1/(1-Percentile)"), ""]
    lines += [line(*row) for row in rows(sorted(counts.items()), most)]
    mean, deviation = moments(counts)
    lines.append("#[Mean    = %12.3f, StdDeviation   = %12.3f]" % (
        mean / UNIT, deviation / UNIT))
    lines.append("#[Max     = %12.3f, Total count    = %12d]" % (
        most / UNIT, sum(counts.values())))
    lines.append("#[Buckets = %12d, SubBuckets     = %12d]" % (OCTAVES, EXACT))
    return "\n".join(lines) + "\n"


def line(value, percentile, count):
    text = "%12.3f %2.12f %10d" % (value / UNIT, percentile / 100, count)
    if percentile == 100:
        return text
    return text + " %14.2f" % (1 / (1 - percentile / 100))


def rows(buckets, most):
    """(value, percentile, how many are no larger): each value as often as it takes the
    percentiles to leave it, which come the closer the nearer they are to 100."""
    total = sum(count for _, count in buckets)
    percentile, seen = 0.0, 0
    for low, count in buckets:
        seen += count
        while seen < total and 100.0 * seen / total >= percentile:
            yield highest(low, most), percentile, seen
            percentile += step(percentile)
        if seen == total:
            if 100.0 >= percentile:
                yield highest(low, most), percentile, seen
            yield highest(low, most), 100.0, seen


def step(percentile):
    halvings = int(log2(100.0 / (100.0 - percentile))) + 1
    return 100.0 / (TICKS * 2**halvings)


def width(low):
    return 1 if low < EXACT else 2 ** (low.bit_length() - EXACT.bit_length() + 1)


def highest(low, most):
    return min(low + width(low) - 1, most)


def moments(counts):
    """(mean, standard deviation), from the middles of the buckets."""
    total = sum(counts.values())
    middles = [(low + width(low) // 2, count) for low, count in counts.items()]
    mean = sum(middle * count for middle, count in middles) / total
    return mean, sqrt(sum((middle - mean) ** 2 * count for middle, count in middles)
                      / total)
