"""The gates that no noise touches: what the uncontended fast paths execute and ask for.

`fastpath.c` is compiled against each side's own library. Under callgrind it says how
many instructions a path takes, alone how often it allocates, parks, wakes and calls
the system, and that of two tasks, too, which pass a message to and fro. A slowdown
that hides in the noise of time shows there.
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .. import ROOT, Problem
from ..command import reason
from .processes import attend

SOURCE = Path(__file__).with_name("fastpath.c")
CEILINGS = ROOT / "bench" / "gate.ceilings"
#: Instructions: what the head may execute more than the base.
INSTRUCTIONS = 0.02
COUNTS = ("allocations", "syscalls", "parks", "wakes", "voluntary_switches")
WRAPPED = ("malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "syscall")
#: Paths of callgrind's functions begin with it.
PREFIX = "path_"
#: How often fastpath.c does each, in both turns.
OPERATIONS = 2000
#: Seconds that it may take, under callgrind, too: some hundred times what it does.
PATIENCE = 120


@dataclass
class Exact:
    """What was counted, and what of it is too much."""

    instructions: dict = field(default_factory=dict)  #: {path: (base, head)} per operation
    counts: dict = field(default_factory=dict)  #: {path: {count: per operation}} of the head
    worse: list = field(default_factory=list)
    unseen: list = field(default_factory=list)
    failures: list = field(default_factory=list)  #: what is wrong with the head, fast or slow


def measure(base, head, scratch):
    """Both gates over two builds (folders of `Builds`)."""
    found = Exact()
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        programs = {name: compile_paths(build, Path(folder, name))
                    for name, build in (("base", base), ("head", head))}
        count(found, programs["head"])
        if found.failures:
            pass  # callgrind would meet the same
        elif shutil.which("valgrind") is None:
            found.unseen.append("instructions: valgrind is not here")
        else:
            instructions(found, *(executed(name, programs[name], Path(folder, name + ".out"))
                                  for name in ("base", "head")))
    return found


def compile_paths(build, to):
    """The program over a build's library; None where it does not fit that library."""
    include = build / "src" / "core" / "include"
    library = build / "build" / "core" / "libweft.a"
    status, _ = attend(["cc", "-std=gnu17", "-O2", "-g", "-I", include, "-o", to, SOURCE,
                        *("-Wl,--wrap=" + name for name in WRAPPED), library,
                        "-pthread", "-ldl", "-lm"])
    return None if status else to


def count(found, program):
    if program is None:
        found.unseen.append("counts: the head's library has other calls")
        return
    try:
        status, out = attend([program, "two"], limit=PATIENCE)
    except subprocess.TimeoutExpired:
        found.failures.append("fast paths: head: HUNG: no end within %d s" % PATIENCE)
        return
    if status:
        found.failures.append("fast paths: head: wrong results: exit status %d" % status)
        return
    for line in out.splitlines():
        row = json.loads(line)
        found.counts[row["path"]] = {key: row[key] / row["ops"] for key in COUNTS}
    check_counts(found, ceilings())


def check_counts(found, limits):
    """`limits` is {path or *: {count: ceiling}}."""
    for path, row in found.counts.items():
        for key in COUNTS:
            limit = limits.get(path, {}).get(key, limits.get("*", {}).get(key))
            if limit is not None and row[key] > limit:
                found.worse.append("%s: %g %s per operation, at most %g are allowed" % (
                    path, row[key], key.replace("_", " "), limit))


def ceilings(path=CEILINGS):
    """{path: {count: ceiling}} of lines `PATH COUNT=CEILING ...`."""
    try:
        lines = path.read_text().split("\n")
    except OSError as error:
        raise Problem("cannot read '%s': %s" % (path.name, reason(error)))
    limits = {}
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        for word in words[1:]:
            key, _, value = word.partition("=")
            if key not in COUNTS or not re.match(r"\d+(\.\d+)?\Z", value):
                raise Problem("%s:%d: '%s' is not COUNT=CEILING; counts are %s" % (
                    path.name, number, word, ", ".join(COUNTS)))
            limits.setdefault(words[0], {})[key] = float(value)
    return limits


def executed(side, program, out):
    """{path: instructions per operation} of one run under callgrind, or None."""
    if program is None:
        return None
    try:
        status, said = attend(["valgrind", "--tool=callgrind",
                               "--callgrind-out-file=%s" % out, program], limit=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Problem("%s: callgrind: no end within %d s" % (side, PATIENCE))
    if status:
        raise Problem("%s: callgrind: %s" % (
            side, (said.strip().splitlines() or ["no word"])[-1]))
    costs = inclusive(out.read_text(errors="replace"))
    return {path: cost / OPERATIONS for path, cost in costs.items()}


def inclusive(text):
    """{path: what it and all it calls cost}, of callgrind's format.

    A name stands beside its number the first time only. The line after `calls=` has
    what the called function cost; both calls of a path are added up.
    """
    names, costs, called = {}, {}, None
    for line in text.split("\n"):
        named = re.match(r"c?fn=\((\d+)\)(?: (.*))?", line)
        if named:
            number, name = named.groups()
            if name:
                names[number] = name
            if line.startswith("cfn="):
                called = names.get(number)
        elif line.startswith("calls="):
            continue
        elif called is not None and re.match(r"[+*0-9-]", line):
            cost = line.split()[-1]
            if called.startswith(PREFIX) and cost.isdigit():
                path = called[len(PREFIX):]
                costs[path] = costs.get(path, 0) + int(cost)
            called = None
    return costs


def instructions(found, base, head):
    if not base or not head:
        found.unseen.append("instructions: the library of one side has other calls")
        return
    for path in head:
        if path not in base:
            continue
        found.instructions[path] = base[path], head[path]
        if head[path] > base[path] * (1 + INSTRUCTIONS):
            found.worse.append("%s: %.1f %% more instructions, at most %g %% are allowed" % (
                path, 100 * (head[path] / base[path] - 1), 100 * INSTRUCTIONS))
