"""Live rounds: every arm of every cell once, one process per measurement. Where weft can,
the processes of a cell measure by turns (see ..turns).

A bench knows how to run one arm: `WeftBench` cells of weft, `CommandBench` any program
that prints Google Benchmark's JSON.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import exp, inf, log

from .. import Problem, shape, turns
from ..binary import MEASURED, judge, last_lines
from ..files import loads
from ..plan import slice_limit
from ..stats import median
from . import evidence
from .plan import ARMS, arm_order, cell_order, links
from .processes import STOP
from .trial import Disturbed

#: Parts of a slice. Three arms have each of three places as often in so many.
TURNS = 12
#: A slice that takes so many seconds longer than it should is hung.
PATIENCE = 30
#: Of a slice, at the most, before what counts: one run of an eighth of it.
WARMUP_MS = 5
#: Two searches for the number of messages agree when they differ by less.
AGREEING = 1.5
UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
ROW = shape.has(name=shape.text, run_type=shape.maybe(shape.text),
                real_time=shape.maybe(shape.number),
                time_unit=shape.maybe(shape.one_of(UNITS)),
                error_occurred=shape.maybe(shape.flag),
                error_message=shape.maybe(shape.text))
DOCUMENT = shape.has(benchmarks=shape.each(ROW))


@dataclass
class Slice:
    """One arm of one cell: a time, or a failure, or (missing) no such cell there."""

    ns: float = None
    failure: str = ""
    missing: str = ""
    turns: list = field(default_factory=list)  #: the time in each, if it had some


def run(program, args, limit):
    """The answer of one process; KeyboardInterrupt when a signal has cut it off."""
    return attended([program], lambda: program.run(args, limit))


def attended(programs, what):
    """What `what` returns, which runs these programs; likewise, whatever it made of
    their end."""
    STOP.running.extend(programs)
    try:
        STOP.check()
        return what()
    finally:
        for program in programs:
            STOP.running.remove(program)
        STOP.check()


def alike(binaries):
    """({arm: options} with which all arms measure in the same way, whether they can do so
    by turns): one that cannot warm up would be compared with one that has, and each
    process by itself finds another rate of work."""
    helps = {arm: run(links[0], ["help", "run"], PATIENCE).stdout
             for arm, links in binaries.items()}
    warms = {arm: "--warmup" in text for arm, text in helps.items()}
    warmup = WARMUP_MS if all(warms.values()) else 0
    work = (work_options(binaries["base"][0])
            if all("--work-rate" in text for text in helps.values()) else [])
    return ({arm: ["--warmup=%d" % warmup] * knows + work for arm, knows in warms.items()},
            all("--turns" in text for text in helps.values()))


def work_options(weft):
    """That it computes as fast as this one says a CPU does."""
    found = attended([weft], lambda: weft.ask(shape.has(work_rate=shape.count), "context",
                                              "--json"))
    return ["--work-rate=%d" % found["work_rate"]]


def beside(slices):
    """The times of slices that ran at one time, as exact as their ratios to the first are:
    each is the first one's, as many times as the median of the turns says. A turn of one
    is compared with the turn of the other that was next to it, and with no other."""
    first = slices[0]
    return [first.ns] + [one.ns if len(one.turns) != len(first.turns) or not one.turns
                         else first.ns * exp(median([
                             log(ns / base) for ns, base in zip(one.turns, first.turns)]))
                         for one in slices[1:]]


class Bench:
    """What is common to them: which arms there are."""

    def trio(self, _cell):
        """The arms that are this cell's base, head and control."""
        return ARMS

    def arms(self, _group):
        """All arms that these cells ever have, as `plan.arm_order` takes them."""
        return ARMS

    def run_all(self, turn, start, chosen, cells):
        """({arm: {cell: slice}}, the arms as they ran)."""
        order = self.order(turn, start, cells)
        return {arm: self.run(arm, chosen[arm], cells) for arm in order}, order

    def order(self, turn, start, cells):
        """The arms of these cells as they run. One that none of the cells needs any more
        leaves the order of the others as it was."""
        needed = {arm for cell in cells for arm in self.trio(cell)}
        return [arm for arm in arm_order(turn, start, self.arms(cells)) if arm in needed]

    def note(self, name, arm, found):
        """Keeps what went wrong, once per cell and side."""
        for what, kept in ((found.failure, self.failures), (found.missing, self.missing)):
            line = "%s: %s: %s" % (name, arm, what)
            if what and line not in kept:
                kept.append(line)


