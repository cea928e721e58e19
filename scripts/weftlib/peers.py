"""Our channels beside those of others: which take part, in which cells, how long.

A participant is a channel of one binary: `weft` itself with the peers that it
loads, and one binary for each other language, which reads and prints what `weft
run` does. Every cell is the same raw work for all of them. Some are of components
that need no channel; there one of ours stands for all.
"""

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from . import Problem, figures, plan, shape, shown, turns
from .binary import MEASURED, Weft
from .cells import Cell
from .runner import Runner, takes_turns

#: Those of our channels that are to be as fast as anybody's, and one that is
#: shown for scale.
OURS = ("ring", "handoff", "mpsc", "spsc")
SCALE = ("condvar",)
#: What is compared without a channel, and what of ours stands for it: any would do.
COMPONENTS = ("semaphore", "singleflight")
STANDS_FOR = {"handoff": COMPONENTS}
#: The binaries of other languages, and what each is called.
LANGUAGES = {"peer_go": "Go", "peer_rust": "Rust"}

#: Two runs agree when so many of our cells are within this of each other.
AGREEING, WITHIN = 0.9, 1.15

PATTERN = "producer_consumer"
#: Nothing but the channel and the tally, in every language.
RAW = (("variant", "bare"),)
SHAPES = ((1, 1), (4, 1), (1, 4), (2, 2), (4, 4), (16, 16))
CAPS = (0, 1, 64, 1024)
ONE_CPU_CAPS = (64, 1024)
#: What an acquire or a call costs that is alone, and what it costs beside others.
OF_COMPONENTS = (
    ("semaphore", ("workers", "1"), ("work", "0")),
    ("semaphore", ("workers", "4"), ("permits", "2"), ("work", "0")),
    ("singleflight", ("workers", "1"), ("sleep", "0")),
    ("singleflight", ("workers", "4"), ("keys", "1"), ("sleep", "0")),
    ("singleflight", ("workers", "4"), ("keys", "10000"), ("sleep", "0")))

#: One message at a time to a receiver that waits: how long the sender sleeps before
#: each, in ns, and how many there are.
PAUSE_NS, PAUSED_ITEMS = 200_000, 500
PAUSED_CAPS = (1, 64)

#: Below this a slice is mostly its beginning and its end.
COMFORTABLE_MS = 100

#: A peer that in its first rounds has not once come near what the best peer of its
#: kind did in each of them will not be that, and is not run there again: so many
#: rounds, this share.
TRIALS, NEAR = 2, 0.6
#: In so many rows a peer may hang, or crash, before it is not run anywhere any more:
#: each hang costs the whole of its limit.
CHANCES = 2
#: How many stay, by experience; what an estimate goes by.
STAY = 0.55

CHANNELS = shape.each(shape.has(
    name=shape.text, why_not=shape.maybe(shape.text), tasks=shape.maybe(shape.text),
    library=shape.maybe(shape.text), adapter=shape.maybe(shape.text),
    caps=shape.maybe(shape.each(shape.text)),
    patterns=shape.maybe(shape.each(shape.text)),
    **{limit: shape.maybe(shape.count) for limit in (
        "min_cap", "max_cap", "max_senders", "max_receivers")}))


@dataclass(frozen=True)
class Participant:
    """A channel that takes part."""

    name: str
    binary: str  #: the name of the command that has it
    side: str  #: "ours", "scale" or "peer"
    library: str = ""  #: with its version
    adapter: str = ""  #: what was added to it
    tasks: str = "threads"
    unbounded: bool = False
    min_cap: int = 0
    max_cap: Optional[int] = None
    max_senders: int = 0  #: 0: any number
    max_receivers: int = 0
    patterns: tuple = (PATTERN,)  #: what of those that are compared it can do

    def can(self, row):
        """Whether it has said that it can do this row."""
        if row.own:
            return row.pattern in self.patterns
        return (PATTERN in self.patterns and row.cap >= self.min_cap
                and (self.max_cap is None or row.cap <= self.max_cap)
                and row.producers <= (self.max_senders or row.producers)
                and row.consumers <= (self.max_receivers or row.consumers))

    @property
    def spins(self):
        """Whether its waiting is only spinning, which is no channel's."""
        return "spins" in self.adapter

    @property
    def apart(self):
        """Whether what it does is another thing: its senders never wait for room, or
        nobody ever sleeps."""
        return self.spins or self.unbounded

    @property
    def is_threads(self):
        return self.tasks == "threads"


