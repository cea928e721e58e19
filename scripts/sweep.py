#!/usr/bin/env python3
"""Measures every cell of a sweep and leaves a finished run in results/.

Each cell (a pattern over a channel with fixed knobs) is measured in short
slices, one process each. The rounds are interleaved: every round runs every
cell once, in a seeded shuffled order, so that what drifts on the machine hits
all of them alike. Cells that differ in their channel only are measured by turns.
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import compare
import plot
from weftlib import (ROOT, Problem, Refused, agreement, binary, cells as cellmaker,
                     command, context, exports, files, gbench, gnuplot, plan, report as reports,
                     resume, rundir, shape, shown, summary, sweepfile, tables)
from weftlib.command import (INTERRUPTED, number_in, output, pattern, relative,
                             shown_argv)
from weftlib.progress import Progress
from weftlib.runner import Interrupt, Runner, takes_turns
from weftlib.watch import Watch

NAME = "sweep.py"
DESCRIPTION = "Measures every cell of a sweep and leaves a finished run in results/."
EPILOG = """\
exit status: 0 every cell is verified or impossible (N/A); 1 a cell failed its
check, hung or crashed; 2 bad input, nothing measured; 130 interrupted, what
was measured is kept in a folder whose name ends in .partial; with --against,
that of weft compare instead of 0 and 2
"""

#: How many failed cells the terminal names; summary.md names all.
BAD_SHOWN = 12


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.bad = compare.bad_status(argv)
    add = parser.add_argument
    add("--sweep", metavar="NAME|FILE", default="default",
        help="a sweep in bench/sweeps, or a file (default: %(default)s)")
    command.add_weft(parser)
    add("--results", metavar="DIR", default=str(ROOT / "results"),
        help="where the run's folder is made (default: results)")
    add("--rounds", type=number_in(1, 1000), metavar="N",
        help="rounds of every cell, whatever the sweep says; no budget then")
    add("--time", type=number_in(1, 60000), metavar="MS",
        help="length of every slice, whatever the sweep says; no budget then")
    add("--seed", type=number_in(0, 2**31 - 1), metavar="N",
        help="of the order and of the patterns (default: a new one)")
    add("--filter", type=pattern, metavar="REGEX",
        help="only cells whose name matches, such as 'chan:ring/.*cap:0'")
    add("--load", metavar="FILE.so", action="append", default=[],
        help="also measure the channel in this shared object; repeatable")
    add("--peers", metavar="all|NAME,...", default="",
        help="also measure channels of other libraries: all that were built, or these "
             "(weft list peers shows them)")
    add("--slice-timeout", type=number_in(1, 86400), metavar="S", default=60,
        help="a slice that takes so much longer than what was asked of it is HUNG; "
             "while the sweep is stopped, no time passes (default: %(default)s)")
    add("--no-plot", action="store_true", help="draw no pictures")
    add("--list", action="store_true",
        help="print the cells and the estimated time, measure nothing")
    add("--quiet", action="store_true", help="no progress, only the result")
    add("--keep-disturbed", action="store_true",
        help="use what was measured while others had the CPUs, too")
    add("--allow-sanitized", action="store_true",
        help="measure a sanitized build all the same")
    compare.add_options(parser)
    add("--resume", metavar="RUN.partial", nargs="?", const="",
        help="go on with an interrupted run, the newest of these cells in the results "
             "folder without a name: only what is missing is measured")
    add("--agree", nargs=2, metavar="RUN",
        help="measure nothing; say whether these two runs agree")
    return parser.parse_args(argv)


def choose_cells(options, weft, sweep, cpus):
    """The cells to measure, fitted to the budget; the names of those that did not fit;
    that budget; and the peers."""
    patterns = weft.entries("patterns")
    channels = weft.entries("channels")
    peers = binary.choose_peers(weft, options.peers)
    loaded = binary.load_channels(weft, options.load, channels + peers,
                                  patterns[0]["name"])
    loaded += [(peer["name"], "") for peer in peers]
    override = {key: value for key, value in
                (("rounds", options.rounds), ("time", options.time)) if value}
    if options.rounds:
        override["most"] = None
    cells = cellmaker.build(sweep, patterns, channels, loaded, override, cpus)
    if options.filter:
        cells = [cell for cell in cells if options.filter.search(cell.name)]
        if not cells:
            raise Problem("--filter '%s' matches none of the cells; --list shows "
                          "their names" % options.filter.pattern)
    budget, left_out = None if override else sweep.settings["budget"], []
    if budget:
        cells, left_out = plan.fit(cells, budget, sweep.settings["shortest"])
    return cells, left_out, budget, peers


def print_list(sweep, cells, left_out, budget):
    for cell in cells:
        output.say(cell.name)
    output.say(tables.estimate_line(sweep.name, cells, plan.estimate(cells), left_out,
                                    budget))


def measure(run, info, done, cells, budget, weft, options, interrupt):
    """Runs all rounds and writes the files; returns what `write_results` does. `done`
    has the records of the run so far, if it goes on.

    The interrupt stays armed until everything is written: a second Ctrl-C
    changes nothing any more.
    """
    if not info["resumed"]:
        run.append(info)
    progress = Progress(sys.stderr, sum(cell.rounds for cell in cells),
                        info["rounds"], plan.estimate(cells), options.quiet)
    runner = Runner(weft, cells, info["seed"], options.slice_timeout, budget,
                    run.append, progress, interrupt, done,
                    None if options.keep_disturbed else Watch())
    runner.by_turns = takes_turns(weft)
    runner.work_rate = info.get("work_rate")
    try:
        complete = runner.run()
    except Problem as problem:
        progress.clear()
        if isinstance(problem, Refused) and not info["resumed"]:
            run.discard()
        raise
    progress.finish(runner.slices)
    records = rundir.read_samples(run.path / rundir.SAMPLES)[1]
    context.finish(info, runner.rounds_done, complete, records)
    return write_results(run, run.rewrite_context(info), records, weft, options)


def write_results(run, info, records, weft, options):
    """Everything that follows from the samples: (summary, names of the pictures,
    what was asked for but is not there)."""
    result = summary.build(info, records)
    run.write("summary.json", files.dumps(result, indent=1) + "\n")
    run.write("benchmark.json", files.dumps(
        gbench.build(result, records, shown(weft.path)), indent=1) + "\n")
    pictures, missing = [], None
    if not options.no_plot:
        try:
            pictures = plot.draw_run(str(run.path))
        except Problem as problem:
            missing = "no pictures, or not all of them: %s" % problem
    told = reports.tell(result, records)
    run.write("summary.md", tables.markdown(result, pictures, told.markdown()))
    for name, make in exports.FILES.items():
        run.write(name, make(told.run))
    try:
        page = told.page(not (options.no_plot or missing))
    except Problem as problem:
        missing = "no pictures in the report: %s" % problem
        page = told.page(with_pictures=False)
    run.write(reports.NAME, page)
    if not info["partial"]:
        run.complete()
    return result, pictures, missing


def report(result, run, pictures):
    """What the user sees at the end."""
    folder = relative(run.path)
    output.say(tables.terminal(result) or "nothing was measured")
    output.say("\nresults   %s/ (summary.md, results.json, results.csv, benchmark.json, "
               "samples.jsonl)"
          % folder)
    output.say("report    %s/%s" % (folder, reports.NAME))
    for name in pictures:
        if name.endswith(".png"):
            output.say("picture   %s/%s" % (folder, name))
    if result["context"]["partial"]:
        done, rounds = (result["context"][key] for key in ("rounds_done", "rounds"))
        place = "%d of %d" % (done + 1, rounds) if done < rounds else done + 1
        output.say("PARTIAL   interrupted in round %s; --resume measures what is missing"
                   % place)
    bad = tables.bad_cells(result)
    for line in bad[:BAD_SHOWN]:
        output.say("FAIL      " + line)
    if len(bad) > BAD_SHOWN:
        output.say("FAIL      and %d more, all in summary.md" % (len(bad) - BAD_SHOWN))


def begin(options, argv, weft, machine, sweep_file, cells, left_out, peers):
    """A new run, or the one that is to be resumed: its folder, context and records."""
    digest = resume.digest(cells)
    if options.resume is not None:
        run, info, done = resume.reopen(resume.find(
            options.resume, options.results, digest, weft.sha256()))
        if options.seed not in (None, info["seed"]):
            raise Problem("--seed=%d: the interrupted run has seed %d"
                          % (options.seed, info["seed"]))
        context.resume(info)
        return run, info, done
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little") >> 1
    info = context.capture(machine, weft, sweep_file, cells, seed,
                           shown_argv("scripts/sweep.py", argv), peers,
                           left_out=left_out, plan_sha256=digest)
    return rundir.RunDir(options.results, context.directory_name(info)), info, []


def agree(runs):
    """Whether enough of the cells that both call steady are as fast in one run as in
    the other, and enough are steady."""
    found = agreement.compare(*(summary.read(run) for run in runs))
    if not found.ratios and not found.rates:
        raise Problem("--agree %s %s: no cell is steady in both" % tuple(runs))
    for line in agreement.lines(found):
        output.say(line)
    return 0 if agreement.holds(found) else 1


def sweep(options, argv):
    """Checks everything that can be checked, then measures."""
    sweep_file = sweepfile.load(sweepfile.find(options.sweep))
    if not (options.no_plot or options.list):
        gnuplot.check()
    weft = binary.Weft(options.weft)
    machine = weft.ask(shape.has(cpus_allowed=shape.maybe(shape.count)), "context",
                       "--json")
    cells, left_out, budget, peers = choose_cells(options, weft, sweep_file,
                                                  machine.get("cpus_allowed"))
    if options.list:
        print_list(sweep_file, cells, left_out, budget)
        return 0
    binary.refuse_sanitized(machine, options.allow_sanitized)
    compare.prepare(options, machine)
    with Interrupt(weft) as interrupt:
        run, info, done = begin(options, argv, weft, machine, sweep_file, cells,
                                left_out, peers)
        with run:
            if not options.quiet:
                output.say("%s, seed %d" % (tables.estimate_line(
                    sweep_file.name, cells, plan.estimate(cells), left_out, budget),
                    info["seed"]))
            result, pictures, missing = measure(run, info, done, cells, budget, weft,
                                                options, interrupt)
            report(result, run, pictures)
    if missing:
        command.complain(NAME, missing)
    if result["context"]["partial"]:
        return INTERRUPTED
    status = 1 if tables.bad_cells(result) else 2 if missing else 0
    return compare.conclude(options, run.path, status)


def main():
    argv = sys.argv[1:]
    options = parse_arguments(argv)
    if options.agree:
        return agree(options.agree)
    return compare.guarded(NAME, lambda: sweep(options, argv))


if __name__ == "__main__":
    command.run(NAME, main, compare.bad_status(sys.argv[1:]))
