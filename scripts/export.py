#!/usr/bin/env python3
"""A stored run in the formats of other tools.

`weft export` is this script.
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, command, compare, exports, files, hgrm, tables
from weftlib.command import output, pattern
from weftlib.report import facts

NAME = "weft export"
HGRM = "hgrm"
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
  hgrm                   the latencies of one cell as HdrHistogram prints them; with
                         --out, of each, in a folder

exit status: 0 done; 1 done, but a cell of the run failed its check, hung or crashed,
and has no value; 2 bad input
"""


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("run", metavar="RUN", help="its folder, or its name in the results")
    add("--format", choices=[*exports.FORMATS, HGRM], required=True,
        help="which of those below")
    add("--out", metavar="FILE|DIR", help="where to (default: standard output)")
    add("--filter", type=pattern, metavar="REGEX",
        help="of hgrm: only cells whose name matches, such as 'chan:ring/.*cap:0'")
    add("--results", metavar="DIR", default=str(ROOT / "results"),
        help="where names are looked for (default: results)")
    return parser.parse_args(argv)


def histograms(run, options):
    """One to standard output, or a folder of them."""
    found = hgrm.files(run, options.filter)
    if not found:
        raise Problem("no cell%s has a histogram of its latencies" % (
            " that matches '%s'" % options.filter.pattern if options.filter else
            " of '%s'" % options.run))
    if not options.out and len(found) > 1:
        raise Problem("%d cells have latencies: choose one with --filter=REGEX, or give "
                      "a folder with --out=DIR" % len(found))
    if not options.out:
        output.write(*found.values())
        return
    files.make_folder(options.out)
    for name, text in found.items():
        files.save(os.path.join(options.out, name), text)


def main():
    options = parse_arguments(sys.argv[1:])
    run = facts.read_raw(compare.find(options.results, options.run))
    if options.format == HGRM:
        histograms(run, options)
    elif options.filter:
        raise Problem("--filter: only --format=hgrm leaves cells out")
    elif options.out:
        files.save(options.out, exports.FORMATS[options.format](run))
    else:
        output.write(exports.FORMATS[options.format](run))
    bad = tables.bad_cells(run.summary)
    if bad:
        command.complain(NAME, "%d cell%s without a value: %s" % (
            len(bad), "s" * (len(bad) != 1), bad[0]))
    return 1 if bad else 0


if __name__ == "__main__":
    command.run(NAME, main)
