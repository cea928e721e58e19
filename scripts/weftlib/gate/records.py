"""Recorded gate runs, one compressed file for each loop of rounds (see `loop`), and what
is made of their rounds."""

import gzip
import random
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from .. import ROOT, Problem, shape
from ..command import reason
from ..files import dumps, loads, save, utf8

FOLDER = ROOT / "results" / "gate"
SCHEMA = 1
#: Kinds of runs in which both sides are the same code and nothing is injected.
SAME = ("same", "relinked")
HOST = shape.has(cpu=shape.text, cpus=shape.count)
RUN = shape.has(kind=shape.text, slower=shape.all_values(shape.number),
                instead=shape.all_values(shape.text))
HEAD = shape.has(kind=shape.text, number=shape.count, commit=shape.text, host=HOST,
                 cells=shape.each(shape.text), runs=shape.each(RUN))
TIMES = shape.each(shape.positive)
ROUND = shape.has(phase=shape.text, turn=shape.count, rejected=shape.maybe(shape.text),
                  cells=shape.all_values(lambda row, where: TIMES(row[1:], where)))
END = shape.has(seconds=shape.number, runs=shape.each(shape.has(
    verdict=shape.text, why=shape.text, flags=shape.all_values(shape.text))))


@dataclass
class Record:
    """A loop of rounds: `head` as it was begun, with the runs that it holds; `rounds` as
    `rounds.Live` tells of them; `end` with the verdict of each run."""

    head: dict
    rounds: list = field(default_factory=list)
    end: dict = field(default_factory=dict)

    @property
    def kind(self):
        return self.head["kind"]


@dataclass
class View:
    """One run of a record."""

    kind: str
    cells: list
    #: {cell: by what share the head was slower there}.
    slower: dict
    #: Cells to which something was done: those, or where a bug was planted.
    touched: list
    rounds: list
    end: dict
    seconds: float  #: of the whole record
    alone: bool  #: whether the record holds no other run


def views(found):
    """The runs of records."""
    return [view_of(record, run, end) for record in found
            for run, end in zip(record.head["runs"], record.end["runs"])]


def view_of(record, run, end):
    instead, cells = run["instead"], record.head["cells"]
    rounds = [{**one, "cells": {cell: one["cells"][instead.get(cell, cell)]
                                for cell in cells
                                if instead.get(cell, cell) in one["cells"]}}
              for one in record.rounds]
    return View(run["kind"], cells, run["slower"],
                [] if run["kind"] in SAME else list(instead), rounds, end,
                record.end["seconds"], len(record.head["runs"]) == 1)


def path_of(folder, kind, number):
    return Path(folder) / ("%s-%03d.jsonl.gz" % (kind, number))


def write(path, record):
    # No time of writing inside: the same run is the same file.
    save(path, gzip.compress(utf8(text_of(record)), 9, mtime=0))


def text_of(record):
    lines = [record.head, *record.rounds, record.end]
    return "".join(dumps(line) + "\n" for line in lines)


def read(path):
    try:
        lines = gzip.decompress(Path(path).read_bytes()).decode("utf-8").splitlines()
        found = [loads(line) for line in lines]
        schema = found[0].get("schema")
        if schema != SCHEMA:
            raise ValueError("its schema is %s, this reads %d" % (schema, SCHEMA))
        HEAD(found[0], "the first line")
        shape.each(ROUND)(found[1:-1], "rounds")
        END(found[-1], "the last line")
    except (OSError, ValueError, EOFError, IndexError, TypeError, AttributeError,
            zlib.error) as error:
        raise Problem("'%s' is no recorded gate run: %s" % (path, reason(error)))
    return Record(found[0], found[1:-1], found[-1])


def read_all(folder):
    return [read(path) for path in sorted(Path(folder).glob("*.jsonl.gz"))]


def pool(found):
    """Whole rounds of identical code in which every cell was run; of records."""
    return [one for view in views(found) if view.kind in SAME
            for one in accepted(view.rounds) if set(one["cells"]) == set(view.cells)]


def accepted(rounds, phase="look"):
    return [one for one in rounds if one["phase"] == phase and not one["rejected"]]


class Replay:
    """A source of rounds (see `trial`) that are those of a run, once more."""

    def __init__(self, view):
        self.cells = view.cells
        self.rounds = {(one["phase"], one["turn"]): one["cells"] for one in view.rounds
                       if not one["rejected"]}

    def relink(self):
        pass

    def round(self, phase, turn, cells):
        rows = self.rounds.get((phase, turn), {})
        return {cell: tuple(rows[cell][1:]) for cell in cells if cell in rows}


class Resampled:
    """A source of rounds (see `trial`) that draws whole recorded ones, with replacement.

    The cells of a round stay together, so what they have in common does too. Head and
    control, alike in what was recorded, are exchanged by chance. In `slower` cells the
    head took so many times as long. What no resampling shows: drift from round to
    round, and links that were not recorded.
    """

    def __init__(self, rounds, seed, slower=None):
        self.rounds = rounds
        self.cells = list(rounds[0]["cells"])
        self.rng = random.Random(seed)
        self.slower = slower or {}

    def relink(self):
        pass

    def round(self, _phase, _turn, cells):
        rows = self.rng.choice(self.rounds)["cells"]
        head, control = (2, 3) if self.rng.random() < 0.5 else (3, 2)
        return {cell: (rows[cell][1], rows[cell][head] * self.slower.get(cell, 1.0),
                       rows[cell][control]) for cell in cells}

