"""How far a gate is: the round, and how many cells are still undecided."""

import time

from ..command import one_line
from ..progress import PLAIN_EVERY, REDRAW_EVERY, Progress, fill
from ..stats import duration
from .trial import CONFIRM, LOOKS


class GateProgress(Progress):
    def __init__(self, stream, total, quiet):
        super().__init__(stream, total, LOOKS[-1][0], 0, quiet, "gate")
        self.rejected = 0

    def step(self, phase, turn, undecided, cell):
        now = time.monotonic()
        every = REDRAW_EVERY if self.terminal else PLAIN_EVERY
        if self.quiet or (self.shown and now - self.shown < every):
            return
        self.shown = now
        line = "%s: %s%s, %s: %s" % (
            self.name, self.where(phase, turn, undecided),
            ", %d rejected" % self.rejected if self.rejected else "",
            duration(now - self.begun), one_line(cell))
        if self.terminal:
            self.write("\r" + fill(line, self.width()))
            self.bar_drawn = True
        else:
            self.write(line + "\n")

    def where(self, phase, turn, undecided):
        if phase == "confirm":
            return "fresh round %d, next look at %d, for %d flagged cells" % (
                turn + 1, next_look(CONFIRM, turn), undecided)
        return "round %d, next look at %d, %d of %d cells undecided" % (
            turn + 1, next_look(LOOKS, turn), undecided, self.total)


def next_look(looks, turn):
    return next(rounds for rounds, _ in looks if turn < rounds)
