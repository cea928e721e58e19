"""What cells of one run must be to each other, and whether they are.

Only cells of the same run are compared: its rounds are interleaved, so that
whatever else the machine does falls on both sides of a ratio.
"""

from . import Problem
from .stats import three_digits

#: Pattern and knobs of the cells, all over `ring`. A hop is a pair of tasks.
HOP = ("producer_consumer", {"producers": 1, "consumers": 1, "cap": 256})
STAGES = {"stages": 4, "cap": 256, "work": 0, "batch": 1}
PIPELINE = ("pipeline", dict(STAGES, variant="parallel"))
FUSED = ("pipeline", dict(STAGES, variant="fused"))
SHARED = {"variant": "shared", "cap": 256, "batch": 32, "work": 10000}
ONE_WORKER = ("fan", dict(SHARED, workers=1))
TWO_WORKERS = ("fan", dict(SHARED, workers=2))
SERIAL = ("fan", {"variant": "serial", "work": 10000})


class Rule:
    """The rate of `above` over that of `below`, and what it has to be.

    Without limits it is only shown. `cpus`: with fewer it says nothing.
    """

    def __init__(self, what, above, below, least=None, most=None, cpus=1):
        self.what, self.above, self.below = what, above, below
        self.least, self.most, self.cpus = least, most, cpus

    def demand(self):
        if self.most is not None:
            return "at most %s" % three_digits(self.most)
        if self.least is not None:
            return "at least %s" % three_digits(self.least)
        return "-"

    def holds(self, ratio):
        return ((self.most is None or ratio <= self.most) and
                (self.least is None or ratio >= self.least))


RULES = (
    Rule("four stages cost, in hops", HOP, PIPELINE, most=8),
    Rule("a loop without channels is faster than four stages", FUSED, PIPELINE),
    Rule("two workers are faster than one", TWO_WORKERS, ONE_WORKER,
         least=1.6, cpus=2),
    Rule("two workers are faster than a loop", TWO_WORKERS, SERIAL),
)


def rate(summary, wanted):
    """The rate of the one cell over `ring` that has these knobs."""
    pattern, knobs = wanted
    found = [cell for cell in summary["cells"]
             if cell["pattern"] == pattern and cell["chan"] == "ring" and
             fits(cell, knobs)]
    name = "%s over ring, %s" % (pattern, " ".join(
        "%s=%s" % knob for knob in knobs.items()))
    if len(found) != 1:
        raise Problem("the run has %s cell of %s; the sweep patterns has one"
                      % ("more than one" if found else "no", name))
    measured = found[0]["messages_per_second"]
    if not measured:
        raise Problem("no rate of %s: %s" % (name, found[0]["verdict"]))
    return measured["median"]


def fits(cell, knobs):
    """Whether the cell has these knobs, asked for or by default."""
    has = {**(cell["params"] or {}), **cell["knobs"]}
    return all(has.get(key) == value for key, value in knobs.items())


def judge(summary):
    """(rule, ratio, verdict) of each rule: pass, FAIL, N/A, or - for none."""
    cpus = summary["context"].get("cpus_allowed") or 1
    return [judge_one(rule, summary, cpus) for rule in RULES]


def judge_one(rule, summary, cpus):
    ratio = rate(summary, rule.above) / rate(summary, rule.below)
    if rule.least is None and rule.most is None:
        verdict = "-"
    elif cpus < rule.cpus:
        verdict = "N/A"
    else:
        verdict = "pass" if rule.holds(ratio) else "FAIL"
    return rule, ratio, verdict


def lines(judged):
    """The table, a line for each rule."""
    width = max(len(rule.what) for rule, _, _ in judged)
    return ["%-*s  %6s  %-14s %s" % (width, rule.what, three_digits(ratio),
                                     rule.demand(), verdict)
            for rule, ratio, verdict in judged]