@dataclass(frozen=True)
class Row:
    """One row of the table: what all participants do."""

    producers: int
    consumers: int
    cap: int
    one_cpu: bool
    pattern: str = PATTERN
    own: tuple = ()  #: its knobs, where it has no channel
    pause: int = 0  #: ns before each message

    @property
    def name(self):
        if self.own:
            return " ".join((self.pattern, *(word for knob in self.own for word in knob)))
        if self.pause:
            return "idle receiver, cap %d" % self.cap
        return "%s%d:%d cap %d" % ("one CPU, " if self.one_cpu else "",
                                   self.producers, self.consumers, self.cap)

    @property
    def knobs(self):
        if self.own:
            return self.own
        paused = (("pause", str(self.pause)), ("items", str(PAUSED_ITEMS)))
        return (("producers", str(self.producers)), ("consumers", str(self.consumers)),
                ("cap", str(self.cap))) + paused * bool(self.pause) + RAW

    def crowd(self):
        """Tasks for each CPU."""
        tasks = self.producers + self.consumers or int(dict(self.own).get("workers", 1))
        cpus = 1 if self.one_cpu else len(os.sched_getaffinity(0))
        return plan.tasks_for_each_cpu(tasks, cpus)


@dataclass(frozen=True)
class PeerCell(Cell):
    """One participant in one row."""

    row: Row = None
    who: Participant = None
    cpu: int = 0  #: the only one, where the row has one
    warms_up = False

    @property
    def name(self):
        return super().name + ("/cpus:1" if self.row.one_cpu else "")

    @property
    def by_turns(self):
        """What is paused before each message has few of them."""
        return not self.row.pause

    def facts(self):
        facts = {"row": self.row.name, "binary": self.who.binary,
                 "side": self.who.side}
        if self.row.one_cpu:
            facts["cpu"] = self.cpu
        return facts


class Fleet:
    """The binaries, of which one at a time runs."""

    def __init__(self, weft, others):
        self.binaries = {"weft": weft, **others}

    @property
    def asleep(self):
        return sum(binary.asleep for binary in self.binaries.values())

    def stop(self):
        """Ends whatever runs; for signal handlers."""
        for binary in self.binaries.values():
            binary.stop()

    def takes_turns(self):
        """Whether all of them can. Those of other languages have one help for all."""
        return all(takes_turns(binary) if name == "weft" else
                   takes_turns(binary, ["--help"])
                   for name, binary in self.binaries.items())

    def hashes(self):
        return {name: binary.sha256() for name, binary in self.binaries.items()}


def gather(weft, folder):
    """(fleet, participants, what is missing, in a line each)."""
    found, missing, others = own(weft), [], {}
    found += listed(weft, "weft", missing)
    for name, language in LANGUAGES.items():
        path = Path(folder, name)
        if not os.path.isfile(path):
            missing.append("%s: no %s in '%s'" % (language, name, shown(path.parent)))
            continue
        others[name] = Weft(path)
        found += listed(others[name], name, missing)
    refuse_repeated(found)
    return Fleet(weft, others), found, missing


def own(weft):
    """Those of our channels that take part."""
    entries = {entry["name"]: entry for entry in weft.ask(CHANNELS, "list", "channels",
                                                          "--json")}
    return [participant(entries[name], "weft", side)
            for side, wanted in (("ours", OURS), ("scale", SCALE))
            for name in wanted if name in entries]


