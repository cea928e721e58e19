"""Reading a sweep file: what to measure, in plain text.

A file holds settings (`rounds = 5`) and lines of cells, each the product of
its lists (`pattern=pipeline chan=* workers=1,2,4 cap=0,64`). Whatever is wrong
is refused with the file, the line, the value and what is allowed.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import ROOT, Problem, whole
from .command import reason

SWEEPS = ROOT / "bench" / "sweeps"

#: Settings with their unit, smallest and largest value.
SETTINGS = {
    "rounds": ("rounds", 1, 1000),
    "most": ("rounds", 1, 1000),
    "time": ("ms", 1, 60000),
    "shortest": ("ms", 1, 60000),
    "latency": ("rounds", 0, 1000),
    "latency_time": ("ms", 1, 60000),
    "latency_items": ("messages", 1, 1 << 25),
    "budget": ("s", 1, 86400),
    "rank": ("", 0, 9),
}
#: The settings one line of cells may have of its own, and those that only a line has.
LINE_SETTINGS = ("rounds", "most", "time", "latency", "latency_time", "latency_items",
                 "rank")
ONLY_LINE_SETTINGS = ("rank",)
DEFAULTS = {"rounds": 5, "most": None, "time": 50, "shortest": None, "latency": 1,
            "latency_time": None, "latency_items": None, "budget": None, "rank": 0}

WORD = re.compile(r"[A-Za-z0-9_.-]+\Z")
#: Keys the sweep sets itself, with the way to say what was probably meant.
OWN_KEYS = {
    "seed": "give --seed=N to sweep.py instead",
    "reps": "say rounds=N instead",
    "load": "give --load=FILE.so to sweep.py instead",
}


@dataclass
class Line:
    """One line of cells: patterns x channels x the product of `knobs`.

    `knobs` is a list of (keys, values); several keys (`producers+consumers`)
    share each value.
    """

    number: int
    patterns: list
    chans: list
    knobs: list
    settings: dict = field(default_factory=dict)


@dataclass
class SweepFile:
    name: str
    text: str
    settings: dict
    lines: list

    def where(self, line):
        return "%s:%d" % (self.name, line.number)


def find(name):
    """The path of a sweep given by name (bench/sweeps/NAME) or by file."""
    for path in (SWEEPS / name, Path(name)):
        if os.path.isfile(path):
            return path
    known = sorted(p.name for p in SWEEPS.glob("*") if p.is_file())
    raise Problem(
        "no sweep '%s': neither a file nor one of %s in bench/sweeps"
        % (name, ", ".join(known) or "(none)")
    )


def load(path):
    """Reads and parses the sweep file at `path`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = ("not UTF-8 text" if isinstance(error, UnicodeDecodeError)
               else reason(error))
        raise Problem("cannot read sweep '%s': %s" % (path, why))
    return parse(text, Path(path).name)


def parse(text, name="sweep"):
    """Parses the text of a sweep file; raises Problem at the first bad line."""
    settings, lines = {}, []
    for number, raw in enumerate(text.split("\n"), 1):
        fields = split_fields(raw, "%s:%d" % (name, number))
        if not fields:
            continue
        where = "%s:%d" % (name, number)
        if any(key == "pattern" for key, _ in fields):
            lines.append(parse_cells(fields, number, where))
        else:
            add_settings(settings, fields, where)
    if not lines:
        raise Problem("%s: no cells: no line says pattern=NAME" % name)
    return SweepFile(name, text, {**DEFAULTS, **settings}, lines)


def split_fields(raw, where):
    """The (key, value) pairs of a line; spaces around = and , do not matter."""
    line = re.sub(r"\s*([=,])\s*", r"\1", raw.split("#", 1)[0].strip())
    fields = []
    for word in line.split():
        key, equals, value = word.partition("=")
        if not equals or not key or not value or "=" in value:
            raise Problem("%s: '%s' is not of the form key=value" % (where, word))
        if any(key == other for other, _ in fields):
            raise Problem("%s: '%s' stands twice on the line" % (where, key))
        fields.append((key, value))
    return fields


def add_settings(settings, fields, where):
    """Adds a line without a pattern, which must hold settings only."""
    for key, value in fields:
        if key not in SETTINGS or key in ONLY_LINE_SETTINGS:
            raise Problem(
                "%s: '%s' is not a setting; settings are %s, "
                "and a line of cells needs pattern=NAME"
                % (where, key, ", ".join(name for name in SETTINGS
                                         if name not in ONLY_LINE_SETTINGS))
            )
        if key in settings:
            raise Problem("%s: '%s' was set before" % (where, key))
        settings[key] = setting(key, value, where)


def setting(key, value, where):
    """The whole number of a setting, checked against its range."""
    unit, low, high = SETTINGS[key]
    if whole(value) is None or not low <= whole(value) <= high:
        raise Problem(
            "%s: %s=%s: must be a whole number %sfrom %d to %d"
            % (where, key, value, unit and "of %s " % unit, low, high)
        )
    return whole(value)


def parse_cells(fields, number, where):
    """One line of cells, its lists split but not yet multiplied."""
    line = Line(number, [], ["*"], [])
    for key, value in fields:
        if key in LINE_SETTINGS:
            line.settings[key] = setting(key, value, where)
            continue
        if key in SETTINGS:
            raise Problem("%s: '%s' holds for the whole file; give it a line "
                          "of its own" % (where, key))
        values = value.split(",")
        check_values(key, values, where)
        if key == "pattern":
            line.patterns = values
        elif key == "chan":
            line.chans = values
        else:
            line.knobs.append((key.split("+"), values))
    check_keys(line, where)
    return line


def check_values(key, values, where):
    """Refuses empty, odd and repeated values."""
    for value in values:
        if value == "*" and len(values) == 1:
            continue
        if not WORD.match(value):
            raise Problem(
                "%s: %s=%s: '%s' is not a value; a list is numbers or names "
                "separated by commas, or a single *"
                % (where, key, ",".join(values), value)
            )
    if len(set(values)) != len(values):
        raise Problem("%s: %s=%s: a value stands twice"
                      % (where, key, ",".join(values)))


def check_keys(line, where):
    """Refuses keys that repeat through coupling and keys the sweep owns."""
    keys = [key for group, _ in line.knobs for key in group]
    for key in keys:
        if key in OWN_KEYS:
            raise Problem("%s: '%s' does not belong in a sweep file; %s"
                          % (where, key, OWN_KEYS[key]))
        if not re.match(r"[a-z][a-z0-9_]*\Z", key):
            raise Problem("%s: '%s' is not the name of a knob" % (where, key))
        if keys.count(key) > 1:
            raise Problem("%s: '%s' stands twice on the line" % (where, key))
