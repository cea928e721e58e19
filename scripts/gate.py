#!/usr/bin/env python3
"""Says whether one build is slower than another, and does not cry wolf.

Both are built and linked several times, and their slices run side by side, with a twin
of the base as control; docs/gate.md has the rule, what it finds and what it misses.
"""

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, cells as cellmaker, command, exits, files, sweepfile
from weftlib.binary import Weft
from weftlib.command import number_in, output, pattern, relative
from weftlib.gate import builds, draw, evidence, exact, host, report
from weftlib.gate.processes import STOP
from weftlib.gate.progress import GateProgress
from weftlib.gate.rounds import CommandBench, Failed, Live, WeftBench
from weftlib.gate.trial import Outcome, Trial
from weftlib.gate.verdict import Limits
from weftlib.runner import Interrupt

NAME = "gate.py"
DESCRIPTION = "Says whether one build is slower than another, and does not cry wolf."
EPILOG = """\
exit status: 0 nothing got slower; 1 bad input, a missing tool, or a cell that failed
its check, whatever its speed; 2 confirmed to be slower; 3 cells were not executed, or
(with --strict) are undecided; 4 contaminated: the machine was disturbed, or what is
stored is of another one; 130 interrupted
"""
FLOOR = ROOT / "results" / "gate" / "floor.json"
#: Options that mean nothing to other programs.
OF_WEFT = ("inject", "list", "sweep", "links", "cache", "no_exact")
#: And those that mean nothing without them.
OF_COMMANDS = ("control_cmd", "timeout")


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.bad = exits.ERROR
    add = parser.add_argument
    add("--base", metavar="REF|DIR", help="what to compare with: a commit or a checkout")
    add("--head", metavar="REF|DIR", default=str(ROOT),
        help="what is judged (default: this checkout)")
    add("--base-cmd", metavar="COMMAND",
        help="a program that prints Google Benchmark's JSON, instead of --base")
    add("--head-cmd", metavar="COMMAND", help="the same for the head")
    add("--control-cmd", metavar="COMMAND",
        help="the base once more, best linked anew (default: --base-cmd)")
    add("--sweep", metavar="NAME|FILE", default="gate",
        help="the cells: a sweep in bench/sweeps, or a file (default: %(default)s)")
    add("--filter", type=pattern, metavar="REGEX", help="only cells whose name matches")
    add("--effect", type=number_in(1, 100), metavar="PERCENT", default=5,
        help="the least change that counts (default: %(default)s)")
    add("--effect-ns", type=number_in(0, 10**9), metavar="NS", default=1,
        help="the least change of the time per message that counts (default: %(default)s)")
    add("--floor", metavar="FILE", help="by how much identical code was seen to differ on "
        "this machine (default: results/gate/floor.json, where that is of this machine)")
    add("--inject", type=injection, metavar="PERCENT@REGEX",
        help="let the head do so much more in these cells (without @REGEX in all), to see "
        "the gate find it")
    add("--keep-disturbed", action="store_true",
        help="reject no round for what else the machine did meanwhile")
    add("--strict", action="store_true", help="exit 3 while a cell is undecided")
    add("--seed", type=number_in(0, 2**31 - 1), metavar="N",
        help="of all orders (default: a new one)")
    add("--links", type=number_in(2, 9), metavar="N", default=builds.LINKS,
        help="links of each arm, used in turn (default: %(default)s)")
    add("--cache", metavar="DIR", default=str(builds.CACHE),
        help="where builds are kept (default: build/gate)")
    add("--out", metavar="DIR", default=str(ROOT / "build" / "gate-report"),
        help="for gate.md, gate.json, the plot and the rounds (default: build/gate-report)")
    add("--timeout", type=number_in(1, 86400), metavar="S", default=600,
        help="of one process of --base-cmd and --head-cmd (default: %(default)s)")
    add("--no-exact", action="store_true", help="count no instructions and no calls")
    add("--no-plot", action="store_true", help="draw no picture")
    add("--list", action="store_true", help="print the cells, measure nothing")
    add("--quiet", action="store_true", help="no progress, only the result")
    options = parser.parse_args(argv)
    check_sides(parser, options)
    return options


def injection(text):
    percent, at, regex = text.partition("@")
    return number_in(1, 1000)(percent) / 100, pattern(regex if at else ".")


def check_sides(parser, options):
    given = [bool(options.base_cmd), bool(options.head_cmd)]
    if any(given) != all(given):
        parser.error("--base-cmd and --head-cmd belong together")
    if bool(options.base) == all(given):
        parser.error("give either --base REF or --base-cmd and --head-cmd")
    for name in OF_WEFT if all(given) else OF_COMMANDS:
        if getattr(options, name) != parser.get_default(name):
            parser.error(("--%s works with cells of weft, not with --base-cmd" if all(given)
                          else "--%s belongs to --base-cmd") % name.replace("_", "-"))


def stored_floor(options):
    """That which was asked for must fit; the one that may lie around is used if so."""
    if options.floor is not None:
        return host.load_floor(options.floor)
    if not FLOOR.exists():
        return {}
    try:
        return host.load_floor(FLOOR)
    except host.AnotherHost:
        return {}


# --- what is compared ---


def program(option, text):
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise Problem("%s '%s': %s" % (option, text, str(error).lower()))
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise Problem("%s '%s': no such program" % (option, text))
    return Weft(path), words[1:]


def command_bench(options, seed):
    commands = {"base": program("--base-cmd", options.base_cmd),
                "head": program("--head-cmd", options.head_cmd),
                "control": program("--control-cmd",
                                   options.control_cmd or options.base_cmd)}
    return CommandBench(commands, seed, options.timeout, options.filter)


