"""Whether two runs of the same sweep on the same machine say the same.

What must hold: at least 80 % of the cells are steady, and of those that are steady in both
runs at least 90 % agree within 10 %: in their ratio to the reference channel in the same
rounds, or, where they have none, in their rate.
"""

from dataclasses import dataclass

from .binary import MEASURED

WITHIN, AGREEING, STEADY = 1.10, 0.90, 0.80


@dataclass
class Agreement:
    #: (how many times as large the larger figure is, the cell's name), largest first
    pairs: list
    steady: list  #: of each run, the share of its cells that are steady
    unsteady: list  #: of each run, the names of those that are not


def figure(cell):
    """What is compared: (kind, value), or None."""
    if cell.get("ratio"):
        return "ratio", cell["ratio"]["median"]
    if cell["messages_per_second"]:
        return "rate", cell["messages_per_second"]["median"]
    return None


def compare(first, second):
    runs = [{cell["name"]: cell for cell in summary["cells"]
             if cell["verdict"] in MEASURED and figure(cell)}
            for summary in (first, second)]
    pairs = []
    for name, cell in runs[0].items():
        other = runs[1].get(name)
        if not other or not (cell.get("steady") and other.get("steady")):
            continue
        (kind, one), (other_kind, two) = figure(cell), figure(other)
        if kind == other_kind:
            pairs.append((max(one, two) / min(one, two), name))
    unsteady = [[name for name, cell in run.items() if not cell.get("steady")]
                for run in runs]
    steady = [1 - len(names) / len(run) if run else 0.0
              for names, run in zip(unsteady, runs)]
    return Agreement(sorted(pairs, reverse=True), steady, unsteady)


def share(found):
    """Of the pairs that agree."""
    return sum(times <= WITHIN for times, _ in found.pairs) / len(found.pairs)


def holds(found):
    return share(found) >= AGREEING and min(found.steady) >= STEADY


def lines(found):
    for times, name in found.pairs:
        if times > WITHIN:
            yield "%.2f times  %s" % (times, name)
    for run, names in zip(("first", "second"), found.unsteady):
        for name in names:
            yield "not steady in the %s: %s" % (run, name)
    yield ("%.0f %% and %.0f %% of the cells are steady; at least %.0f %% are wanted"
           % (*(100 * part for part in found.steady), 100 * STEADY))
    yield ("%.0f %% of the %d cells that are steady in both agree within %.0f %%; at "
           "least %.0f %% are wanted" % (100 * share(found), len(found.pairs),
                                         100 * (WITHIN - 1), 100 * AGREEING))
