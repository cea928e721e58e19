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


def flagged(record, *verdicts):
    """Cells that it called so, confirmed; none in a run that trusts nothing."""
    return [] if record.end["verdict"] == CONTAMINATED else [
        cell for cell, verdict in record.end["flags"].items() if verdict in verdicts]


def real(found):
    """The table of runs that were really made, a line for each kind."""
    kinds, rows = {}, []
    for record in found:
        kinds.setdefault(record.kind, []).append(record)
    for kind, runs in sorted(kinds.items()):
        if kind == "full":
            continue  # rounds alone, for resampling
        target = [set(run.head.get("slower") or {}) for run in runs]
        false = sum(bool(set(flagged(run, *FLAGS)) - own) for run, own in zip(runs, target))
        hit = sum(own <= set(flagged(run, REGRESSED)) for run, own in zip(runs, target))
        dirty = sum(run.end["verdict"] == CONTAMINATED for run in runs)
        worse = sum(run.end["verdict"] == REGRESSED for run in runs)
        rows.append([kind, str(len(runs)), share(hit, len(runs)) if any(target) else "-",
                     "-" if kind.startswith("mutant") else share(false, len(runs)),
                     str(worse), str(dirty),
                     "%.0f s" % median([run.end["seconds"] for run in runs])])
    return Table("runs", ["kind", "runs", "the injected cell was found",
                          "another cell flagged", "REGRESSED", CONTAMINATED, "median time"],
                 rows, 1)


# --- resampled ---


def resampled(rounds, replays=REPLAYS, effects=EFFECTS):
    """The table of replays: a slowdown of each size in one cell at a time, in turn."""
    rows = []
    for percent in effects:
        hits = false = dirty = 0
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
            hits += target in flags
            false += bool(flags - {target})
        rows.append(["%d %%" % percent, share(hits, replays) if percent else "-",
                     share(false, replays), share(dirty, replays)])
    return Table("resampled", ["slower by", "found and confirmed", "another cell flagged",
                               CONTAMINATED], rows, 1)


# --- the rivals ---


def stretches(found, rounds=FEWEST_ROUNDS):
    """Consecutive rounds of identical code, in which every cell was run."""
    result = []
    for record in found:
        if record.kind in records.SAME:
            whole = records.pool([record])
            result += [whole[at:at + rounds] for at in range(0, len(whole) - rounds + 1,
                                                             rounds)]
    return result


def compared(found, percent=15):
    """The table of cruder rules, on stretches of rounds as they ran."""
    rows = []
    for rule in rivals.RIVALS:
        runs = cells = alarms = alarmed = hits = 0
        for stretch in stretches(found):
            verdicts = []
            for cell in stretch[0]["cells"]:
                samples = [one["cells"][cell] for one in stretch]
                slower = [row[:2] + [row[2] * (1 + percent / 100)] + row[3:]
                          for row in samples]
                verdicts.append(rule(samples))
                hits += rule(slower)
            runs, cells = runs + 1, cells + len(verdicts)
            alarms, alarmed = alarms + sum(verdicts), alarmed + any(verdicts)
        rows.append([rule.__name__.replace("_", " "), share(alarmed, runs),
                     share(alarms, cells), share(hits, cells)])
    return Table("rivals", ["rule", "runs with a false alarm", "cells with one",
                            "%d %% slower was flagged" % percent], rows, 1)


# --- the floor ---


def floor(found, rounds=11):
    """{cell: by what share 19 of 20 medians of that many rounds of identical code
    differed less}; nothing of a cell with few of them."""
    medians = {}
    for record in found:
        if record.kind not in records.SAME:
            continue
        whole = record.accepted()
        for at in range(0, len(whole) - rounds + 1, rounds):
            part = whole[at:at + rounds]
            for cell in record.head["cells"]:
                rows = [one["cells"][cell] for one in part if cell in one["cells"]]
                for arm in (2, 3):
                    if len(rows) == rounds:
                        medians.setdefault(cell, []).append(
                            abs(median([log(row[arm] / row[1]) for row in rows])))
    return {cell: round(sorted(values)[ceil(0.95 * len(values)) - 1], 4)
            for cell, values in medians.items() if len(values) >= 20}


def hosts(found):
    return sorted({describe(record.head["host"]) for record in found})
