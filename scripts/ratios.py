#!/usr/bin/env python3
"""Says whether the patterns of a run cost what they may: ratios of its cells.

For a run of the sweep `patterns`. docs/performance.md says what the ratios
are about.
"""

import argparse
import sys
from pathlib import Path

from weftlib import ROOT, Problem, ratios, shown, summary

EPILOG = """\
exit status: 0 every ratio is as it must be (or cannot be judged on so few
CPUs); 1 one is not; 2 there is no such run, or cells are missing from it
"""


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        prog="ratios.py", description=__doc__.split("\n", 1)[0], epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("run", nargs="?", metavar="RUN",
                        help="the folder of a run (default: the latest of the sweep "
                             "patterns in --results)")
    parser.add_argument("--results", metavar="DIR", default=str(ROOT / "results"),
                        help="where runs are looked for (default: results)")
    return parser.parse_args(argv)


def latest(results):
    """The summary and the folder of the latest complete run of the sweep."""
    runs = sorted(Path(results).glob("*/summary.json"), reverse=True)
    for path in runs:
        found = summary.read(path.parent)
        context = found["context"]
        name = (context.get("sweep") or {}).get("name")
        if name == "patterns" and not context.get("partial"):
            return found, path.parent
    raise Problem("no run of the sweep patterns in '%s'; make one: "
                  "scripts/sweep.py --sweep patterns" % results)


def main(argv=None):
    options = parse_arguments(argv)
    try:
        if options.run:
            found, folder = summary.read(options.run), Path(options.run)
        else:
            found, folder = latest(options.results)
        judged = ratios.judge(found)
    except Problem as problem:
        print("ratios.py: %s" % problem, file=sys.stderr)
        return 2
    print("ratios of %s" % shown(folder))
    for line in ratios.lines(judged):
        print(line)
    return 1 if any(verdict == "FAIL" for _, _, verdict in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
