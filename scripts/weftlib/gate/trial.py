"""The rule from the first round to the verdict of a run, whatever the rounds are.

A source has `cells`, and `round(phase, turn, cells)`, which gives {cell: (base, head,
control)} in ns per message; what it leaves out is not there. It may raise Disturbed.
"""

from dataclasses import dataclass, field

from .. import exits
from .verdict import FLAGS, IMPROVED, INCONCLUSIVE, REGRESSED, VERDICTS, Limits, judge

#: When a cell is looked at, and how sure a flag must be there: fixed beforehand. What
#: is missing to 1 adds up to 0.02, so that in all looks together a cell that has not
#: changed flags with a chance of at most 1 % to either side.
LOOKS = ((11, 0.999), (21, 0.9927), (41, 0.9884))
#: A flag counts if fresh rounds with fresh links flag the same way, at one of these
#: looks: what has not changed does so with a chance of at most 3 %, if it has flagged.
CONFIRM = ((21, 0.97), (41, 0.97))
#: More of the controls than this may not flag.
CONTROLS = 0.1

CONTAMINATED = "CONTAMINATED"
FAILED = "FAILED"
OK = "OK"


class Disturbed(Exception):
    """Too many rounds had to be rejected for what the machine did meanwhile."""


@dataclass
class Outcome:
    """The verdict of a run and all that led to it."""

    findings: list = field(default_factory=list)
    #: Of the flagged cells: {cell: the finding of the fresh rounds}.
    confirmed: dict = field(default_factory=dict)
    expected: int = 0
    disturbed: str = ""
    #: "cell: what", of correctness; of cells that one side does not have.
    failures: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    #: From the exact gates: what got worse, and what was not looked at.
    exact: list = field(default_factory=list)
    unseen: list = field(default_factory=list)
    strict: bool = False

    @property
    def executed(self):
        return len(self.findings)

    def of(self, *verdicts):
        return [one for one in self.findings if one.verdict in verdicts]

    def counts(self):
        return {verdict: len(self.of(verdict)) for verdict in VERDICTS}

    def contamination(self):
        """Why the times cannot be believed, or an empty string."""
        if self.disturbed:
            return self.disturbed
        controls = [one for one in self.findings if one.control_flags]
        if len(controls) > CONTROLS * self.executed:
            return "the control differs from the base, which is the same code, in " \
                "%d of %d cells" % (len(controls), self.executed)
        flags = self.of(*FLAGS)
        one_side = len({one.verdict for one in flags}) == 1
        if len(flags) > 1 and one_side and all(
                abs(one.effect) <= one.control_reach for one in flags):
            return "all %d flags lie on one side, and none is further out than the " \
                "control's own pairs" % len(flags)
        return ""

    def conclude(self):
        """(exit status, headline, why)."""
        if self.failures:
            return exits.ERROR, FAILED, self.failures[0]
        if self.exact:
            return exits.REGRESSION, REGRESSED, self.exact[0]
        why = self.contamination()
        if why:
            return exits.UNTRUSTED, CONTAMINATED, why
        if not self.executed:
            return exits.ERROR, FAILED, "none of %d cells executed" % self.expected
        worse = self.of(REGRESSED)
        if worse:
            return exits.REGRESSION, REGRESSED, "%d of %d cells, confirmed" % (
                len(worse), self.executed)
        if self.executed < self.expected:
            return exits.INCONCLUSIVE, INCONCLUSIVE, "%d of %d cells executed" % (
                self.executed, self.expected)
        return self.conclude_open()

    def conclude_open(self):
        left = [cells_of(self.of(INCONCLUSIVE)) + " undecided"
                ] if self.of(INCONCLUSIVE) else []
        left += self.unseen
        if left and self.strict:
            return exits.INCONCLUSIVE, INCONCLUSIVE, "; ".join(left)
        if self.of(IMPROVED):
            left.insert(0, cells_of(self.of(IMPROVED)) + " IMPROVED, confirmed")
        return exits.OK, OK, "; ".join(left) or "nothing got slower"


def cells_of(found):
    return "%d cell%s" % (len(found), "" if len(found) == 1 else "s")


class Trial:
    """Asks a source for rounds until every cell is decided."""

    def __init__(self, source, limits=Limits(), stored=None, looks=LOOKS,
                 confirm=CONFIRM):
        self.source = source
        self.limits = limits
        self.stored = stored or {}
        self.looks = looks
        self.confirm = confirm
        self.samples = {}  # {(phase, cell): samples}

    def run(self, outcome=None):
        outcome = outcome or Outcome()
        outcome.expected = len(self.source.cells)
        try:
            found = self.measure("look", list(self.source.cells), self.looks)
            outcome.findings = [found[cell] for cell in self.source.cells if cell in found]
            self.confirm_flags(outcome)
        except Disturbed as problem:
            outcome.disturbed = str(problem)
        return outcome

    def measure(self, phase, cells, looks):
        """{cell: finding}; what is decided at a look is not measured any longer. A cell
        that was left out of a round has no finding: it counts as not executed."""
        found, turn = {}, 0
        for rounds, confidence in looks:
            while turn < rounds and cells:
                cells = self.add(phase, cells, self.source.round(phase, turn, cells))
                turn += 1
            found = {cell: one for cell, one in found.items()
                     if cell in cells or one.verdict != INCONCLUSIVE}
            for cell in cells:
                found[cell] = judge(cell, self.samples[phase, cell], confidence,
                                    self.limits, self.stored.get(cell, 0.0))
            cells = [cell for cell in cells if found[cell].verdict == INCONCLUSIVE]
        return found

    def add(self, phase, cells, times):
        """Those of the cells that the round has."""
        for cell in times:
            self.samples.setdefault((phase, cell), []).append(times[cell])
        return [cell for cell in cells if cell in times]

    def confirm_flags(self, outcome):
        flagged = outcome.of(*FLAGS)
        if not flagged:
            return
        self.source.relink()
        fresh = self.measure("confirm", [one.cell for one in flagged], self.confirm)
        outcome.confirmed = fresh
        for one in flagged:
            again = fresh.get(one.cell)
            if again is None or again.verdict != one.verdict:
                one.why = "%s after %d rounds, which %d fresh ones did not confirm" % (
                    one.verdict, one.rounds, again.rounds if again else 0)
                one.verdict = INCONCLUSIVE

