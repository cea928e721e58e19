"""The heat map: implementations across, topologies down, and in each place how many
times as fast as the baseline it is. A table, so that it is read by whatever reads."""

from ..stats import three_digits
from .facts import (BASELINE, interval, is_measured, rate, relative, topologies)
from .html import Html, section, table, tag
from .words import topology

#: Lower ends of the steps, and the names of their colours in style.css.
STEPS = ((8, "up3"), (3, "up2"), (1.25, "up1"), (0.8, "even"), (0.33, "down1"),
         (0.125, "down2"), (0, "down3"))
EXPLAINED = (
    "How many times as fast as %s each channel is, with the same producers, consumers "
    "and capacity; below it, million messages a second. Paired within the rounds where "
    "the run has pairs. Striped: the interval holds 1, so nobody can tell. Where %s "
    "cannot do the cell, there is only the rate." % (BASELINE, BASELINE))


def part(run):
    """The section, or nothing where the run has no such cells."""
    found = topologies(run)
    if not found:
        return Html("")
    every = [cell for cells in found.values() for cell in cells.values()]
    floors = {cell["chan"] for cell in every if cell["verdict"] == "FLOOR"}
    chans = sorted({cell["chan"] for cell in every}, key=lambda name: (
        name in floors, name != BASELINE, name))
    rows = [[topology(*key).replace("capacity", "cap")] + [place(cells.get(name), cells.get(BASELINE))
                                for name in chans] for key, cells in found.items()]
    return section("heat", "Channels by topology", tag("p", EXPLAINED), table(
        "Speed relative to %s (producers → consumers)" % BASELINE,
        ["topology"] + chans, rows, class_="heat"))


def place(cell, base):
    if cell is None:
        return "", {"class_": "none"}
    if not is_measured(cell):
        return cell["verdict"], {"class_": "none" if cell["verdict"] == "N/A" else "bad",
                                 "title": cell["why"] or None}
    small = tag("small", "%s M/s" % three_digits(rate(cell)))
    if cell.get("modes"):
        small = tag("small", "two modes, %s and %s M/s" % tuple(
            map(three_digits, reversed(interval(cell)))))
    if cell is base:
        return Html("%s%s" % (tag("b", "1×"), small)), {"class_": "even"}
    found = relative(cell, base)
    if found is None:
        return small, {"class_": "none"}
    return Html("%s%s" % (tag("b", ratio_text(cell, base, found)), small)), {
        "class_": colour(*found)}


def ratio_text(cell, base, found):
    """One number, unless one of the two has two modes: then there is none."""
    if cell.get("modes") or base.get("modes"):
        return "%s–%s×" % tuple(map(three_digits, found[1:]))
    return "%s×" % three_digits(found[0])


def colour(middle, low, high):
    name = next(name for least, name in STEPS if middle >= least)
    unsure = low is None or low <= 1 <= high
    return name + " unsure" * unsure
