"""Which channel for this? The cells of one question, and what they say of it.

All candidates are run in interleaved rounds, so that what drifts on the machine falls
on all alike. The later rounds are for those that may still be the best: whatever is
surely slower than the fastest, or lacks what was asked for, is not run again.
"""

import re
from dataclasses import dataclass, field, replace

from . import Problem, figures, plan
from .binary import BAD, MEASURED
from .cells import Cell
from .peers import rate
from .runner import Runner
from .stats import median, median_ci

SCHEMA = 1
PATTERN = "producer_consumer"
#: What can be asked for, by the word with which a channel declares it, and how it is
#: told of one that lacks it.
NEEDS = {
    "select": "no select",
    "timeout": "no deadlines",
    "batch": "no batches",
    "len": "no length",
    "fifo": "not in order",
    "bounded": "no bound: senders never wait",
    "unbounded": "has a bound",
    "rendezvous": "no capacity 0",
    "close": "close is not the library's",
    "sleep": "only spins",
}
#: What is told of all that lack it, asked for or not.
TOLD = ("select", "timeout", "batch", "len", "sleep")
#: What all have but those of whose adapter this is said.
ADDED = (("close", r"(^|; )close\b"), ("sleep", r"(^|; )spins\b"))
UNBOUNDED = "unbounded"

#: Slices are as long as the time allows, but for that many rounds.
TIMES_MS, COMFORTABLE_ROUNDS = (60, 40, 25, 15), 15
#: Before these, nothing is decided; and there are never more of them.
FEW_ROUNDS, MOST_ROUNDS = 9, 61
#: After these, what was never at so large a share of the fastest is left out already.
FAR_ROUNDS, NEAR = 3, 0.5
#: How sure it has to be that a candidate is slower before it is left out.
SURE = 0.98
#: Two that differ by less are equally good.
ALIKE = 0.10
#: More work, in ns, and one slice would take up all of the time.
WORK_MOST = 100000
#: Rounds that measure latency, too.
LATENCY_ROUNDS = (0, 3, 6)


@dataclass(frozen=True)
class Question:
    """What the channel is for."""

    producers: int
    consumers: int
    cap: object  #: a number, or "unbounded"
    size: int
    work: int = 0  #: ns at the consumer, for each message
    need: tuple = ()

    @property
    def needs(self):
        """What was asked for, and what the capacity implies."""
        implied = ("rendezvous" if self.cap == 0 else
                   UNBOUNDED if self.cap == UNBOUNDED else "bounded")
        return tuple(dict.fromkeys(self.need + (implied,)))

    @property
    def knobs(self):
        knobs = [("producers", self.producers), ("consumers", self.consumers)]
        # It means nothing to a channel without a bound; the pattern wants one.
        if self.cap != UNBOUNDED:
            knobs.append(("cap", self.cap))
        knobs.append(("payload", self.size))
        if self.work:
            knobs.append(("work", self.work))
        return tuple((key, str(value)) for key, value in knobs)

    def __str__(self):
        def several(n, what):
            return "%d %s%s" % (n, what, "s" * (n != 1))
        words = [several(self.producers, "producer"), several(self.consumers, "consumer"),
                 self.cap if self.cap == UNBOUNDED else "capacity %d" % self.cap,
                 "messages of %d bytes" % self.size]
        if self.work:
            words.append("%d ns of work on each" % self.work)
        return ", ".join(words) + ("; needs " + ", ".join(self.need) if self.need else "")


@dataclass
class Candidate:
    """A channel that can do the cell, and how it did."""

    name: str
    unmet: tuple  #: of what was asked for
    lacks: tuple  #: of what is told of all, beside that
    load: str = ""
    peer: bool = False
    verdict: str = ""
    why: str = ""
    rates: dict = field(default_factory=dict)  #: messages per second, by round
    records: list = field(default_factory=list)
    slices: dict = field(default_factory=dict)  #: those of `records` with a rate, by round

    @property
    def qualifies(self):
        return not self.unmet

    @property
    def rate(self):
        return median(self.rates.values()) if self.rates else None

    @property
    def bad(self):
        return self.verdict in BAD

    def figure(self, of):
        """The median over the slices that have it, or None."""
        known = [value for value in map(of, self.records) if value is not None]
        return median(known) if known else None

    @property
    def cpu_ns(self):
        """CPU time that a message costs all tasks together."""
        return self.figure(cpu_ns)

    @property
    def p99_ns(self):
        return self.figure(lambda record: (record.get("latency_ns") or {}).get("p99"))

    @property
    def kept_up(self):
        """Whether its queue never outgrew the load while latency was measured."""
        return all((record.get("latency_ns") or {}).get("kept_up") is not False
                   for record in self.records)


