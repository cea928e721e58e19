#!/usr/bin/env python3
"""What moved between two runs of a sweep.

`weft compare` is this script; `sweep.py --against=NAME` ends with it.
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, bars, command, compare, exits, files
from weftlib.command import number_in, output, pattern
from weftlib.compare import FASTER, SAME, SLOWER, UNDECIDED
from weftlib.report import facts

NAME = "weft compare"
DESCRIPTION = "Says what moved between two runs: faster or slower, surely and by how much."
EPILOG = """\
A run is its folder, or its name in the results (sweep.py --save=NAME). A cell has moved
if all of the interval of its change lies beyond the threshold. Speeds are compared as
ratios to condvar in the same rounds where both runs have them, so that what slows all
cells down alike does not count.

exit status: 0 nothing got slower; 1 bad input, or a cell of RUN2 failed its check, hung
or crashed; 2 a cell got slower; 3 none did, but (with --strict) some are undecided; 4
the runs are of different machines
"""
#: How many names of a kind are told.
SHOWN = 12


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.bad = exits.ERROR
    add = parser.add_argument
    add("first", metavar="RUN1", help="the run before")
    add("second", metavar="RUN2", help="the run that is judged")
    add("--results", metavar="DIR", default=str(ROOT / "results"),
        help="where names are looked for (default: results)")
    add("--threshold", type=number_in(1, 1000), metavar="PERCENT", default=10,
        help="the least change that counts (default: %(default)s)")
    add("--filter", type=pattern, metavar="REGEX", help="only cells whose name matches")
    add("--strict", action="store_true", help="exit 3 while a cell is undecided")
    add("--other-machine", action="store_true",
        help="compare runs of different machines all the same")
    add("--json", action="store_true", help="one JSON object (docs/results.md)")
    return parser.parse_args(argv)


def status(found, strict):
    if found.broken:
        return exits.ERROR
    if found.of(SLOWER):
        return exits.REGRESSION
    if strict and found.of(UNDECIDED):
        return exits.INCONCLUSIVE
    return exits.OK


def told(label, lines):
    for text in lines[:SHOWN]:
        output.say("%-8s  %s" % (label, text))
    if len(lines) > SHOWN:
        output.say("%-8s  and %d more" % (label, len(lines) - SHOWN))


def headline(first, second):
    for label, run in (("before", first), ("now", second)):
        output.say("%-8s  %s, commit %s, %s%s" % (
            label, run["started"], run["git"]["commit"], run.get("cpu"),
            ", PARTIAL" if run.get("partial") else ""))
    told("differs", compare.circumstances(first, second))


def report(found, threshold):
    """Only what moved, then how many did not."""
    moved = found.of(SLOWER) + found.of(FASTER)
    output.say()
    for text in bars.lines(moved, sys.stdout):
        output.say(text)
    if moved:
        output.say()
    told("BROKEN", ["%s %s%s" % (verdict, name, ": " + why if why else "")
                    for name, verdict, why in found.broken])
    told("verdict", ["%s, was %s: %s" % (now, before, name)
                     for name, before, now in found.turned])
    for label, missing in zip(("gone", "new"), found.only):
        told(label, missing)
    absolute = sum(change.basis == compare.ABSOLUTE for change in found.changes)
    output.say("%d cells: %d slower, %d faster, %d the same within %d %%, %d undecided"
               % (len(found.changes), len(found.of(SLOWER)), len(found.of(FASTER)),
                  len(found.of(SAME)), threshold, len(found.of(UNDECIDED))))
    if absolute:
        output.say("%d of them by their speed alone: the machine's drift between the "
                   "runs is in it" % absolute)


def compare_runs(paths, options):
    """Prints it; returns the exit status."""
    runs = [facts.read_raw(path) for path in paths]
    contexts = [run.context for run in runs]
    differs = compare.machine_differs(*contexts)
    if differs and not options.other_machine:
        raise compare.AnotherMachine(differs)
    found = compare.compare(*runs, options.threshold / 100, options.filter)
    if not (found.changes or found.broken or found.turned):
        raise Problem("the runs have no measured cell in common%s" % (
            " that --filter matches" if options.filter else ""))
    if options.json:
        output.say(files.dumps(compare.as_data(found, *contexts, options.threshold / 100),
                               indent=1))
    else:
        headline(*contexts)
        told("machine", differs)
        report(found, options.threshold)
    return status(found, options.strict)


#: For the sweep, which knows only this module.
guarded = compare.guarded


def add_options(parser):
    """What a sweep has for runs that are compared later, or at its end."""
    parser.add_argument("--save", metavar="NAME",
                        help="call the run by this name from now on, in place of another")
    parser.add_argument("--against", metavar="RUN",
                        help="at the end, say what moved since this run, a name or a "
                             "folder; the exit status is that of weft compare then")
    parser.add_argument("--other-machine", action="store_true",
                        help="even if that run is of another machine")


def bad_status(argv):
    """Of bad input to a sweep: 2 means another thing for one that compares."""
    compares = any(word.partition("=")[0] == "--against" for word in argv)
    return exits.ERROR if compares else 2


def prepare(options, machine):
    """Problem, before anything is measured, for what could not be saved or compared.
    `machine` is what `weft context` says of this one."""
    if options.save:
        compare.refuse_name(options.results, options.save)
    if not options.against:
        return
    path = compare.find(options.results, options.against)
    differs = compare.machine_differs(facts.read(path).context, machine)
    if differs and not options.other_machine:
        raise compare.AnotherMachine(differs)


def conclude(options, run, status):
    """Saves and compares a run that is complete; returns the exit status."""
    if options.against:
        output.say()
        asked = parse_arguments(["--results=%s" % options.results,
                                 "--other-machine", options.against, str(run)])
        compared = compare_runs([compare.find(options.results, options.against), run],
                                asked)
        status = exits.ERROR if status else compared
    if options.save:
        compare.save(options.results, options.save, run)
    return status


def main():
    options = parse_arguments(sys.argv[1:])
    return compare.guarded(NAME, lambda: compare_runs(
        [compare.find(options.results, name)
         for name in (options.first, options.second)], options))


if __name__ == "__main__":
    command.run(NAME, main, exits.ERROR)
