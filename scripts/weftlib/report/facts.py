"""What the report knows of a run: its cells, their rounds in the order of the run,
and the few questions that are asked of a cell everywhere."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from .. import Problem, figures, summary as summaries
from ..binary import BAD, MEASURED
from ..charts import ORDINARY, error_bar
from ..rundir import SAMPLES, read_samples
from ..summary import by_value
from ..tables import by_pattern, knob

BASELINE = "condvar"
#: Knobs of producer_consumer that make the topology; the others have to be ordinary.
SIDES = ("producers", "consumers", "cap")
#: Of fewer rounds no interval says anything.
FEW = 3


@dataclass
class Run:
    """A run folder as the report uses it."""

    summary: dict
    records: dict = field(default_factory=dict)  #: {cell: its slices in run order}

    @property
    def context(self):
        return self.summary["context"]

    @property
    def cells(self):
        return self.summary["cells"]

    @property
    def patterns(self):
        return by_pattern(self.summary)

    def rounds(self, cell):
        """[(round, million messages/s)] in the order in which they were run."""
        return [(record.get("round"), 1e3 / figures.figure(record))
                for record in self.records.get(cell["name"], [])
                if figures.figure(record)]

    def rejected(self, cell):
        """The slices that were not used, as they were, and why: [(record, why)]."""
        return [(figures.as_measured(record), record["rejected"]["why"])
                for record in self.records.get(cell["name"], []) if record.get("rejected")]

    def is_unbounded(self, cell):
        """Whether the channel made nothing of the capacity it was given."""
        slices = self.records.get(cell["name"])
        if not slices or cell["verdict"] not in MEASURED or "cap" not in cell["knobs"]:
            return knob(cell, "cap") == "unbounded"
        return all("actual_cap" in entry and entry["actual_cap"] is None
                   for entry in slices)


def read(directory):
    """The run in a folder; without its raw samples, what summary.json says."""
    directory = Path(directory)
    summary = summaries.read(directory)
    for name in (SAMPLES, SAMPLES + ".gz"):
        if os.path.isfile(directory / name):
            return of(summary, read_samples(directory / name)[1])
    return of(summary, [])


def read_raw(directory):
    """The same; Problem where it has no raw samples."""
    run = read(directory)
    if not run.records:
        raise Problem("'%s' has no %s, which says what each round measured"
                      % (directory, SAMPLES))
    return run


def of(summary, records):
    """A run of a summary and its slices, which are in run order."""
    slices = {}
    for entry in records:
        slices.setdefault(entry["cell"], []).append(entry)
    return Run(summary, slices)


def is_measured(cell):
    return cell["verdict"] in MEASURED and bool(cell["messages_per_second"])


def is_bad(cell):
    return cell["verdict"] in BAD


def is_channel(cell):
    """Not one of those that move no data and only show what is possible."""
    return cell["verdict"] != "FLOOR"


def rate(cell):
    """Million messages a second."""
    return cell["messages_per_second"]["median"] / 1e6


def interval(cell):
    """(low, high) of the rate; of a cell with two modes, from one to the other."""
    values = [value / 1e6 for value in error_bar(cell["messages_per_second"])]
    values += [mode["messages_per_second"] / 1e6 for mode in cell.get("modes") or []]
    return min(values), max(values)


def are_few(*cells):
    """Whether one of them has too few rounds for its interval to say anything: of one it
    is a point, which overlaps with nothing."""
    return min(cell["messages_per_second"].get("n", FEW) for cell in cells) < FEW


def overlap(one, other):
    """Whether it cannot be told which is faster."""
    if are_few(one, other):
        return True
    (low, high), (least, most) = interval(one), interval(other)
    return low <= most and least <= high


def is_plain(cell):
    """Whether nothing but the topology was chosen."""
    usual = "apart" if (cell["cpus"] or 0) > 1 else "free"
    for key, value in cell["knobs"].items():
        if key == "placement" and value == usual:
            continue
        if key not in SIDES and value not in ORDINARY.get(key, ()):
            return False
    return True


def topologies(run):
    """{(producers, consumers, cap): {channel: cell}} of the plain cells, sorted."""
    found = {}
    for cell in run.cells:
        if cell["pattern"] == "producer_consumer" and is_plain(cell):
            key = tuple(knob(cell, side) for side in SIDES)
            found.setdefault(key, {})[cell["chan"]] = cell
    return {key: found[key] for key in sorted(found, key=by_value)}


def relative(cell, base):
    """(middle, low, high) of how many times as fast the cell is as `base`; the
    interval is None where it is not known. Rounds of both are compared in pairs
    where the run says so; else from the ends of both intervals, as it is where one of
    them has two modes."""
    paired = cell.get("ratio")
    two_modes = cell.get("modes") or (base or {}).get("modes")
    if paired and not two_modes and base is not None and paired.get("to") == base["chan"]:
        return paired["median"], paired.get("low"), paired.get("high")
    if base is None or not is_measured(base) or not is_measured(cell):
        return None
    (low, high), (least, most) = interval(cell), interval(base)
    return rate(cell) / rate(base), low / most, high / least