def cpu_ns(record):
    seconds = figures.cost(record, "cpu_seconds")
    return None if seconds is None else 1e9 * seconds


class AdviseCell(Cell):
    """Latency is measured early: later rounds may never come."""

    def measures_latency(self, turn):
        return turn in LATENCY_ROUNDS


def able(entries, question):
    """(candidates, {name: why not}) of what `weft list --json` says of channels."""
    candidates, unable = [], {}
    for entry in entries:
        can = set(entry.get("caps") or ())
        if "no_data" in can:
            continue  # moves nothing: of no use to anybody
        why = cannot(entry, can, question)
        if why:
            unable[entry["name"]] = why
            continue
        # A peer's adapter says what it adds to the library.
        added = entry.get("adapter") or ""
        can.update(what for what, sign in ADDED if not re.search(sign, added))
        candidates.append(Candidate(
            entry["name"], tuple(need for need in question.needs if need not in can),
            tuple(what for what in TOLD if what not in can | set(question.needs)),
            entry.get("load") or "", "adapter" in entry))
    return candidates, unable


def cannot(entry, can, question):
    """Why it is not able to do it at all, by what it declares; "" if it is."""
    for limit, count, what in (("max_senders", question.producers, "sender"),
                               ("max_receivers", question.consumers, "receiver")):
        most = entry.get(limit)
        if most and count > most:
            return "%d %s%s at most" % (most, what, "s" * (most != 1))
    if question.cap == UNBOUNDED:
        return "" if UNBOUNDED in can else NEEDS[UNBOUNDED]
    if question.cap < (entry.get("min_cap") or 0):
        return NEEDS["rendezvous"]
    most = entry.get("max_cap")
    if most is not None and question.cap > most and UNBOUNDED not in can:
        return "capacity %d at most" % most
    return ""


def refuse(question, pattern):
    """Problem for what is out of bounds, as the pattern states them."""
    specs = {spec["name"]: spec for spec in pattern.get("knobs") or []}
    for option, key in (("producers", "producers"), ("consumers", "consumers"),
                        ("cap", "cap"), ("size", "payload"), ("work", "work")):
        value, spec = getattr(question, option), specs.get(key) or {}
        low, high = spec.get("min"), spec.get("max")
        if value == UNBOUNDED or not isinstance(low, int) or not isinstance(high, int):
            continue
        if option == "work":
            low, high = 0, min(high, WORK_MOST)
        if not low <= value <= high:
            raise Problem("--%s=%s: must be a whole number from %d to %d%s" % (
                option, value, low, high,
                ", or unbounded" if option == "cap" else ""))
    if question.size % 8:
        raise Problem("--size=%d: must be a multiple of 8; %d is the next"
                      % (question.size, question.size + 8 - question.size % 8))


def cells(candidates, question, seconds):
    """A cell for each, with as many rounds of as long slices as fit that time."""
    found = [AdviseCell(PATTERN, one.name, question.knobs, TIMES_MS[0], FEW_ROUNDS, 0,
                        "--producers=%d" % question.producers, one.load, question.work)
             for one in candidates]
    for time_ms in TIMES_MS:
        found = [replace(cell, time_ms=time_ms) for cell in found]
        rounds = rounds_that_fit(found, seconds)
        if rounds >= COMFORTABLE_ROUNDS:
            break
    rounds = min(MOST_ROUNDS, max(plan.FEWEST_ROUNDS, rounds))
    return [replace(cell, rounds=rounds) for cell in found]


def rounds_that_fit(cells_, seconds):
    used = rounds = 0
    while rounds < MOST_ROUNDS:
        used += sum(plan.slice_seconds(cell, rounds) for cell in cells_)
        if used > seconds:
            break
        rounds += 1
    return rounds


