"""Changes as bars around a centre line, for a terminal."""

import os
from math import log2

from .progress import is_terminal

#: Full as far as the change is sure, light as far as it may go.
SURE, MAYBE, CENTRE = "\u2588", "\u2591", "\u2502"
PLAIN = {SURE: "#", MAYBE: "-", CENTRE: "|"}
#: Blue and orange: told apart by everybody.
COLOURS = {-1: "\x1b[33m", 1: "\x1b[34m"}
RESET = "\x1b[0m"
LEAST, MOST = 8, 30
#: Of a bar that reaches the edge: twice as fast at least, eight times at most.
SCALES = 1.0, 3.0


def percent(ratio):
    """+12 %, -3.4 %, or how many times where that reads better."""
    if ratio >= 2:
        return "x %.1f" % ratio
    change = 100 * (ratio - 1)
    return "%+.*f %%" % (0 if abs(change) >= 10 else 1, change)


def half_width(stream, used):
    """How many columns each side gets, beside `used` of text."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    return max(LEAST, min(MOST, (columns - used) // 2))


def scale_of(changes):
    """In powers of two, what fills a side."""
    farthest = max((abs(log2(end)) for change in changes
                    for end in (change.low, change.high)), default=0)
    return max(SCALES[0], min(SCALES[1], farthest))


def bar(change, half, scale):
    """One side has a bar, the other is blank."""
    ends = sorted((abs(log2(change.low)), abs(log2(change.high))))
    near, far = (min(half, max(1, round(half * end / scale))) for end in ends)
    text = SURE * near + MAYBE * (far - near)
    if change.ratio < 1:
        return text[::-1].rjust(half) + CENTRE + " " * half
    return " " * half + CENTRE + text.ljust(half)


def line(change):
    """Without a bar: for a file, or a program."""
    return "%-7s %8s  (%s to %s)  %s" % (change.verdict, percent(change.ratio),
                                         percent(change.low), percent(change.high),
                                         change.name)


def lines(changes, stream):
    """One for each, those that are slower first, by size."""
    changes = sorted(changes, key=lambda change: change.ratio)
    if not is_terminal(stream):
        return [line(change) for change in changes]
    half = half_width(stream, 40)
    scale = scale_of(changes)
    return [decorated(change, bar(change, half, scale), stream) for change in changes]


def decorated(change, text, stream):
    if not can_encode(stream):
        for char, plain in PLAIN.items():
            text = text.replace(char, plain)
    if not os.environ.get("NO_COLOR"):
        text = COLOURS[-1 if change.ratio < 1 else 1] + text + RESET
    return "%8s %s %s" % (percent(change.ratio), text, change.name)


def can_encode(stream):
    try:
        (SURE + MAYBE + CENTRE).encode(stream.encoding or "ascii")
        return True
    except (UnicodeEncodeError, LookupError):
        return False