class WeftBench(Bench):
    """Cells of weft; `binaries` is {arm: [Weft of each link]}."""

    def __init__(self, cells, binaries, relinked, seed, inflate=None):
        self.by_name = {cell.name: cell for cell in cells}
        self.cells = list(self.by_name)
        self.binaries = binaries
        self.relinked = relinked  # makes other binaries of the same objects
        self.seed = seed
        self.inflate = inflate or {}  # {cell: by what share the head does more}
        self.options, self.by_turns = alike(binaries)
        self.items = {}  # {cell: messages of a slice}
        self.missing, self.failures = [], []

    def prepare(self):
        """How many messages each cell moves, the same in all arms and rounds: as the
        base finds them, twice alike."""
        for name in self.cells:
            self.prepare_cell(name)

    def prepare_cell(self, name):
        cell, seen = self.by_name[name], []
        if "items" in dict(cell.knobs):
            return
        for _ in range(4):
            answer = self.ask(cell, self.binaries["base"][0], None,
                              options=self.options["base"])
            found = self.read(answer, cell)
            if found.ns is None:
                self.note(name, "base", found)
                return
            count = (answer.result.get("params") or {}).get("items")
            if not isinstance(count, int) or count < 1:
                return
            seen.append(count)
            seen.sort()
            close = [pair for pair in zip(seen, seen[1:]) if pair[1] < AGREEING * pair[0]]
            if close:
                self.items[name] = close[-1][0]
                return
        self.items[name] = seen[len(seen) // 2]

    def relink(self):
        self.binaries = self.relinked()

    def groups(self, cells, phase, turn):
        """Cells that are run by one process for each arm: here each by itself."""
        return [([cell], start) for cell, start in
                cell_order(cells, phase, turn, self.seed)]

    def links(self, turn):
        return links(turn, len(self.binaries["base"]))

    def how(self, arm, cells):
        """(the cell, the arm whose executable runs it, how much more that handles)."""
        name, = cells
        return name, arm, self.inflate.get(name, 0.0) if arm == "head" else 0.0

    def run_all(self, turn, start, chosen, cells):
        if not self.by_turns:
            return super().run_all(turn, start, chosen, cells)

        def order(part):
            return self.order(turn * TURNS + part, start, cells)

        first = order(0)
        arms = [arm for arm in self.arms(cells) if arm in first]
        members = [self.member(*self.how(arm, cells), chosen[arm]) for arm in arms]
        answers = attended([one.weft for one in members], lambda: turns.run(
            members, TURNS, lambda part: [arms.index(arm) for arm in order(part)]))
        found = {}
        for arm, answer in zip(arms, answers):
            name, _, share = self.how(arm, cells)
            found[arm] = self.shared(arm, cells, self.slice_of(answer, name, share))
        return found, first

    def run(self, arm, link, cells):
        name, arm_run, share = self.how(arm, cells)
        return self.shared(arm, cells, self.slice(name, arm_run, link, share))

    def shared(self, _arm, cells, found):
        """{cell: slice}, of all cells that this is a slice of."""
        return dict.fromkeys(cells, found)

    def slice(self, name, arm, link, share):
        """One process, which handles so much more than it reports."""
        answer = self.ask(self.by_name[name], self.binaries[arm][link],
                          self.items.get(name), share, self.options[arm])
        return self.slice_of(answer, name, share)

    def slice_of(self, answer, name, share):
        found = self.read(answer, self.by_name[name])
        if found.ns is not None:
            found.ns *= 1 + share
            found.turns = [ns * (1 + share) for ns in found.turns]
        return found

    def member(self, name, arm, share, link):
        cell = self.by_name[name]
        return turns.Member(
            self.binaries[arm][link],
            self.arguments(cell, self.items.get(name), (1 + share) / TURNS, [
                "--reps=%d" % TURNS, "--turns", *self.options[arm]]),
            slice_limit(cell, PATIENCE))

    def ask(self, cell, weft, items, share=0.0, options=()):
        return run(weft, self.arguments(cell, items, 1 + share, ["--reps=1", *options]),
                   slice_limit(cell, PATIENCE))

    def arguments(self, cell, items, part, options):
        """`part` is how much of the items one repetition handles."""
        args = ["run", cell.pattern, "--chan=" + cell.chan]
        args += ["--%s=%s" % (key, value) for key, value in cell.knobs if key != "items"]
        known = dict(cell.knobs).get("items", items)
        if known:
            args.append("--items=%d" % max(1, round(int(known) * part)))
        return args + ["--time=%d" % cell.time_ms, "--latency=0", "--seed=%d" % self.seed,
                       "--json", *options]

    def read(self, answer, cell):
        judged = judge(answer, slice_limit(cell, PATIENCE))
        if judged is None:
            return Slice(missing=last_lines(answer.stderr, 1) or "exit status 2")
        verdict, why = judged
        if verdict == "N/A":
            return Slice(missing=why or verdict)
        if verdict not in MEASURED:
            return Slice(failure="%s: %s" % (verdict, why) if why else verdict)
        times = [sample["ns"] / sample["messages"] for sample in
                 answer.result.get("samples") or []
                 if sample.get("ns") and sample.get("messages")]
        return Slice(median(times), turns=times) if times else Slice(
            failure="it has no samples")


class CommandBench(Bench):
    """Programs that print Google Benchmark's JSON; all cells in one process each."""

    def __init__(self, commands, seed, timeout, wanted=None):
        self.commands = commands  # {arm: (Weft, arguments)}
        self.seed = seed
        self.timeout = timeout
        self.wanted = wanted
        self.cells = []
        self.missing, self.failures = [], []

    def prepare(self):
        """The cells are what the base prints."""
        rows, failure = self.ask("base")
        if failure:
            raise Problem("--base-cmd: " + failure)
        self.cells = [name for name in rows
                      if self.wanted is None or self.wanted.search(name)]
        if not self.cells:
            raise Problem("--base-cmd: it prints no benchmarks%s" % (
                " that match '%s'" % self.wanted.pattern if self.wanted else ""))

    def relink(self):
        """There is only what was given; the rounds are fresh all the same."""

    def groups(self, cells, phase, turn):
        _, start = cell_order(["all"], phase, turn, self.seed)[0]
        return [(cells, start)]

    def links(self, turn):
        return links(turn, 1)

    def run(self, arm, _link, cells):
        rows, failure = self.ask(arm)
        if failure:
            return {cell: Slice(failure=failure) for cell in cells}
        return {cell: rows.get(cell, Slice(missing="it prints no such benchmark"))
                for cell in cells}

    def ask(self, arm):
        """({name: slice}, what failed)."""
        program, args = self.commands[arm]
        answer = run(program, args, self.timeout)
        why = last_lines(answer.stderr, 1)
        if answer.timed_out:
            return {}, "no answer within %d s" % self.timeout
        if answer.status:
            return {}, why or "exit status %d" % answer.status
        try:
            document = loads(answer.stdout)
            DOCUMENT(document, "its answer")
        except ValueError as error:
            return {}, "not Google Benchmark's JSON: %s" % error
        return rows_of(document["benchmarks"]), ""


def rows_of(benchmarks):
    """{name: slice}, the median where a benchmark is repeated."""
    times, found = {}, {}
    for row in benchmarks:
        if row.get("run_type", "iteration") != "iteration":
            continue
        if row.get("error_occurred"):
            found[row["name"]] = Slice(failure=row.get("error_message") or "error_occurred")
        elif row.get("real_time") is None:
            continue
        elif not 0 < row["real_time"] < inf:
            found[row["name"]] = Slice(missing="its real_time is %g, of which there is no "
                                       "ratio" % row["real_time"])
        else:
            times.setdefault(row["name"], []).append(
                row["real_time"] * UNITS[row.get("time_unit") or "ns"])
    found.update((name, Slice(median(ns))) for name, ns in times.items()
                 if name not in found)
    return found


class Live:
    """A source of rounds (see `trial`) that measures them."""

    def __init__(self, bench, sink=None, progress=None, clock=evidence.now):
        self.bench = bench
        self.sink = sink or (lambda record: None)
        self.progress = progress
        self.clock = clock
        self.rejected = Counter()
        self.accepted = 0
        self.cells = list(bench.cells)

    def relink(self):
        self.bench.relink()

    def round(self, phase, turn, cells):
        """The first undisturbed one."""
        while True:
            before = self.clock()
            times, orders = self.attempt(phase, turn, cells)
            found = evidence.disturbance(before, self.clock())
            self.sink({"phase": phase, "turn": turn, "links": self.bench.links(turn),
                       "rejected": found and found[0],
                       "cells": {cell: [orders[cell]] + list(times[cell])
                                 for cell in times}})
            if found is None:
                self.accepted += 1
                return times
            self.reject(*found)

    def reject(self, kind, words):
        self.rejected[kind] += 1
        if self.progress:
            self.progress.rejected += 1
        if evidence.too_many(sum(self.rejected.values()), self.accepted):
            raise Disturbed("%d rounds were rejected and %d accepted; in the last, %s" % (
                sum(self.rejected.values()), self.accepted, words))

    def attempt(self, phase, turn, cells):
        """({cell: times}, {cell: its order of arms}), of the cells that all arms have."""
        chosen, times, orders = self.bench.links(turn), {}, {}
        for group, start in self.bench.groups(cells, phase, turn):
            if self.progress:
                self.progress.step(phase, turn, len(cells), group[0])
            slices, order = self.bench.run_all(turn, start, chosen, group)
            for cell in group:
                trio = self.bench.trio(cell)
                for arm in trio:
                    self.bench.note(cell, arm, slices[arm][cell])
                if any(slices[arm][cell].ns is None for arm in trio):
                    continue
                times[cell] = tuple(six_digits(beside(
                    [slices[arm][cell] for arm in trio])))
                orders[cell] = "".join("bhc"[trio.index(arm)] for arm in order
                                       if arm in trio)
        if self.bench.failures:
            raise Failed()
        return times, orders


def six_digits(times):
    """No clock here has more, and so a record holds exactly what was judged."""
    return [float("%.6g" % ns) for ns in times]


class Failed(Exception):
    """A cell failed its check: its name and why stand in the bench's failures."""
