"""Two runs of the same cells: what moved between them.

Two runs are minutes or months apart, so the machine counts as much as the code. Where
both runs have it, a cell's speed over that of the reference channel in the same rounds
is compared: what falls on all cells alike cancels out. The reference itself, and runs
without it, are compared by their speeds as they are.
"""

import os
import re
from dataclasses import dataclass
from math import log2
from pathlib import Path

from . import Problem, exits, figures
from .binary import BAD, MEASURED
from .command import complain, reason
from .context import UNKNOWN
from .stats import median, ratio_ci

SCHEMA = 1
SLOWER, FASTER, SAME, UNDECIDED = "slower", "faster", "same", "undecided"
#: What makes two machines the same one, as far as a context tells.
MACHINE = ("cpu", "cpus_online", "cpus_allowed", "hypervisor")
#: What may differ, but explains a difference.
CIRCUMSTANCES = ("kernel", "os", "libc", "compiler", "flags", "build_type", "governor",
                 "turbo", "cpu_quota", "aslr", "thp", "time_ms")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
#: The channel that speeds are told against, and the fewest rounds with both that are.
REFERENCE, FEWEST = "condvar", 4
ABSOLUTE = "speed"


class AnotherMachine(Problem):
    """Two runs, or a run and this machine, of which nothing can be said."""

    def __init__(self, differs):
        super().__init__("the runs are of different machines (%s); --other-machine "
                         "compares them all the same" % "; ".join(differs))


def guarded(name, work):
    """Does `work()`, which returns the exit status; another machine has its own."""
    try:
        return work()
    except AnotherMachine as problem:
        complain(name, problem)
        return exits.UNTRUSTED


@dataclass
class Change:
    """The speed of one cell in the second run over that in the first."""

    name: str
    basis: str  #: the channel that both are told against, or "speed"
    verdict: str
    ratio: float
    low: float = None
    high: float = None
    level: float = None  #: how sure it is that low and high enclose it
    why: str = ""  #: of what is undecided, where its interval is not the reason

    @property
    def size(self):
        return abs(log2(self.ratio))


@dataclass
class Comparison:
    changes: list
    broken: list  #: (name, verdict, why): bad in the second run
    turned: list  #: (name, verdict before, verdict now): of the others
    only: tuple  #: names of cells of one run alone: (of the first, of the second)

    def of(self, verdict):
        """Those, the largest change first."""
        found = [change for change in self.changes if change.verdict == verdict]
        return sorted(found, key=lambda change: -change.size)


def compare(first, second, threshold, wanted=None):
    """Of two runs with their slices (report.facts.Run). `threshold` is the share below
    which nothing has moved."""
    cells = [{cell["name"]: cell for cell in run.cells
              if wanted is None or wanted.search(cell["name"])}
             for run in (first, second)]
    found = Comparison([], [], [], tuple(
        [name for name in cells[i] if name not in cells[1 - i]] for i in (0, 1)))
    for cell in cells[1].values():
        if cell["verdict"] in BAD:
            found.broken.append((cell["name"], cell["verdict"], cell.get("why") or ""))
    for name in cells[0]:
        verdicts = [run[name]["verdict"] for run in cells if name in run]
        if len(verdicts) == 2 and all(one in MEASURED for one in verdicts):
            change = change_of([run[name] for run in cells], (first, second), threshold)
            if change:
                found.changes.append(change)
        elif len(set(verdicts)) == 2 and verdicts[1] not in BAD:
            found.turned.append((name, *verdicts))
    return found


def change_of(both, runs, threshold):
    """None where one of them has no speed."""
    name, basis, (old, new) = both[1]["name"], *speeds(both, runs)
    if not old or not new:
        return None
    interval = ratio_ci(old, new)
    value = median(new) / median(old)
    if any(cell.get("modes") for cell in both):
        return Change(name, basis, UNDECIDED, value, why="two modes")
    if len({cell.get("placement") for cell in both}) > 1:
        return Change(name, basis, UNDECIDED, value, why="placed otherwise")
    if interval is None:
        return Change(name, basis, UNDECIDED, value, why="too few rounds")
    value, low, high, level = interval
    return Change(name, basis, judge(low, high, threshold), value, low, high, level)


