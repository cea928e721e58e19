#!/usr/bin/env python3
"""`weft run PATTERN` and not a word more: verified, and soon.

    defaults_test.py WEFT

It is the first thing that somebody tries. How long it takes is a promise of
the release build alone.
"""

import json
import os
import resource
import subprocess
import sys
import time
import unittest

WEFT = ""

#: What is promised, in seconds, to somebody who has the machine; how many times that
#: this machine may take, which may be slower or share its CPUs; and how often a run
#: gets a chance. A stall makes one longer, and nothing makes it shorter.
SOON = 2
SLOWER = 3
TRIES = 5


def weft(*args):
    return subprocess.run([WEFT, *args], stdin=subprocess.DEVNULL, timeout=600,
                          capture_output=True, text=True)


def alone(wall, busy, own, cpus):
    """How long a run of `wall` seconds would have taken without other load.

    All CPUs were busy for `busy` seconds in that time, the run had `own` of them.
    What others had is taken off, as a share of each CPU: on a quiet machine
    nothing; where no CPU is ever idle, all but the run's own time.
    """
    return wall - max(0, busy - own) / cpus


def clocks():
    """Seconds gone by, of busy CPUs, and of CPUs for children that have ended."""
    with open("/proc/stat") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    # user, nice, system, idle, waiting for a disk, two kinds of interrupts, and
    # what the host of a virtual machine took.
    busy = sum(ticks) - ticks[3] - ticks[4]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (time.monotonic(), busy / os.sysconf("SC_CLK_TCK"),
            own.ru_utime + own.ru_stime)


def is_release():
    context = json.loads(weft("context", "--json").stdout)
    return context["build_type"] == "Release" and not context["sanitize"]


class Alone(unittest.TestCase):
    def test_what_others_had_is_taken_off(self):
        for seconds, args in ((10, (10, 0, 0, 2)),    # it sleeps
                              (10, (10, 12, 12, 2)),  # and computes
                              (10, (10, 11, 12, 2)),  # read a tick too early
                              (5, (10, 20, 10, 2)),   # beside as much as itself
                              (1, (10, 20, 2, 2)),
                              (9, (10, 4, 0, 4))):
            with self.subTest(args=args):
                self.assertEqual(alone(*args), seconds)


class Defaults(unittest.TestCase):
    def run_once(self, pattern):
        """How long it took, but for what others took."""
        begin = clocks()
        done = weft("run", pattern)
        took = [after - before for before, after in zip(begin, clocks())]
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("\nVERIFIED: ", done.stdout)
        return alone(*took, os.cpu_count())

    def test_every_pattern_verifies_and_is_soon_done(self):
        tries = TRIES if is_release() else 1
        for pattern in json.loads(weft("list", "patterns", "--json").stdout):
            with self.subTest(pattern=pattern["name"]):
                best = self.run_once(pattern["name"])
                for _ in range(1, tries):
                    if best < SOON * SLOWER:
                        break
                    best = min(best, self.run_once(pattern["name"]))
                if is_release():
                    self.assertLess(best, SOON * SLOWER)


if __name__ == "__main__":
    WEFT = sys.argv.pop(1)
    unittest.main()
