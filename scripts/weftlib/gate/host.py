"""Which machine this is, as far as times depend on it, and what was stored of it."""

import os
import re
from pathlib import Path

from .. import Problem, shape
from ..command import reason
from ..context import UNKNOWN, read
from ..files import loads

FLOOR = shape.has(host=shape.has(cpu=shape.text, cpus=shape.count),
                  floor=shape.all_values(shape.number))


class AnotherHost(Problem):
    """Stored results are of a machine that this one is not."""


def this():
    found = re.search(r"^(?:model name|CPU part)\s*:\s*(.*)$", read("/proc/cpuinfo") or "",
                      re.M)
    return {"cpu": found.group(1).strip() if found else UNKNOWN,
            "cpus": len(os.sched_getaffinity(0))}


def describe(host):
    return "%s with %d CPUs" % (host["cpu"], host["cpus"])


def same(stored, where):
    """Problem unless what is stored was found on such a machine."""
    if stored != this():
        raise AnotherHost("%s is of another host: %s; this is %s" % (
            where, describe(stored), describe(this())))


def load_floor(path):
    """{cell: by what share identical code was seen to differ here}."""
    try:
        found = loads(Path(path).read_text(encoding="utf-8"))
        FLOOR(found, "it")
    except (OSError, ValueError) as error:
        raise Problem("cannot read the floor '%s': %s" % (path, reason(error)))
    same(found["host"], "the floor '%s'" % path)
    return found["floor"]