def listed(binary, name, missing):
    """The peers that a binary has; none where it cannot say."""
    try:
        entries = binary.ask(CHANNELS, "list", "peers", "--json")
    except Problem as problem:
        missing.append("%s: %s" % (name, problem))
        return []
    missing += ["%s: %s" % (entry["name"], entry["why_not"]) for entry in entries
                if entry.get("why_not")]
    return [participant(entry, name, "peer") for entry in entries
            if not entry.get("why_not")]


def participant(entry, binary, side):
    told = {key: entry[key] for key in (
        "library", "adapter", "tasks", "min_cap", "max_cap", "max_senders",
        "max_receivers") if entry.get(key) is not None}
    patterns = tuple(entry.get("patterns") or (PATTERN,))
    if side == "ours":
        patterns += STANDS_FOR.get(entry["name"], ())
    return Participant(entry["name"], binary, side, patterns=patterns,
                       unbounded="unbounded" in (entry.get("caps") or []), **told)


def refuse_repeated(found):
    seen = {}
    for who in found:
        if who.name in seen:
            raise Problem("two channels are called '%s': one of %s, one of %s"
                          % (who.name, seen[who.name], who.binary))
        seen[who.name] = who.binary


def choose(found, wanted):
    """Those that are asked for by name; all without a name."""
    if not wanted:
        return found
    known = [who.name for who in found]
    for name in wanted:
        if name not in known:
            raise Problem("--chans: no channel '%s'; there are %s"
                          % (name, ", ".join(known)))
    return [who for who in found if who.name in wanted]


def rows():
    return [Row(producers, consumers, cap, one_cpu)
            for one_cpu, caps in ((False, CAPS), (True, ONE_CPU_CAPS))
            for cap in caps for producers, consumers in SHAPES
            ] + [Row(0, 0, 0, False, name, tuple(knobs)) for name, *knobs in OF_COMPONENTS
                 ] + [Row(1, 1, cap, False, pause=PAUSE_NS) for cap in PAUSED_CAPS]


def build(chosen, wanted, time_ms, rounds):
    """The cells of the rows whose names match, row by row."""
    picked = [row for row in rows() if wanted is None or wanted.search(row.name)]
    if not picked:
        raise Problem("--cells '%s' matches none of the cells; --list shows their "
                      "names" % wanted.pattern)
    cpu = min(os.sched_getaffinity(0))
    cells = [PeerCell(row.pattern, who.name, row.knobs, time_ms, rounds, 0, "peers",
                     row=row, who=who, cpu=cpu)
            for row in picked for who in chosen if who.can(row)]
    if not cells:
        raise Problem("none of the channels (%s) can do any of the cells; --list "
                      "shows both" % ", ".join(who.name for who in chosen))
    return cells


def estimate(cells):
    """Seconds for all rounds of them, those left out that will not stay."""
    trials, rest = 0.0, 0.0
    for cell in cells:
        for turn in range(cell.rounds):
            cost = plan.slice_seconds(cell, turn)
            if turn < TRIALS:
                trials += cost
            else:
                rest += cost
    return trials + STAY * rest


def fit(cells, budget):
    """The same with shorter slices, down to what is comfortable, and then with fewer
    rounds, to fit `budget` s; with as few as can be, with shorter slices again."""
    cells = shrink_time(cells, budget, COMFORTABLE_MS)
    while estimate(cells) > budget and cells[0].rounds > plan.FEWEST_ROUNDS:
        cells = [replace(cell, rounds=cell.rounds - 1) for cell in cells]
    return shrink_time(cells, budget, plan.COMFORTABLE_MS)


def shrink_time(cells, budget, shortest):
    """All of them have the same length."""
    time_ms = cells[0].time_ms
    while time_ms > shortest and estimate(with_time(cells, time_ms)) > budget:
        time_ms = max(shortest, int(time_ms * 0.95))
    return with_time(cells, time_ms)


