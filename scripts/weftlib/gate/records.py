"""Recorded gate runs, one compressed file each, and what is made of their rounds."""

import gzip
import random
from dataclasses import dataclass, field
from pathlib import Path

from .. import ROOT, Problem, shape
from ..command import reason
from ..files import dumps, loads, save, utf8
from .plan import ARMS

FOLDER = ROOT / "results" / "gate"
SCHEMA = 1
#: Kinds in which both sides are the same code and nothing is injected.
SAME = ("same", "relinked", "full")
HEAD = shape.has(schema=shape.count, kind=shape.text, number=shape.count,
                 host=shape.has(cpu=shape.text, cpus=shape.count),
                 cells=shape.each(shape.text))


@dataclass
class Record:
    """One gate run: `head` as it was begun, `rounds` as `rounds.Live` tells of them,
    `end` with its verdict."""

    head: dict
    rounds: list = field(default_factory=list)
    end: dict = field(default_factory=dict)

    @property
    def kind(self):
        return self.head["kind"]

    def accepted(self, phase="look"):
        return [one for one in self.rounds
                if one["phase"] == phase and not one["rejected"]]


def path_of(folder, kind, number):
    return Path(folder) / ("%s-%03d.jsonl.gz" % (kind, number))


def write(path, record):
    lines = [record.head] + [shorter(one) for one in record.rounds] + [record.end]
    text = "".join(dumps(line) + "\n" for line in lines)
    # No time of writing inside: the same run is the same file.
    save(path, gzip.compress(utf8(text), 9, mtime=0))


def shorter(one):
    """Times with six digits; no clock here has more."""
    return {**one, "cells": {cell: [row[0]] + [float("%.6g" % ns) for ns in row[1:]]
                             for cell, row in one["cells"].items()}}


def read(path):
    try:
        lines = gzip.decompress(Path(path).read_bytes()).decode("utf-8").splitlines()
        found = [loads(line) for line in lines]
        HEAD(found[0], "the first line")
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise Problem("'%s' is no recorded gate run: %s" % (path, reason(error)))
    return Record(found[0], found[1:-1], found[-1])


def read_all(folder):
    return [read(path) for path in sorted(Path(folder).glob("*.jsonl.gz"))]


def pool(records):
    """Whole rounds of identical code in which every cell was run."""
    found = []
    for record in records:
        if record.kind in SAME:
            cells = set(record.head["cells"])
            found += [one for one in record.accepted() if set(one["cells"]) == cells]
    return found


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


def times(row):
    """{arm: ns} of a recorded cell of a round."""
    return dict(zip(ARMS, row[1:]))