def choose_cells(options, sweep, weft):
    """Of the base's patterns and channels, so that the head cannot lose one unseen."""
    found = cellmaker.build(sweep, weft.entries("patterns"), weft.entries("channels"))
    if options.filter:
        found = [cell for cell in found if options.filter.search(cell.name)]
    if not found:
        raise Problem("--filter '%s' matches none of the cells" % options.filter.pattern)
    return found


def weft_bench(options, sweep, made, folders, seed):
    generation = [0]

    def link():
        generation[0] += 1
        return made.link_all(*folders, seed, generation[0] - 1)

    binaries = link()
    cells = choose_cells(options, sweep, binaries["base"][0])
    inflate = {cell.name: options.inject[0] for cell in cells
               if options.inject and options.inject[1].search(cell.name)}
    if options.inject and not inflate:
        raise Problem("--inject: '%s' matches none of the cells"
                      % options.inject[1].pattern)
    return WeftBench(cells, binaries, link, seed, inflate)


# --- running ---


class Report:
    """The folder with what came out."""

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in ("gate.json", "gate.md", "gate.svg", "gate.png"):
                files.remove(self.folder / name)
            # Nothing is kept back, which could not be written later.
            self.rounds = open(self.folder / "rounds.jsonl", "wb", buffering=0)
        except OSError as error:
            raise files.cannot_write(folder, error)

    def keep(self, record):
        left = files.utf8(files.dumps(record) + "\n")
        with files.written_to(self.folder):
            while left:
                left = left[self.rounds.write(left):]

    def write(self, outcome, info, plot):
        """Returns what was asked for but could not be drawn."""
        self.rounds.close()
        missing, pictures = None, []
        if plot and outcome.findings:
            try:
                pictures = draw.draw(str(self.folder), outcome.findings)
            except Problem as problem:
                missing = "no picture: %s" % problem
        files.save(self.folder / "gate.json", files.dumps(
            report.as_data(outcome, info), indent=1) + "\n")
        files.save(self.folder / "gate.md", report.markdown(
            outcome, info, next(iter(pictures), None)))
        return missing


def measure(options, bench, stored, seed, kept, outcome):
    """Prepares the cells and runs the rounds; returns the source."""
    if not bench.failures:
        bench.prepare()
    outcome.expected = len(bench.cells)
    live = Live(bench, kept.keep, GateProgress(sys.stderr, len(bench.cells), options.quiet),
                (lambda: None) if options.keep_disturbed else evidence.now)
    outcome.failures = bench.failures
    outcome.missing = bench.missing
    limits = Limits(effect=options.effect / 100, floor_ns=options.effect_ns)
    kept.keep({"schema": report.SCHEMA, "host": host.this(), "seed": seed,
               "cells": bench.cells})
    if not bench.failures:
        try:
            Trial(live, limits, stored).run(outcome)
        except Failed:
            pass
    live.progress.clear()
    return live


def finish(options, outcome, live, kept, seed, begun, sides):
    info = {**host.this(), **sides, "seed": seed, "accepted": live.accepted,
            "rejected": dict(live.rejected), "seconds": round(time.monotonic() - begun, 1)}
    missing = kept.write(outcome, info, not options.no_plot)
    output.say(report.terminal(outcome, info))
    output.say("report    %s/ (gate.md, gate.json, rounds.jsonl%s)" % (
        relative(kept.folder), ", gate.svg" if (kept.folder / "gate.svg").exists() else ""))
    if missing:
        command.complain(NAME, missing)
    return outcome.conclude()[0]


def gate_commands(options, stored, seed):
    begun = time.monotonic()
    bench, outcome = command_bench(options, seed), Outcome(strict=options.strict)
    kept = Report(options.out)
    live = measure(options, bench, stored, seed, kept, outcome)
    return finish(options, outcome, live, kept, seed, begun, {
        "base": "base-cmd", "head": "head-cmd"})


def gate_builds(options, stored, seed):
    sweep = sweepfile.load(sweepfile.find(options.sweep))
    sides = (builds.side("--base", options.base), builds.side("--head", options.head))
    outcome = Outcome(strict=options.strict)
    say = output.say if not options.quiet else lambda line: None
    with builds.Builds(options.cache, say, options.links) as made:
        folders = [made.build(one) for one in sides]
        made.prune(folders)
        begun = time.monotonic()
        bench = weft_bench(options, sweep, made, folders, seed)
        if options.list:
            for name in bench.cells:
                output.say(name)
            return exits.OK
        kept = Report(options.out)
        counted = exact.Exact()
        if not options.no_exact:
            say("counting instructions and calls of the fast paths")
            with files.written_to(made.cache):
                counted = exact.measure(*folders, made.scratch)
            outcome.exact, outcome.unseen = counted.worse, counted.unseen
            bench.failures += counted.failures
        live = measure(options, bench, stored, seed, kept, outcome)
        return finish(options, outcome, live, kept, seed, begun, {
            "base": sides[0].name, "head": sides[1].name,
            "instructions": counted.instructions, "calls": counted.counts})


def main():
    options = parse_arguments(sys.argv[1:])
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little") >> 1
    # The same for all arms, and no longer in a checkout with a longer path.
    for name in ("PWD", "OLDPWD", "_"):
        os.environ.pop(name, None)
    with Interrupt(STOP):
        try:
            stored = stored_floor(options)
            return (gate_commands if options.base_cmd else gate_builds)(
                options, stored, seed)
        except host.AnotherHost as problem:
            command.complain(NAME, problem)
            return exits.UNTRUSTED


if __name__ == "__main__":
    command.run(NAME, main, exits.ERROR)
