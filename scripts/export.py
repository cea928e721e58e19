#!/usr/bin/env python3
"""A stored run in the formats of other tools.

`weft export` is this script.
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, command, compare, exports, files, tables
from weftlib.command import output
from weftlib.report import facts

NAME = "weft export"
DESCRIPTION = "Writes a stored run in the format of another tool."
EPILOG = """\
formats:
  results                everything, with the samples (docs/results.md)
  csv                    a line for each cell
  google-benchmark       its JSON
  customBiggerIsBetter, customSmallerIsBetter
                         github-action-benchmark: messages/s, ns/message
  bmf                    Bencher Metric Format
  go                     Go's benchmark text, for benchstat

exit status: 0 done; 1 done, but a cell of the run failed its check, hung or crashed,
and has no value; 2 bad input
"""


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", help="its folder, or its name in the results")
    add("--format", choices=list(exports.FORMATS), required=True,
        help="which of those below")
    add("--out", metavar="FILE", help="where to (default: standard output)")
    add("--results", metavar="DIR", default=str(ROOT / "results"),
        help="where names are looked for (default: results)")
    return parser.parse_args(argv)


def main():
    options = parse_arguments(sys.argv[1:])
    run = facts.read_raw(compare.find(options.results, options.run))
    text = exports.FORMATS[options.format](run)
    if options.out:
        files.save(options.out, text)
    else:
        output.write(text)
    bad = tables.bad_cells(run.summary)
    if bad:
        command.complain(NAME, "%d cell%s without a value: %s" % (
            len(bad), "s" * (len(bad) != 1), bad[0]))
    return 1 if bad else 0


if __name__ == "__main__":
    command.run(NAME, main)
