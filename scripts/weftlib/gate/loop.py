"""Several gate runs whose outcome is known, out of one loop of rounds.

A run in which one cell of the head is slower differs from one in which none is in that
cell alone. So a loop measures base, head and control of all cells, and in some cells
other heads beside them, back to back in the same rounds: a *variant*, which is a cell
of its own to the rule (`trial`). A run then is all cells, with a variant in place of
its cell, under the gate's own rule, looks and confirmation.

What that means for the runs of one loop: they have the minutes, the base, the control
and the heads of the cells that nothing was done to in common. The head that decides
about a variant belongs to one run alone.
"""

from dataclasses import dataclass, replace

from .plan import ARMS, cell_order, links
from .rounds import WeftBench
from .trial import Outcome


@dataclass(frozen=True)
class Variant:
    """Another head of one cell."""

    cell: str
    kind: str  #: slower-15, mutant-fence: also the name of its arm
    share: float = 0.0  #: how much more it handles than it reports

    @property
    def name(self):
        return "%s %s" % (self.cell, self.kind)


@dataclass
class Run:
    """One run of the gate in a loop: which variants stand for their cells."""

    kind: str
    variants: list

    @property
    def instead(self):
        return {one.cell: one.name for one in self.variants}

    @property
    def slower(self):
        return {one.cell: one.share for one in self.variants if one.share}

    def outcome(self, cells, whole):
        """Its part of what the rule found out about the cells and all variants."""
        found = {one.cell: one for one in whole.findings}
        names = {cell: self.instead.get(cell, cell) for cell in cells}
        return Outcome(
            findings=[replace(found[name], cell=cell) for cell, name in names.items()
                      if name in found],
            confirmed={cell: replace(whole.confirmed[name], cell=cell)
                       for cell, name in names.items() if name in whole.confirmed},
            expected=len(cells), disturbed=whole.disturbed, failures=whole.failures,
            missing=whole.missing)


class LoopBench(WeftBench):
    """Cells of weft, and variants of some; `binaries` has an arm for each mutant."""

    def __init__(self, cells, binaries, relinked, seed, variants):
        super().__init__(cells, binaries, relinked, seed)
        self.plain = list(self.by_name)
        self.variants = {one.name: one for one in variants}
        self.cells = self.plain + list(self.variants)

    def prepare(self):
        for name in self.plain:
            self.prepare_cell(name)

    def of(self, key):
        """The cell that it is, or is a variant of."""
        return self.variants[key].cell if key in self.variants else key

    def trio(self, key):
        if key in self.variants:
            return ARMS[0], self.variants[key].kind, ARMS[2]
        return ARMS

    def arms(self, group):
        """Base and control with all heads between them, the decided ones, too: so what
        is left of an order stays balanced."""
        others = tuple(one.kind for one in self.variants.values()
                       if one.cell == self.of(group[0]))
        return ARMS[:2] + others + ARMS[2:]

    def groups(self, cells, phase, turn):
        found = {}
        for key in cells:
            found.setdefault(self.of(key), []).append(key)
        starts = dict(cell_order(self.plain, phase, turn, self.seed))
        return [(found[cell], start) for cell, start in starts.items() if cell in found]

    def links(self, turn):
        """The head's for all heads."""
        chosen = links(turn, len(self.binaries["base"]))
        return {**{one.kind: chosen["head"] for one in self.variants.values()}, **chosen}

    def how(self, arm, group):
        """A variant that is no mutant is the head's own executable, with more to do."""
        share = max([self.variants[key].share for key in group
                     if key in self.variants and self.variants[key].kind == arm] or [0.0])
        return self.of(group[0]), arm if arm in self.binaries else "head", share

    def shared(self, arm, group, found):
        return {key: found for key in group if arm in self.trio(key)}


class Whole:
    """A source (see `trial`) in which decided cells go on to the last look: so there
    are rounds that hold all cells."""

    def __init__(self, live, rounds):
        self.live = live
        self.cells = live.cells
        self.left = list(range(rounds))

    def relink(self):
        self.finish()
        self.live.relink()

    def round(self, phase, turn, cells):
        if phase != "look":
            return self.live.round(phase, turn, cells)
        self.left.remove(turn)
        times = self.live.round(phase, turn, self.cells)
        return {cell: times[cell] for cell in cells if cell in times}

    def finish(self):
        while self.left:
            self.live.round("look", self.left.pop(0), self.cells)
