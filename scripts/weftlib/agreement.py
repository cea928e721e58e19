"""Whether two runs of the same sweep on the same machine say the same.

What must hold: at least 80 % of the cells are steady, and of those that are steady in both
runs at least 90 % agree within 10 % in their ratio to the reference channel in the same
rounds. Those that have none have a rate, which also moves by how fast the machine is
from one run to the next: how many of them agree is said, and nothing follows from it but
where no cell has a ratio.
"""

from dataclasses import dataclass

from .binary import MEASURED

WITHIN, AGREEING, STEADY = 1.10, 0.90, 0.80


@dataclass
class Agreement:
    #: (how many times as large the larger ratio is, the cell's name), largest first
    ratios: list
    rates: list  #: the same of the rates, where there is no ratio
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
    pairs = {"ratio": [], "rate": []}
    for name, cell in runs[0].items():
        other = runs[1].get(name)
        if not other or not (cell.get("steady") and other.get("steady")):
            continue
        (kind, one), (other_kind, two) = figure(cell), figure(other)
        if kind == other_kind:
            pairs[kind].append((max(one, two) / min(one, two), name))
    unsteady = [[name for name, cell in run.items() if not cell.get("steady")]
                for run in runs]
    steady = [1 - len(names) / len(run) if run else 0.0
              for names, run in zip(unsteady, runs)]
    return Agreement(*(sorted(found, reverse=True) for found in pairs.values()), steady,
                     unsteady)


def share(pairs):
    """Of those that agree."""
    return sum(times <= WITHIN for times, _ in pairs) / len(pairs)


def holds(found):
    """Where no cell has a ratio, the rates are all that can be asked."""
    return share(found.ratios or found.rates) >= AGREEING and min(found.steady) >= STEADY


def lines(found):
    for kind, pairs in ("ratio", found.ratios), ("rate", found.rates):
        for times, name in pairs:
            if times > WITHIN:
                yield "%.2f times the %s  %s" % (times, kind, name)
    for run, names in zip(("first", "second"), found.unsteady):
        for name in names:
            yield "not steady in the %s: %s" % (run, name)
    yield ("%.0f %% and %.0f %% of the cells are steady; at least %.0f %% are wanted"
           % (*(100 * part for part in found.steady), 100 * STEADY))
    for kind, pairs in (("ratios", found.ratios), ("rates without a ratio", found.rates)):
        if pairs:
            yield "%.0f %% of the %d %s of cells that are steady in both agree within %.0f %%%s" % (
                100 * share(pairs), len(pairs), kind, 100 * (WITHIN - 1),
                "; at least %.0f %% are wanted" % (100 * AGREEING)
                if pairs is (found.ratios or found.rates) else "")
