#!/usr/bin/env python3
"""Measures what a supervisor costs whose services all fail at once, for ever."""

import os
import subprocess
import sys
import time

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import command
from weftlib.command import output

NAME = "storm.py"
DESCRIPTION = """\
Runs the kernel of the supervisor with services that fail as soon as they run, and with
a back-off that doubles from 10 ms on:

    weft run supervisor --workers=SERVICES --backoff=10000

What is told is the CPU time of that process, as a share of one CPU, over a while that
begins after a warm-up.
"""
EPILOG = "exit status: 0 less than wanted; 1 more, or it did not run that long; 2 bad input"

WANTED_PERCENT = 5
BACKOFF_US = 10000
#: More than all services can use up in an hour.
DEATHS_PER_SERVICE = 40


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.add_argument("--services", type=command.number_in(1, 2000), default=1000,
                        help="how many fail (default: 1000)")
    parser.add_argument("--warm-up", type=command.number_in(0, 60), default=2,
                        help="seconds that do not count (default: 2)")
    parser.add_argument("--seconds", type=command.number_in(1, 600), default=10,
                        help="seconds that count (default: 10)")
    command.add_weft(parser)
    return command.with_weft(parser.parse_args(argv))


def cpu_seconds(pid):
    """What the process has used so far, its threads that have ended included."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(options):
    """CPU seconds in the time that counts; None when it has ended before."""
    run = subprocess.Popen(
        [options.weft, "run", "supervisor", "--workers=%d" % options.services,
         "--backoff=%d" % BACKOFF_US, "--reps=1", "--latency=0", "--timeout=3600",
         "--items=%d" % (DEATHS_PER_SERVICE * options.services)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(options.warm_up)
        before = cpu_seconds(run.pid)
        time.sleep(options.seconds)
        after = cpu_seconds(run.pid)
        return None if run.poll() is not None else after - before
    finally:
        run.kill()
        run.wait()


def main():
    options = parse_arguments(sys.argv[1:])
    used = measure(options)
    if used is None:
        command.complain(NAME, "weft run has ended too early")
        return 1
    percent = 100 * used / options.seconds
    output.say("%d services: %.1f %% of a CPU over %d s (wanted: less than %d %%)"
               % (options.services, percent, options.seconds, WANTED_PERCENT))
    return 0 if percent < WANTED_PERCENT else 1


if __name__ == "__main__":
    command.run(NAME, main)