def with_time(cells, time_ms):
    return [replace(cell, time_ms=time_ms) for cell in cells]


#: Where tasks run: each kept on one CPU, or where the system puts them.
APART, FREE = PLACEMENTS = ("apart", "free")


class PeerRunner(Runner):
    """Runs what is compared side by side: row by row, in each all participants by turns
    or, where a binary knows none, one after the other, beginning with another one in
    each round, and every other round the other way round. `left_out` has the cells that
    are not run any more."""

    def __init__(self, placement, fleet, *args):
        super().__init__(fleet, *args)
        self.placement = placement
        self.by_turns = fleet.takes_turns()
        self.rates = {}  # of each row's cells, by name: messages per second
        self.left_out = []
        self.ended = {}  # of each peer: the cells that hung or crashed

    def keep(self, cell, entry, turn):
        super().keep(cell, entry, turn)
        if entry["verdict"] in ("HUNG", "CRASHED") and cell.who.side == "peer":
            self.give_up_on(cell)
        found = rate(entry) if entry["verdict"] in MEASURED else None
        if found:
            row = self.rates.setdefault(cell.row, {})
            row.setdefault(cell.name, []).append(found)

    def learn(self, cell, entry):
        """All of a row have turns of one length, whatever each calls a task."""
        super().learn(cell, entry)
        self.crowds[cell.name] = cell.row.crowd()

    def give_up_on(self, cell):
        ended = self.ended.setdefault(cell.who, [])
        ended.append(cell.name)
        if len(ended) < CHANCES:
            return
        for other in self.cells:
            if other.who == cell.who and other.name not in self.over:
                self.over.add(other.name)
                self.left_out.append(other)

    def round_ends(self, turn):
        if turn + 1 != TRIALS:
            return
        for cell in self.cells:
            if self.is_far_behind(cell):
                self.over.add(cell.name)
                self.left_out.append(cell)

    def is_far_behind(self, cell):
        """The best peer of each kind is what ours are compared with, and stays: of those
        that wait and those that do another thing, with threads and without."""
        row = self.rates.get(cell.row, {})
        if cell.who.side != "peer" or cell.name not in row or cell.name in self.over:
            return False
        rivals = [other for other in self.cells if other.row == cell.row
                  and other.who.side == "peer" and other.name in row
                  and other.name not in self.over
                  and other.who.apart == cell.who.apart
                  and other.who.is_threads == cell.who.is_threads]
        return max(row[cell.name]) < NEAR * max(min(row[other.name]) for other in rivals)

    def parts(self, turn):
        by_row = {}
        for cell in self.cells:
            by_row.setdefault(cell.row, []).append(cell)
        order = list(by_row)
        random.Random("%d/%d" % (self.seed, turn)).shuffle(order)
        found = [[cell for cell in plan.rotated(by_row[row], turn) if turn < cell.rounds]
                 for row in order]
        return found if self.by_turns else [[cell] for row in found for cell in row]

    def ask(self, cell, args, limit):
        return self.weft.binaries[cell.who.binary].run(args, limit, cpus_of(cell))

    def member(self, cell, args, limit):
        return turns.Member(self.weft.binaries[cell.who.binary], args, limit,
                            cpus_of(cell), cell.time_ms / 1000)

    def arguments(self, cell, turn):
        """The kernels of other languages know no idle cost; ours does without. In Go the
        runtime says where a goroutine runs, and there is nothing to ask for."""
        args = [arg for arg in super().arguments(cell, turn)
                if not arg.startswith("--cost=")]
        if cell.who.binary == "weft":
            args.append("--cost=0")
        if cell.who.is_threads:
            args.append("--placement=" + (FREE if cell.row.one_cpu else self.placement))
        return args + ["--timeout=%d" % self.patience]


def cpus_of(cell):
    return {cell.cpu} if cell.row.one_cpu else None


def rate(slice_):
    """Messages per second of one slice, or None."""
    time = figures.figure(slice_)
    return 1e9 / time if time else None