def judge(low, high, threshold):
    """Moved only if all of the interval lies beyond the threshold."""
    most = 1 + threshold
    if high < 1 / most:
        return SLOWER
    if low > most:
        return FASTER
    return SAME if low >= 1 / most and high <= most else UNDECIDED


def speeds(both, runs):
    """(basis, (what the one has of each round, the other)): ratios to the reference
    where both have enough of them, messages per second otherwise."""
    ratios = []
    for run, cell in zip(runs, both):
        name = cell["name"].replace("/chan:" + cell["chan"], "/chan:" + REFERENCE, 1)
        beside = good(run, name) if cell["chan"] != REFERENCE else []
        ratios.append(list(figures.ratios(good(run, cell["name"]), beside).values()))
    if all(len(found) >= FEWEST for found in ratios):
        return REFERENCE, ratios
    return ABSOLUTE, [[1e9 / figures.figure(entry) for entry in good(run, cell["name"])
                       if figures.figure(entry)] for run, cell in zip(runs, both)]


def good(run, name):
    """The slices of a cell none of which is bad."""
    slices = run.records.get(name, [])
    if any(entry["verdict"] not in MEASURED for entry in slices):
        return []
    return slices


def machine_differs(first, second):
    """["CPU name: this, that"] of what says that these are two machines."""
    return differences(first, second, MACHINE)


def circumstances(first, second):
    found = differences(first, second, CIRCUMSTANCES)
    commits = [run["git"]["commit"] + "-dirty" * (run["git"]["dirty"] is True)
               for run in (first, second)]
    return (["commit: %s, %s" % tuple(commits)] if commits[0] != commits[1] else []) + found


def differences(first, second, keys):
    found = []
    for key in keys:
        values_ = first.get(key, UNKNOWN), second.get(key, UNKNOWN)
        if values_[0] != values_[1]:
            found.append("%s: %s, %s" % (key.replace("_", " "), *values_))
    return found


def find(results, wanted):
    """The folder of a run: a path, or a name in `results`."""
    for path in (Path(wanted), Path(results) / wanted):
        if path.is_dir():
            return path
    saved = names(results)
    raise Problem("no run '%s': neither a folder nor a name in '%s'; saved there %s" % (
        wanted, results, ": " + ", ".join(saved) if saved else "is none"))


def names(results):
    """What runs were saved as."""
    try:
        return sorted(entry.name for entry in os.scandir(results) if entry.is_symlink())
    except OSError:
        return []


def refuse_name(results, name):
    """A name is a link of its own in the results, and takes no run's place."""
    if not NAME.match(name):
        raise Problem("--save=%s: a name is at most 64 letters, digits, '.', '_' and '-'"
                      % name)
    path = Path(results) / name
    if os.path.lexists(path) and not path.is_symlink():
        raise Problem("--save=%s: '%s' is there, and no saved name" % (name, path))


def save(results, name, run):
    """From now on the run can be called by this name, in place of another."""
    path = Path(results) / name
    temporary = path.with_name(".%s.tmp" % name)
    try:
        if temporary.is_symlink():
            temporary.unlink()
        temporary.symlink_to(run.name)
        os.replace(temporary, path)
    except OSError as error:
        raise Problem("cannot save the run as '%s': %s" % (path, reason(error)))


def as_data(found, first, second, threshold):
    """The same for programs: docs/results.md says what is in it."""
    return {
        "schema": SCHEMA, "threshold": threshold,
        "runs": [{"started": run["started"], **run["git"],
                  "cpu": run.get("cpu")} for run in (first, second)],
        "machine": machine_differs(first, second),
        "circumstances": circumstances(first, second),
        "changes": [vars(change) for change in found.changes],
        "broken": [dict(zip(("name", "verdict", "why"), one)) for one in found.broken],
        "turned": [dict(zip(("name", "before", "now"), one)) for one in found.turned],
        "only": {"first": found.only[0], "second": found.only[1]}}
