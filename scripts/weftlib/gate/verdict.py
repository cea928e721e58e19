"""One cell: what its rounds say. Pure arithmetic over order statistics.

A round gives a pair, head and base one beside the other, of which the logarithm of
the ratio is taken; and the same of control and base, where nothing differs but the
order in which the same objects were linked.
"""

from dataclasses import dataclass
from math import expm1, inf, log, log1p

from ..stats import median, median_ci

REGRESSED, IMPROVED = "REGRESSED", "IMPROVED"
EQUIVALENT, INCONCLUSIVE = "EQUIVALENT", "INCONCLUSIVE"
VERDICTS = (REGRESSED, IMPROVED, EQUIVALENT, INCONCLUSIVE)
FLAGS = (REGRESSED, IMPROVED)

#: Of what is called equivalent.
CONFIDENCE = 0.95
#: Of the control's own part of the threshold. No more: how unsure a median is of so
#: many rounds is in the interval of the head already.
CONTROL = 0.8


@dataclass(frozen=True)
class Limits:
    """What counts as a change."""

    effect: float = 0.05  #: the least share that is one
    floor_ns: float = 1.0  #: the least time per message that is one
    most: float = 0.25  #: a cell whose threshold is above this is not gated


@dataclass
class Finding:
    """What the rounds of one cell say; ratios are logarithms, shares are not."""

    cell: str
    verdict: str
    why: str
    rounds: int
    base_ns: float
    head_ns: float
    effect: float
    low: float
    high: float
    level: float  #: how sure it is that low and high, which led to the verdict, enclose it
    threshold: float
    agree: int  #: pairs with the sign of the median
    control: float
    control_low: float
    control_high: float
    control_flags: bool
    control_reach: float  #: nine of ten pairs of the control differ by less

    def agreement(self):
        return "%d of %d pairs agree in sign" % (self.agree, self.rounds)


def interval(values, confidence):
    """(low, high, level) of the median; of too few values, everything."""
    return median_ci(values, confidence) or (-inf, inf, 0.0)


def judge(cell, samples, confidence, limits=Limits(), stored=0.0):
    """The finding of a cell with `samples`, (base, head, control) ns per message of
    each round. `stored` is what identical code was seen to differ by here before."""
    base = median([b for b, _, _ in samples])
    effects = [log(h / b) for b, h, _ in samples]
    controls = [log(c / b) for b, _, c in samples]
    least = max(limits.effect, stored, limits.floor_ns / base)
    threshold = max(least, spread(controls))
    low, high, level = interval(effects, confidence)
    control_low, control_high, _ = interval(controls, CONTROL)
    found = Finding(
        cell, INCONCLUSIVE, "", len(samples), base, median([h for _, h, _ in samples]),
        median(effects), low, high, level, threshold, agreeing(effects),
        median(controls), control_low, control_high,
        is_beyond(*interval(controls, confidence)[:2], least), reach(controls))
    found.verdict, found.why = decide(found, effects, limits)
    if found.verdict == EQUIVALENT:
        found.low, found.high, found.level = interval(effects, CONFIDENCE)
    return found


def spread(controls):
    """How far from no difference the control may be: its share, at 80 %."""
    low, high, _ = interval(controls, CONTROL)
    return expm1(max(abs(low), abs(high)))


def reach(controls):
    ordered = sorted(abs(value) for value in controls)
    return ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]


def agreeing(effects):
    above = sum(value > 0 for value in effects)
    below = sum(value < 0 for value in effects)
    return above if median(effects) > 0 else below if median(effects) < 0 else \
        len(effects) - above - below


def is_beyond(low, high, threshold):
    """Whether all of an interval differs by more than the threshold, to one side."""
    return low > log1p(threshold) or high < -log1p(threshold)


def decide(found, effects, limits):
    """(verdict, why). An interval that only touches the threshold has not passed it."""
    if found.threshold > limits.most:
        return INCONCLUSIVE, "not gated: the same code differs by up to %s here" % (
            "anything" if found.threshold == inf else "%.0f %%" % (100 * found.threshold))
    if is_beyond(found.low, found.high, found.threshold):
        return (REGRESSED if found.low > 0 else IMPROVED), ""
    low, high, _ = interval(effects, CONFIDENCE)
    if low >= -log1p(found.threshold) and high <= log1p(found.threshold):
        return EQUIVALENT, ""
    return INCONCLUSIVE, "the interval and the threshold overlap"
