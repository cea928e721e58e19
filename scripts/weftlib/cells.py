"""From a sweep file to cells: multiplied out and checked against the binary.

A cell is one pattern over one channel with fixed knobs. Everything that can
be known to be wrong is refused here, before anything is measured.
"""

from dataclasses import dataclass
from itertools import product

from . import Problem, whole

#: Knobs that mean the same in every pattern, whether or not it lists them.
#: The last two are the command's own and say how messages come while latency
#: is measured.
COMMON = ("variant", "items", "payload", "work", "batch", "wait", "placement",
          "runtime", "arrivals", "utilization")

#: Knobs that multiply the work on one item.
MULTIPLIERS = ("stages", "slow")


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

    @property
    def name(self):
        """pattern/chan:NAME/key:value/..., as `weft bench` names it."""
        parts = [self.pattern, "chan:" + self.chan]
        return "/".join(parts + ["%s:%s" % knob for knob in self.knobs])

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


def build(sweep, patterns, channels, loaded=(), override=None):
    """All cells of a sweep in file order.

    `patterns` and `channels` are what `weft list --json` printed, `loaded`
    is a list of (name, file) of the user's own channels, which join every
    line, and `override` replaces settings of the file and its lines.
    """
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
            for knobs in knob_choices(line, known[pattern], where):
                for chan in chans:
                    cell = Cell(pattern, chan, knobs, settings["time"],
                                settings["rounds"], settings["latency"],
                                where, files[chan], work(known[pattern], knobs))
                    refuse_repeated(cell, first)
                    cells.append(cell)
    return cells


def chosen(wanted, known, what, where):
    """The names a list chooses: `*` is all of them."""
    if wanted == ["*"]:
        return list(known)
    for name in wanted:
        if name not in known:
            raise Problem("%s: no %s '%s'; there are %s"
                          % (where, what, name, ", ".join(known)))
    return wanted


def knob_choices(line, pattern, where):
    """Every combination of the line's knobs, in the pattern's own order."""
    specs = {spec["name"]: spec for spec in pattern.get("knobs") or []}
    order = list(specs) + list(COMMON)
    choices = []
    for keys, values in line.knobs:
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
