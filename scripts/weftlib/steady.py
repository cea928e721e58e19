"""Whether the rounds of a cell say one thing: a median that is known well enough.

Everything rests on order statistics, as in stats.py.
"""

from math import ceil, log

from .stats import median, median_ci

#: Half the interval of the median of a steady cell, as a share of it; of one that needs
#: no more rounds; and how sure both are. docs/adr/0018 says how far what is as steady as
#: that agrees from run to run.
STEADY, KNOWN, STEADY_LEVEL = 0.10, 0.07, 0.90
#: The fewest samples that are called steady or not; that are told apart into two modes;
#: and the fewest of a mode, as a number and as a share.
FEW_STEADY, FEW_MODES, FEW_OF_MODE, SHARE_OF_MODE = 5, 8, 3, 0.15
#: Two modes are apart by this factor at least, and the gap between them is so many times
#: as wide as the others are on average.
APART, GAP = 1.1, 9.0


def is_steady(values, within=STEADY):
    """Whether their median is known so well, or None for too few to tell.

    It is when the sign test's interval, at least 90 % sure (of five values: from the
    smallest to the largest), reaches no further on average to either side, and the
    values are not two modes.
    """
    if len(values) < FEW_STEADY:
        return None
    return known_to(values) <= within and not modes(values)


def known_to(values):
    """Half the interval of their median, as a share of it; of five values or more."""
    low, high, _ = median_ci(values, STEADY_LEVEL)
    return (high - low) / 2 / median(values)


def further(values, within):
    """How many more of them it will take, at a guess, until their median is known so
    well: an interval shrinks with the root of their number. At least one."""
    n = len(values)
    if n < FEW_STEADY:
        return FEW_STEADY - n
    return max(1, ceil(n * (known_to(values) / within) ** 2) - n)


def modes(values):
    """The two modes that the values have, smaller first, or None.

    A gap between neighbours on a logarithmic scale parts them, if it is far wider than
    the others are on average, and a factor of its own. As the widest of the others
    count with it, neither a few outliers nor a long tail are a mode. How often samples
    of one mode are taken for two is simulated in the tests.
    """
    ordered = sorted(values)
    n = len(ordered)
    fewest = max(FEW_OF_MODE, ceil(SHARE_OF_MODE * n))
    if n < FEW_MODES or ordered[0] <= 0:
        return None
    logs = [log(value) for value in ordered]
    gap, place = max((logs[k] - logs[k - 1], k) for k in range(fewest, n - fewest + 1))
    others = (logs[-1] - logs[0] - gap) / (n - 2)
    if gap < log(APART) or gap < GAP * others:
        return None
    return [{"median": median(part), "share": len(part) / n, "n": len(part),
             "most": part[-1]}
            for part in (ordered[:place], ordered[place:])]
