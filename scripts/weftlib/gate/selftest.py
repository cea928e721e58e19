"""Recording gate runs whose outcome is known, one file each, as many as there is time for.

A kind says what is done to the head:
  same          nothing: it is the base, the very same executables
  relinked      nothing, but links of its own, as in any gate run
  full          as relinked, but all cells run all 41 rounds: material for resampling
  load          as relinked, while other processes use the CPUs now and then
  slower-N      as relinked, but N per cent more messages in one cell, another each run
  mutant-NAME   a bug is planted in its source
"""

import os
import re
import signal
import subprocess
import time
from dataclasses import replace

from .. import Problem, cells as cellmaker, sweepfile
from . import host, records
from .records import Record
from .rounds import Failed, Live, WeftBench
from .trial import LOOKS, Disturbed, Outcome, Trial
from .verdict import FLAGS

#: What cannot be seen in any test but makes it slower.
MUTANTS = {
    "fence": ("core/chan/ring.c", "	elem_copy(s->elem, elem, r->elem_size);\n",
              "	elem_copy(s->elem, elem, r->elem_size);\n"
              "	__atomic_thread_fence(__ATOMIC_SEQ_CST);\n"),
    "padding": ("core/chan/ring.c", "	_Alignas(WEFT_CACHE_LINE) _Atomic uint64_t head;",
                "	_Atomic uint64_t head;"),
    "broadcast": ("core/chan/condvar.c", "pthread_cond_signal(&q->not_empty);",
                  "pthread_cond_broadcast(&q->not_empty);"),
    "spin-off": ("core/task/spinner.c", "	s->policy = policy;\n	s->alone",
                 "	s->policy = policy == WEFT_WAIT_ADAPTIVE ? WEFT_WAIT_PARK : policy;\n"
                 "	s->alone"),
    "lock-held": ("core/chan/handoff.c", "	handoff_push(h, elem);\n	spin_unlock(&h->lock);\n",
                  "	handoff_push(h, elem);\n"
                  "	elem_copy(handoff_slot(h, h->len - 1), elem, h->elem_size);\n"
                  "	weft_relax();\n	spin_unlock(&h->lock);\n"),
}
#: Instead of a verdict, of a run that has none.
RECORDED = "RECORDED"
LOADS = 2
LOAD = "while :; do sleep 0.3; timeout 0.4 sh -c 'while :; do :; done'; done"


def check(kind):
    """Problem unless there is such a kind."""
    plain = ("same", "relinked", "full", "load")
    if kind in plain or re.match(r"slower-[1-9][0-9]?\Z", kind) or (
            kind.startswith("mutant-") and kind[len("mutant-"):] in MUTANTS):
        return
    raise Problem("no kind '%s'; there are %s, slower-1 to slower-99, and mutant-NAME with "
                  "%s" % (kind, ", ".join(plain), ", ".join(MUTANTS)))


def missing(folder, wanted):
    """(kind, number) of each run that is not there, the kinds in turn."""
    most = max(count for _, count in wanted)
    return [(kind, number) for number in range(most) for kind, count in wanted
            if number < count and not records.path_of(folder, kind, number).exists()]


class Recorder:
    """Makes runs; `made` has the builds, `side` is the commit that all of them are of."""

    def __init__(self, made, side, sweep, folder, say, keep_disturbed=False):
        self.made = made
        self.side = side
        self.sweep = sweep
        self.folder = folder
        self.say = say
        self.keep_disturbed = keep_disturbed

    def record(self, kind, number):
        """Makes one run and keeps it; nothing of one that is cut off."""
        check(kind)
        seed, begun = number + 1, time.monotonic()
        bench = self.bench(kind, number, seed)
        kept = Record({"schema": records.SCHEMA, "kind": kind, "number": number,
                       "host": host.this(), "commit": self.side.commit, "seed": seed,
                       "cells": bench.cells, "slower": bench.inflate,
                       "keep_disturbed": self.keep_disturbed})
        load = [subprocess.Popen(["sh", "-c", LOAD], start_new_session=True)
                for _ in range(LOADS if kind == "load" else 0)]
        try:
            outcome = self.measure(kind, bench, kept)
        finally:
            for one in load:
                stop(one)
        kept.end = end_of(outcome, time.monotonic() - begun)
        if kind == "full" and not (outcome.disturbed or outcome.failures):
            kept.end.update(verdict=RECORDED, status=0, why="%d rounds, not judged"
                            % len(kept.accepted()))
        records.write(records.path_of(self.folder, kind, number), kept)
        return kept

    def bench(self, kind, number, seed):
        head = self.side
        if kind.startswith("mutant-"):
            head = replace(head, mutation=MUTANTS[kind[len("mutant-"):]])
        folders = [self.made.build(self.side), self.made.build(head)]
        generation = [0]

        def link():
            self.made.clear()
            found = self.made.link_all(*folders, seed, generation[0])
            if kind == "same":
                found["head"] = found["base"]
            generation[0] += 1
            return found

        binaries = link()
        weft = binaries["base"][0]
        cells = cellmaker.build(sweepfile.load(sweepfile.find(self.sweep)),
                                weft.entries("patterns"), weft.entries("channels"))
        slower = {}
        if kind.startswith("slower-"):
            cell = cells[number % len(cells)]
            slower = {cell.name: int(kind[len("slower-"):]) / 100}
        return WeftBench(cells, binaries, link, seed, slower)

    def measure(self, kind, bench, kept):
        bench.prepare()
        outcome = Outcome(expected=len(bench.cells), failures=bench.failures,
                          missing=bench.missing)
        arguments = {"clock": lambda: None} if self.keep_disturbed else {}
        live = Live(bench, kept.rounds.append, **arguments)
        try:
            if kind == "full":
                self.all_rounds(live)
            elif not bench.failures:
                Trial(live).run(outcome)
        except Failed:
            pass
        except Disturbed as problem:
            outcome.disturbed = str(problem)
        return outcome

    def all_rounds(self, live):
        for turn in range(LOOKS[-1][0]):
            live.round("look", turn, live.cells)


def stop(process):
    """Ends a process and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_of(outcome, seconds):
    status, word, why = outcome.conclude()
    return {"verdict": word, "why": why, "status": status, "seconds": round(seconds, 1),
            "executed": outcome.executed, "failures": outcome.failures,
            "flags": {one.cell: one.verdict for one in outcome.of(*FLAGS)},
            "counts": outcome.counts()}
