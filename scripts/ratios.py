#!/usr/bin/env python3
"""Says whether the patterns of a run cost what they may: ratios of its cells.

For a run of the sweep `patterns`. docs/performance.md says what the ratios
are about.
"""

import os
import sys
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, command, ratios, shown, summary
from weftlib.command import output

NAME = "ratios.py"
DESCRIPTION = "Says whether the patterns of a run cost what they may: ratios of its cells."
EPILOG = """\
exit status: 0 every ratio is as it must be (or cannot be judged on so few
CPUs); 1 one is not; 2 there is no such run, or cells are missing from it
"""


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.add_argument("run", nargs="?", metavar="RUN",
                        help="the folder of a run (default: the latest of the sweep "
                             "patterns in --results)")
    parser.add_argument("--results", metavar="DIR", default=str(ROOT / "results"),
                        help="where runs are looked for (default: results)")
    return parser.parse_args(argv)


def latest(results):
    """The summary and the folder of the latest complete run of the sweep."""
    for folder in folders(results):
        found = summary.read(folder)
        context = found["context"]
        name = (context.get("sweep") or {}).get("name")
        if name == "patterns" and not context.get("partial"):
            return found, folder
    raise Problem("no run of the sweep patterns in '%s'; make one: "
                  "scripts/sweep.py --sweep patterns" % results)


def folders(results):
    """Those with a summary, the latest first; the names of saved runs tell no time."""
    try:
        names = sorted(os.listdir(results or "."), reverse=True)
    except OSError as error:
        raise Problem("cannot read '%s': %s" % (results, command.reason(error)))
    found = (Path(results, name) for name in names)
    return [folder for folder in found if os.path.isfile(folder / "summary.json")
            and not folder.is_symlink()]


def main():
    options = parse_arguments(sys.argv[1:])
    if options.run:
        found, folder = summary.read(options.run), Path(options.run)
    else:
        found, folder = latest(options.results)
    judged = ratios.judge(found)
    output.say("ratios of %s" % shown(folder))
    for line in ratios.lines(judged):
        output.say(line)
    return 1 if any(verdict == "FAIL" for _, _, verdict in judged) else 0


if __name__ == "__main__":
    command.run(NAME, main)
