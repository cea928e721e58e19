"""From a sweep file to cells: multiplied out and checked against the binary.

A cell is one pattern over one channel with fixed knobs. Everything that can
be known to be wrong is refused here, before anything is measured.
"""

import os
import re
from dataclasses import dataclass, replace
from itertools import product

from . import Problem, whole

#: Knobs that mean the same in every pattern, whether or not it lists them.
#: The last two are the command's own and say how messages come while latency
#: is measured.
COMMON = ("variant", "items", "payload", "work", "batch", "wait", "placement",
          "runtime", "arrivals", "utilization")

#: The channel that the others' speed is told against.
REFERENCE = "condvar"
#: No repetition has more items, whatever the knob allows (PLAN_ITEMS_MAX in bench/plan.h).
MOST_ITEMS = 1 << 25

#: Knobs that multiply the work on one item.
MULTIPLIERS = ("stages", "slow")

#: A number, as such or times the CPUs that are allowed; and all from one to another,
#: each twice the one before.
NUMBER = r"(?:[0-9]{1,9}|[0-9]{0,3}cpus)"
RANGE = re.compile(r"(%s)(?:\.\.(%s))?\Z" % (NUMBER, NUMBER))


@dataclass(frozen=True)
class Cell:
    """One pattern over one channel with fixed knobs, and how to measure it."""

    pattern: str
    chan: str
    knobs: tuple  #: ((key, value), ...) in the pattern's own order
    time_ms: int
    rounds: int
    latency: int  #: how many of the rounds also measure latency
    where: str  #: file:line, for messages
    load: str = ""  #: the shared object this channel comes from
    item_ns: int = 0  #: the work on one item, all of it, in ns
    most: int = 0  #: rounds it may have in all while it is not steady; 0: no more
    rank: int = 0  #: the higher, the sooner a budget leaves it out
    latency_ms: int = 0  #: how long a repetition for latency is; 0: as the others
    latency_items: int = 0  #: and how many messages it has at least, if it can
    most_items: int = MOST_ITEMS  #: that a repetition may have

    #: Whether its slices begin with runs that only warm up.
    warms_up = True
    #: Whether they are divided into turns.
    by_turns = True

    @property
    def limit(self):
        """The most rounds that it may have."""
        return max(self.rounds, self.most)

    @property
    def name(self):
        """pattern/chan:NAME/key:value/..., as `weft bench` names it."""
        parts = [self.pattern, "chan:" + self.chan]
        return "/".join(parts + ["%s:%s" % knob for knob in self.knobs])

    @property
    def reference(self):
        """The name of the same cell over the channel that all are compared with."""
        return replace(self, chan=REFERENCE).name

    def facts(self):
        """What its records say of it beside its pattern, channel and knobs."""
        return {}

    def measures_latency(self, turn):
        """Whether round `turn` is one of those with a latency repetition.

        They are spread over the run, so that a drift of the machine shows in
        them too, and the first round is always one: an interrupted run has
        its latencies.
        """
        wanted = min(self.latency, self.rounds)
        return any(turn == i * self.rounds // wanted for i in range(wanted))


def build(sweep, patterns, channels, loaded=(), override=None, cpus=None):
    """All cells of a sweep in file order.

    `patterns` and `channels` are what `weft list --json` printed, `loaded`
    is a list of (name, file) of the user's own channels, which join every
    line, `override` replaces settings of the file and its lines, and `cpus` is how
    many are allowed.
    """
    cpus = cpus or len(os.sched_getaffinity(0))
    known = {entry["name"]: entry for entry in patterns}
    files = {entry["name"]: "" for entry in channels}
    files.update(loaded)
    cells, first = [], {}
    for line in sweep.lines:
        where = sweep.where(line)
        settings = {**sweep.settings, **line.settings, **(override or {})}
        for pattern in chosen(line.patterns, known, "pattern", where):
            chans = list(chosen(line.chans, files, "channel", where))
            chans += [name for name, _ in loaded if name not in chans]
            scaled = [(keys, scale(values, cpus, most_of(keys, known[pattern])))
                      for keys, values in line.knobs]
            for knobs in knob_choices(scaled, known[pattern], where):
                for chan in chans:
                    cell = Cell(pattern, chan, knobs, settings["time"],
                                settings["rounds"], settings["latency"],
                                where, files[chan], work(known[pattern], knobs),
                                settings["most"] or 0, settings["rank"],
                                settings["latency_time"] or 0,
                                settings["latency_items"] or 0,
                                most_items(known[pattern]))
                    # With so many CPUs two lists may meet.
                    if scaled != line.knobs and cell.name in first:
                        continue
                    refuse_repeated(cell, first)
                    cells.append(cell)
    return cells


def scale(values, cpus, most=None):
    """The values with what depends on the number of CPUs worked out: `1..4cpus` is 1,
    2, 4 and so on up to four for each CPU, `16cpus` sixteen for each; never more than
    `most`, since no sweep can know how many CPUs there will be."""
    found = []
    for value in values:
        match = RANGE.match(value)
        if not match or whole(value) is not None:
            found.append(value)
            continue
        low, high = (times(part, cpus) for part in (match[1], match[2] or match[1]))
        if value.endswith("cpus") and most:
            high = min(high, most)
        while 0 < low < high:
            found.append(str(low))
            low *= 2
        found.append(str(high))
    return list(dict.fromkeys(found))


def most_of(keys, pattern):
    """The largest value that all of these knobs may have, or None."""
    limits = [spec["max"] for spec in pattern.get("knobs") or [] if spec["name"] in keys
              and isinstance(spec.get("max"), int)]
    return min(limits, default=None)


def most_items(pattern):
    return min(MOST_ITEMS, most_of(("items",), pattern) or MOST_ITEMS)


def times(text, cpus):
    factor = text.partition("cpus")[0]
    return int(factor or 1) * (cpus if text.endswith("cpus") else 1)


def chosen(wanted, known, what, where):
    """The names a list chooses: `*` is all of them."""
    if wanted == ["*"]:
        return list(known)
    for name in wanted:
        if name not in known:
            raise Problem("%s: no %s '%s'; there are %s"
                          % (where, what, name, ", ".join(known)))
    return wanted


def knob_choices(knobs, pattern, where):
    """Every combination of a line's knobs, in the pattern's own order."""
    specs = {spec["name"]: spec for spec in pattern.get("knobs") or []}
    order = list(specs) + list(COMMON)
    choices = []
    for keys, values in knobs:
        for key in keys:
            refuse_unknown(key, specs, pattern["name"], where)
        if values == ["*"]:
            values = sweep_values(specs.get(keys[0]), keys[0], where)
        for value in values:
            for key in keys:
                check_range(specs.get(key), key, value, where)
        choices.append([[(key, value) for key in keys] for value in values])
    for picked in product(*choices):
        flat = [knob for group in picked for knob in group]
        yield tuple(sorted(flat, key=lambda knob: order.index(knob[0])))


def work(pattern, knobs):
    """Nanoseconds of work that one item is asked to cost, at most: what its knobs in
    ns say, in every stage, and in the slow one so many times as long."""
    values = {spec["name"]: spec.get("default") for spec in pattern.get("knobs") or []}
    values.update((key, whole(value)) for key, value in knobs)
    units = {spec["name"]: spec.get("unit") for spec in pattern.get("knobs") or []}
    cost = sum(value for key, value in values.items() if isinstance(value, int)
               and (units.get(key) == "ns" or key == "work"))
    for key in MULTIPLIERS:
        cost *= values[key] if isinstance(values.get(key), int) else 1
    return cost


def refuse_unknown(key, specs, pattern, where):
    if key not in specs and key not in COMMON:
        raise Problem("%s: pattern %s has no knob '%s'; it has %s"
                      % (where, pattern, key, ", ".join(specs)))


def sweep_values(spec, key, where):
    """The list a knob recommends for sweeps, for `key=*`."""
    values = (spec or {}).get("sweep")
    if isinstance(values, str):
        values = values.replace(" ", "").split(",") if values else []
    if not values:
        raise Problem("%s: %s=*: this knob has no list of its own; "
                      "write the values" % (where, key))
    return [str(value) for value in values]


def check_range(spec, key, value, where):
    """Refuses a number outside its knob's range, where the range is known."""
    low, high = (spec or {}).get("min"), (spec or {}).get("max")
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return
    if low == high:
        return  # a knob of words has no range
    if whole(value) is None or not low <= whole(value) <= high:
        unit = (spec.get("unit") or "").strip()
        raise Problem("%s: %s=%s: must be a whole number from %d to %d%s"
                      % (where, key, value, low, high, unit and " " + unit))


def refuse_repeated(cell, first):
    """The same cell twice would be measured twice and shown once."""
    if cell.name in first:
        raise Problem("%s: %s stands there already (%s)"
                      % (cell.where, cell.name, first[cell.name]))
    first[cell.name] = cell.where
