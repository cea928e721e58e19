"""Recording gate runs whose outcome is known, one file each, as many as there is time for."""

import os
import re
import signal
import subprocess
import time
from dataclasses import replace

from .. import Problem, cells as cellmaker, sweepfile
from . import evidence, host, records
from .loop import LoopBench, Run, Variant, Whole
from .records import Record
from .rounds import Failed, Live
from .trial import LOOKS, Disturbed, Outcome, Trial
from .verdict import FLAGS

#: What is done to the head.
KINDS = """
  loop          nothing, and beside that run others of the same rounds: some in which
                one cell has N per cent more messages (--slower), some more in which
                nothing is done (--twins); many runs in little time
  mutants       the same with bugs planted in its source, in the cells of that code
  full          nothing, and all cells run all 41 rounds: material for resampling
  same          nothing: it is the base, the very same executables
  relinked      nothing, but links of its own, as in any gate run
  load          as relinked, while other processes use the CPUs now and then
  slower-N      as relinked, but N per cent more messages in one cell, another each run
"""
#: What cannot be seen in any test but makes it slower.
MUTANTS = {
    "fence": ("core/chan/ring.c", "	elem_copy(s->elem, elem, elem_size);\n",
              "	elem_copy(s->elem, elem, elem_size);\n"
              "	__atomic_thread_fence(__ATOMIC_SEQ_CST);\n"),
    "padding": ("core/chan/ring.c", "	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;",
                "	_Atomic uint64_t head;"),
    "broadcast": ("core/chan/condvar.c", "pthread_cond_signal(&q->not_empty);",
                  "pthread_cond_broadcast(&q->not_empty);"),
    "spin-off": ("core/task/spinner.c", "	s->policy = policy;\n	s->learns",
                 "	s->policy = policy == WEFT_WAIT_ADAPTIVE ? WEFT_WAIT_PARK : policy;\n"
                 "	s->learns"),
    "lock-held": ("core/chan/handoff.c", "	handoff_push(h, elem, elem_size);\n	spin_unlock(&h->lock);\n",
                  "	handoff_push(h, elem, elem_size);\n"
                  "	elem_copy(h->buffer + (h->head + h->len - 1) % h->cap * elem_size, elem,\n"
                  "	          elem_size);\n"
                  "	weft_relax();\n	spin_unlock(&h->lock);\n"),
}
#: Cells whose time each of them is in.
TOUCHED = {"fence": "chan:ring", "padding": "chan:ring", "broadcast": "chan:condvar",
           "spin-off": "producer_consumer/chan:(handoff|list|ring|spsc)",
           "lock-held": "(event_loop|pipeline|producer_consumer)/chan:handoff"}
PLAIN = ("loop", "mutants", "full", "same", "relinked", "load")
SLOWER = re.compile(r"slower-([1-9][0-9]?)\Z")
LOADS = 2
LOAD = "while :; do sleep 0.3; timeout 0.4 sh -c 'while :; do :; done'; done"


def check(kind):
    """Problem unless there is such a kind."""
    if kind not in PLAIN and not SLOWER.match(kind):
        raise Problem("no kind '%s'; there are %s, and slower-1 to slower-99"
                      % (kind, ", ".join(PLAIN)))


def share(kind):
    """How much more the head does; 0 where that is not what the kind is."""
    found = SLOWER.match(kind)
    return int(found.group(1)) / 100 if found else 0.0


