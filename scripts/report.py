#!/usr/bin/env python3
"""Writes the report of a measured run: one HTML file with everything in it.

    scripts/report.py RESULT_DIR [--out FILE]
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import command, gnuplot, report
from weftlib.command import output, relative

NAME = "report.py"


def main():
    parser = command.Parser(NAME, "Writes the report of a measured run: one HTML file "
                                  "with everything in it.")
    parser.add_argument("run", metavar="RESULT_DIR", help="a folder in results/")
    parser.add_argument("--out", metavar="FILE",
                        help="where it goes (default: RESULT_DIR/%s)" % report.NAME)
    parser.add_argument("--no-plot", action="store_true", help="draw no pictures")
    options = parser.parse_args()
    if not options.no_plot:
        gnuplot.check()
    output.say(relative(report.write(options.run, options.out, not options.no_plot)))
    return 0


if __name__ == "__main__":
    command.run(NAME, main)
