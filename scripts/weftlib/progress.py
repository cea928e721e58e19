"""Showing how far a sweep is: one moving line, or a plain line now and then."""

import os
import time
import unicodedata

from .command import one_line
from .stats import duration

BAR = 20
PLAIN_EVERY = 2.0
REDRAW_EVERY = 0.1
COLUMNS = 80  # where a terminal does not say


class Progress:
    """Reports to `stream`; a terminal gets a bar that is redrawn in place.

    A stream that goes away (a closed terminal, a broken pipe) must not cost
    the measurements, so writing to it never raises.
    """

    def __init__(self, stream, total, rounds, estimate, quiet=False, name="sweep"):
        self.stream = stream
        self.total = total
        self.rounds = rounds
        self.estimate = estimate
        self.quiet = quiet
        self.limit = None  # seconds after which it ends, done or not
        self.name = name
        self.terminal = is_terminal(stream)
        self.begun = time.monotonic()
        self.shown = None
        self.bar_drawn = False

    def step(self, done, cost_done, cell, turn):
        """`done` slices are over; `cell` of round `turn` runs next.

        `cost_done` is the estimated cost of what is over: the ratio to the
        time it really took corrects the estimate of the rest.
        """
        now = time.monotonic()
        every = REDRAW_EVERY if self.terminal else PLAIN_EVERY
        if self.quiet or (self.shown and now - self.shown < every):
            return
        self.shown = now
        elapsed = now - self.begun
        left = self.time_left(elapsed, cost_done)
        if self.terminal:
            self.draw(done, left, cell, turn)
        else:
            self.write("%s: %d of %d slices, round %d of %d, %s elapsed, "
                       "%s left: %s\n" % (self.name, done, self.total, turn + 1, self.rounds,
                                          duration(elapsed), left, one_line(cell)))

    def more(self, turn, seconds):
        """One slice more than was known of, in round `turn`."""
        self.total += 1
        self.rounds = max(self.rounds, turn + 1)
        self.estimate += seconds

    def time_left(self, elapsed, cost_done):
        remaining = max(0.0, self.estimate - cost_done)
        if cost_done > 0.05 * self.estimate:
            remaining *= elapsed / cost_done
        if self.limit is not None:
            remaining = min(remaining, max(0.0, self.limit - elapsed))
        return "about " + duration(remaining)

    def draw(self, done, left, cell, turn):
        full = BAR * done // max(1, self.total)
        line = "[%s%s] %d/%d  round %d/%d  %s left  %s" % (
            "#" * full, "." * (BAR - full), done, self.total,
            turn + 1, self.rounds, left, one_line(cell))
        self.write("\r" + fill(line, self.width()))
        self.bar_drawn = True

    def say(self, line):
        """A line of its own, above the bar."""
        if not self.quiet:
            self.clear()
            self.write(one_line(line) + "\n")

    def finish(self, done):
        """The last word: the bar goes, a plain log gets its last line."""
        self.clear()
        if not self.quiet:
            self.write("%s: %d of %d slices in %s\n" % (
                self.name, done, self.total, duration(time.monotonic() - self.begun)))

    def clear(self):
        if self.bar_drawn:
            self.write("\r" + fill("", self.width()) + "\r")
            self.bar_drawn = False

    def width(self):
        """Of the stream's own terminal; its last column is left alone, since
        some terminals begin a new line after it."""
        try:
            columns = os.get_terminal_size(self.stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return (columns or COLUMNS) - 1

    def write(self, text):
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            self.quiet = True


def is_terminal(stream):
    """Whether it is one on which a line can be drawn again."""
    return stream.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


def fill(text, columns):
    """As much of the text as fits, and blanks up to that width."""
    shown, used = "", 0
    for char in text:
        wide = 1 + (unicodedata.east_asian_width(char) in "WF")
        if used + wide > columns:
            break
        shown, used = shown + char, used + wide
    return shown + " " * (columns - used)
