"""How often the gate errs and what it finds: from recorded runs, and resampled."""

from math import ceil, log

from ..stats import binomial_interval, median
from ..tables import Table
from . import records, rivals
from .host import describe
from .trial import CONTAMINATED, Trial
from .verdict import FLAGS, REGRESSED

REPLAYS = 400
EFFECTS = (0, 2, 3, 5, 7, 10, 15, 20, 30)
#: Fewer rounds than these say nothing of what was not among them.
FEWEST_ROUNDS = 22


def share(hits, n):
    """`3 of 40: 7.5 % (1.6 to 20.4 %)`, with Clopper and Pearson's interval."""
    if not n:
        return "-"
    low, high = binomial_interval(hits, n)
    return "%d of %d: %.1f %% (%.1f to %.1f %%)" % (
        hits, n, 100 * hits / n, 100 * low, 100 * high)


# --- runs as they were ---


def flagged(view, *verdicts):
    """Cells that it called so, confirmed; none in a run that trusts nothing."""
    return set() if view.end["verdict"] == CONTAMINATED else {
        cell for cell, verdict in view.end["flags"].items() if verdict in verdicts}


def hits(view):
    """Whether the run found what was done to its head: a slower cell, or a planted bug
    in any cell that it is in."""
    found = flagged(view, REGRESSED)
    return set(view.touched) <= found if view.slower else bool(set(view.touched) & found)


def by_kind(runs):
    """{kind: its runs}; identical code first, then slower ones by size."""
    found = {}
    for view in runs:
        found.setdefault(view.kind, []).append(view)
    return dict(sorted(found.items(), key=lambda pair: (
        pair[0] not in records.SAME, not percent_of(pair[0]), percent_of(pair[0]), pair[0])))


def percent_of(kind):
    digits = kind.rpartition("slower-")[2]
    return int(digits) if digits.isdigit() else 0


def real(runs):
    """The table of runs that were really made, a line for each kind."""
    rows = []
    for kind, made in by_kind(runs).items():
        touched = any(view.touched for view in made)
        false = sum(bool(flagged(view, *FLAGS) - set(view.touched)) for view in made)
        ends = [sum(view.end["verdict"] == word for view in made)
                for word in (REGRESSED, CONTAMINATED)]
        alone = [view.seconds for view in made if view.alone]
        rows.append([kind, str(len(made)),
                     share(sum(map(hits, made)), len(made)) if touched else "-",
                     share(false, len(made)), *map(str, ends),
                     "%.0f s" % median(alone) if alone else "-"])
    return Table("runs", ["kind", "runs", "found, confirmed", "another cell flagged",
                          REGRESSED, CONTAMINATED, "median time"], rows, 1)


def loops(found):
    """(records in which a run of identical code flags anything, records with such runs):
    these do not depend on each other."""
    made = [[view for view in records.views([record]) if view.kind in records.SAME]
            for record in found]
    return (sum(any(flagged(view, *FLAGS) for view in views) for views in made),
            sum(bool(views) for views in made))


def curve(runs):
    """[(per cent slower, found, runs)] of what was really run; at 0 per cent a run of
    identical code has found something where it flags anything."""
    made = by_kind(runs)
    same = [view for kind in records.SAME for view in made.get(kind, [])]
    points = [(0, sum(bool(flagged(view, *FLAGS)) for view in same), len(same))]
    points += [(percent_of(kind), sum(map(hits, views)), len(views))
               for kind, views in made.items() if percent_of(kind)]
    return sorted(point for point in points if point[2])


def judged_otherwise(runs):
    """Runs of which the rule, as it is now, says something else than was recorded."""
    return [view for view in runs if not view.end.get("disturbed")
            and not view.end.get("failures")
            and Trial(records.Replay(view)).run().conclude()[1] != view.end["verdict"]]


# --- resampled ---


def replayed(rounds, replays=REPLAYS, effects=EFFECTS):
    """[(per cent, found, with a flag elsewhere, contaminated)] of replays: a slowdown of
    each size in one cell at a time, in turn."""
    found = []
    for percent in effects:
        hit = false = dirty = 0
        for number in range(replays):
            cells = list(rounds[0]["cells"])
            target = cells[number % len(cells)] if percent else None
            outcome = Trial(records.Resampled(
                rounds, "%d/%d" % (percent, number),
                {target: 1 + percent / 100} if percent else None)).run()
            if outcome.conclude()[1] == CONTAMINATED:
                dirty += 1
                continue
            flags = {one.cell for one in outcome.of(*FLAGS)}
            hit += target in flags
            false += bool(flags - {target})
        found.append((percent, hit, false, dirty))
    return found


def resampled(found, replays=REPLAYS):
    """The table of that."""
    return Table("resampled", ["slower by", "found and confirmed", "another cell flagged",
                               CONTAMINATED], [
        ["%d %%" % percent, share(hit, replays) if percent else "-",
         share(false, replays), share(dirty, replays)]
        for percent, hit, false, dirty in found], 1)


# --- the rivals ---


def stretches(found, rounds):
    """Consecutive rounds of identical code, in which every cell was run; of records."""
    result = []
    for record in found:
        whole = records.pool([record])
        result += [whole[at:at + rounds] for at in range(0, len(whole) - rounds + 1,
                                                         rounds)]
    return result


def compared(found, percent=15):
    """The table of cruder rules, on stretches of rounds as they ran."""
    rows = []
    for rule, rounds in rivals.RIVALS:
        runs = cells = alarms = alarmed = hit = 0
        for stretch in stretches(found, rounds):
            verdicts = []
            for cell in stretch[0]["cells"]:
                samples = [one["cells"][cell] for one in stretch]
                slower = [row[:2] + [row[2] * (1 + percent / 100)] + row[3:]
                          for row in samples]
                verdicts.append(rule(samples))
                hit += rule(slower)
            runs, cells = runs + 1, cells + len(verdicts)
            alarms, alarmed = alarms + sum(verdicts), alarmed + any(verdicts)
        rows.append([rule.__name__.replace("_", " "), share(alarmed, runs),
                     share(alarms, cells), share(hit, cells)])
    return Table("rivals", ["rule", "runs with a false alarm", "cells with one",
                            "%d %% slower was flagged" % percent], rows, 1)


# --- the floor ---


def floor(found, rounds=11):
    """{cell: by what share 19 of 20 medians of that many rounds of identical code
    differed less}; nothing of a cell with few of them."""
    medians = {}
    for stretch in stretches(found, rounds):
        for cell in stretch[0]["cells"]:
            rows = [one["cells"][cell] for one in stretch]
            for arm in (2, 3):
                medians.setdefault(cell, []).append(
                    abs(median([log(row[arm] / row[1]) for row in rows])))
    return {cell: round(sorted(values)[ceil(0.95 * len(values)) - 1], 4)
            for cell, values in medians.items() if len(values) >= 20}


def hosts(found):
    return sorted({describe(record.head["host"]) for record in found})
