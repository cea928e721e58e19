#!/usr/bin/env python3
"""What on this machine, and in this build, may disturb a measurement.

`weft doctor` is this script.
"""

import os
import sys
import time

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from types import SimpleNamespace

from weftlib import binary, command, context, environment, files, shape
from weftlib.command import number_in, output, shown_argv

NAME = "weft doctor"
DESCRIPTION = "Says what on this machine, and in this build, may disturb a measurement."
EPILOG = """\
Each item is `ok`, `warn`, or `unknown`: what cannot be seen is never ok. The last ones
are of the seconds in which it looked; those of a run are in its results.

exit status: 0 whatever it found; 2 bad input, or no answer from weft
"""


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("--seconds", type=number_in(0, 600), metavar="S", default=2,
        help="how long to look at what others do (default: %(default)s)")
    add("--json", action="store_true",
        help="one JSON object: the context with its `environment` (docs/results.md)")
    command.add_weft(parser)
    return parser.parse_args(argv)


def look(options, argv):
    """The context of a run of nothing."""
    weft = binary.Weft(options.weft)
    machine = weft.ask(shape.has(), "context", "--json")
    nothing = SimpleNamespace(rounds=0, limit=0, time_ms=0)
    info = context.capture(machine, weft, SimpleNamespace(name="doctor", text=""),
                           [nothing], None, shown_argv(NAME, argv))
    context.finish(info, 0, True, [{"samples": [
        {"spin_ns": took} for took in spins(options.seconds)]}])
    return info


#: A piece of computation of some hundred microseconds, and how long to rest after it.
SPIN, REST = range(20000), 0.01


def spins(seconds):
    """How long that takes, in ns, again and again for so many seconds, and often enough
    to say something if there is any time."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end or 0 < len(found) < context.FEW_SPINS:
        begun = time.perf_counter_ns()
        sum(SPIN)
        found.append(time.perf_counter_ns() - begun)
        time.sleep(REST)
    return found


#: What only a run has.
OF_RUNS = ("seed", "rejected samples")


def show(found):
    width = max(len(item.name) for item in found)
    for item in found:
        output.say("%-7s  %-*s  %s%s" % (item.state, width, item.name, item.value,
                                         ": " + item.why if item.why else ""))
    output.say("\n" + environment.counts(found))


def main():
    argv = sys.argv[1:]
    options = parse_arguments(argv)
    info = look(options, argv)
    info["environment"] = [item for item in info["environment"]
                           if item["name"] not in OF_RUNS]
    if options.json:
        output.say(files.dumps(info, indent=1))
    else:
        show([environment.Item(**item) for item in info["environment"]])
    return 0


if __name__ == "__main__":
    command.run(NAME, main)