class AdviseRunner(Runner):
    """Successive elimination: after each round, what is surely not the best is over.
    `decided` once nothing is open."""

    def __init__(self, weft, candidates, *args):
        super().__init__(weft, *args)
        self.candidates = {one.name: one for one in candidates}
        self.decided = False
        self.round_begun, self.longest = self.now(), 0.0

    def arguments(self, cell, turn):
        """What a channel costs beside its runs is not asked."""
        args = super().arguments(cell, turn)
        return args if "--cost=0" in args else args + ["--cost=0"]

    def another_fits(self, turn):
        """Unlike a sweep, it ends in time even if that leaves few rounds. Which of them
        measure latency, and what their turns are corrected by, makes some longer than
        others."""
        now = self.now()
        self.longest = max(self.longest, now - self.round_begun)
        self.round_begun = now
        return not self.decided and now + self.longest - self.begun <= self.budget

    def keep(self, cell, entry, turn):
        super().keep(cell, entry, turn)
        one = self.candidates[cell.chan]
        if one.verdict not in BAD:
            one.verdict, one.why = entry["verdict"], entry["why"]
        if entry["verdict"] not in MEASURED:
            return
        one.records.append(entry)
        found = rate(entry)
        if found:
            one.rates[turn], one.slices[turn] = found, entry

    def round_ends(self, turn):
        if turn + 1 < FAR_ROUNDS:
            return
        early = turn + 1 < FEW_ROUNDS
        gone = far_behind(self.running()) if early else eliminated(self.running())
        self.over.update(cell.name for cell in self.cells if cell.chan in gone)
        self.decided = not early and is_decided(self.running())

    def running(self):
        return [self.candidates[cell.chan] for cell in self.cells
                if cell.name not in self.over]


def measured(candidates):
    return [one for one in candidates if one.rates and not one.bad]


def best(candidates):
    """The fastest of those that have all that was asked for; None without one."""
    found = [one for one in measured(candidates) if one.qualifies]
    most = max((len(one.rates) for one in found), default=0)
    # What was left out early was slower then; it has no say in what came later.
    return max((one for one in found if len(one.rates) == most),
               key=lambda one: one.rate, default=None)


@dataclass
class Against:
    """The speed of one over that of another, in the rounds that both were run in."""

    value: float
    low: float
    high: float
    level: float  #: how sure it is that these enclose it


def against(one, other, confidence=0.95):
    turns = [turn for turn in one.rates if turn in other.rates]
    ratios = [speed_over(one, other, turn) for turn in turns]
    found = median_ci(ratios, confidence)
    if not found:
        found = min(ratios), max(ratios), 1 - 2.0 ** (1 - len(ratios))
    return Against(median(ratios), *found)


def speed_over(one, other, turn):
    """How many times as fast one is in a round; turn by turn, where they were measured so."""
    if turn in one.slices and turn in other.slices:
        return figures.ratio(one.slices[turn], other.slices[turn])
    return one.rates[turn] / other.rates[turn]


def eliminated(candidates):
    """The names of those that need no more rounds."""
    top = best(candidates)
    if top is None:
        return []
    return [one.name for one in candidates if one is not top and one.rates
            and (one.unmet or against(one, top, SURE).high < 1 - ALIKE)]


def far_behind(candidates):
    """The names of those that never came near the best: many of them would leave the
    others too few rounds."""
    top = best(candidates)
    if top is None:
        return []
    return [one.name for one in candidates if one is not top and one.rates
            and against(one, top, 1).high < NEAR]


def is_decided(candidates):
    """Whether each of those that are left is surely slower than the best, or surely as
    good as it."""
    top = best(candidates)
    if top is None:
        return True
    found = [against(one, top, SURE) for one in candidates if one is not top and one.rates]
    return all(one.high < 1 or 1 - ALIKE < one.low and one.high < 1 / (1 - ALIKE)
               for one in found)


@dataclass
class Advice:
    """What the rounds say."""

    question: Question
    pick: object  #: the best of those that qualify, or None
    ranking: list  #: [(candidate, against the pick)], fastest first
    undecided: list  #: those that may be as fast as the pick
    failed: list  #: (name, verdict, why)
    unable: dict  #: name: why


def conclude(question, candidates, unable):
    unable = dict(unable)
    unable.update((one.name, one.why) for one in candidates if one.verdict == "N/A")
    failed = [(one.name, one.verdict, one.why) for one in candidates if one.bad]
    ranked = measured(candidates)
    pick = best(ranked)
    reference = pick or max(ranked, key=lambda one: one.rate, default=None)
    ranking = [(one, against(one, reference)) for one in ranked]
    ranking.sort(key=lambda pair: -pair[1].value)
    undecided = [one for one, ratio in ranking
                 if one is not pick and one.qualifies and ratio.high >= 1]
    return Advice(question, pick, ranking, undecided, failed, unable)