def slower_runs(number, cells, wanted):
    """The runs of a loop in which a cell is slower; `wanted` is [(kind, how many)].

    Each kind goes through the cells by itself, from loop to loop, and begins elsewhere.
    """
    return [Run(kind, [Variant(cells[(number * count + place
                                      + turn * len(cells) // len(wanted)) % len(cells)],
                               kind, share(kind))])
            for turn, (kind, count) in enumerate(wanted) for place in range(count)]


def twin_runs(cells, count):
    """Runs of identical code beside the first, with links of their own."""
    return [Run("relinked", [Variant(cell, name) for cell in cells])
            for name in twin_names(count)]


def twin_names(count):
    return ["twin-%d" % number for number in range(1, count + 1)]


def mutant_runs(cells):
    """A run for each mutant, in all cells that it is in; none where there are none."""
    made = [Run("mutant-" + name, [Variant(cell, "mutant-" + name) for cell in cells
                                   if re.search(touched, cell)])
            for name, touched in TOUCHED.items()]
    return [run for run in made if run.variants]


def missing(folder, wanted):
    """(kind, number) of each run that is not there, the kinds in turn."""
    most = max(count for _, count in wanted)
    return [(kind, number) for number in range(most) for kind, count in wanted
            if number < count and not records.path_of(folder, kind, number).exists()]


class Recorder:
    """Makes runs; `made` has the builds, `side` is the commit that all of them are of."""

    def __init__(self, made, side, sweep, folder, say, keep_disturbed=False, slower=(),
                 twins=0):
        self.made = made
        self.side = side
        self.sweep = sweep
        self.folder = folder
        self.say = say
        self.keep_disturbed = keep_disturbed
        self.slower = list(slower)
        self.twins = twins
        self.items = {}

    def record(self, kind, number):
        """Makes one run, or a loop of some, and keeps it; nothing of one that is cut
        off."""
        check(kind)
        seed, begun = number + 1, time.monotonic()
        bench, runs = self.bench(kind, number, seed)
        kept = Record({"schema": records.SCHEMA, "kind": kind, "number": number,
                       "host": host.this(), "commit": self.side.commit, "seed": seed,
                       "cells": list(bench.by_name),
                       "runs": [{"kind": run.kind, "slower": run.slower,
                                 "instead": run.instead} for run in runs],
                       "keep_disturbed": self.keep_disturbed})
        load = [subprocess.Popen(["sh", "-c", LOAD], start_new_session=True)
                for _ in range(LOADS if kind == "load" else 0)]
        try:
            outcome = self.measure(kind, bench, kept)
        finally:
            for one in load:
                stop(one)
        seconds = round(time.monotonic() - begun, 1)
        kept.end = {"seconds": seconds, "runs": [
            end_of(run.outcome(kept.head["cells"], outcome)) for run in runs]}
        records.write(records.path_of(self.folder, kind, number), kept)
        return kept

    def bench(self, kind, number, seed):
        """(the bench, the runs that come out of it)."""
        folder, others = self.folders(kind)
        generation = [0]

        def link():
            self.made.clear()
            found = self.made.link_all(folder, folder, seed, generation[0], others)
            if kind == "same":
                found["head"] = found["base"]
            generation[0] += 1
            return found

        binaries = link()
        weft = binaries["base"][0]
        cells = cellmaker.build(sweepfile.load(sweepfile.find(self.sweep)),
                                weft.entries("patterns"), weft.entries("channels"))
        runs = self.runs(kind, number, [cell.name for cell in cells])
        variants = [one for run in runs for one in run.variants]
        return LoopBench(cells, binaries, link, seed, variants), runs

    def folders(self, kind):
        """(the build of the base, {arm: the build of another one})."""
        folder = self.made.build(self.side)
        if kind == "loop":
            return folder, dict.fromkeys(twin_names(self.twins), folder)
        return folder, {
            "mutant-" + name: self.made.build(replace(self.side, mutation=mutation))
            for name, mutation in MUTANTS.items() if kind == "mutants"}

    def runs(self, kind, number, cells):
        """The runs of one record; the first is the one to which nothing was done."""
        untouched = Run("relinked" if kind in ("loop", "mutants", "full") else kind, [])
        if kind == "loop":
            return [untouched] + twin_runs(cells, self.twins) + slower_runs(
                number, cells, self.slower)
        if kind == "mutants":
            return [untouched] + mutant_runs(cells)
        if share(kind):
            return slower_runs(number, cells, [(kind, 1)])
        return [untouched]

    def measure(self, kind, bench, kept):
        if self.items:
            bench.items = dict(self.items)
        else:
            bench.prepare()
        outcome = Outcome(expected=len(bench.cells), failures=bench.failures,
                          missing=bench.missing)
        if bench.failures:
            return outcome
        self.items = dict(bench.items)
        live = Live(bench, kept.rounds.append,
                    clock=(lambda: None) if self.keep_disturbed else evidence.now)
        source = Whole(live, LOOKS[-1][0]) if kind == "full" else live
        try:
            Trial(source).run(outcome)
            if kind == "full":
                source.finish()
        except Failed:
            pass
        except Disturbed as problem:
            outcome.disturbed = str(problem)
        return outcome


def stop(process):
    """Ends a process and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_of(outcome):
    status, word, why = outcome.conclude()
    return {"verdict": word, "why": why, "status": status,
            "executed": outcome.executed, "failures": outcome.failures,
            "disturbed": outcome.disturbed,
            "flags": {one.cell: one.verdict for one in outcome.of(*FLAGS)},
            "counts": outcome.counts()}
