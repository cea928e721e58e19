#!/usr/bin/env python3
"""Measures our channels beside those of others, and leaves the table in results/.

Raw work, the same for all: producer_consumer over one channel, every message
checked. Each slice is one process. In every round each cell is run by all
participants by turns, in an order that turns from round to round.
`make peers` builds the channels of other languages first, where those are found;
docs/peers.md says which they are and what was added to them.
"""

import os
import sys
from types import SimpleNamespace

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import (ROOT, Problem, Refused, binary, command, context, files, peers, plan, rundir,
                     shape, summary, tables, versus)
from weftlib.command import (INTERRUPTED, number_in, output, pattern, relative,
                             shown_argv)
from weftlib.progress import Progress
from weftlib.runner import Interrupt
from weftlib.stats import duration

NAME = "peers.py"
DESCRIPTION = "Measures our channels beside those of others; the table lands in results/."
EPILOG = """\
exit status: 0 every cell is verified or impossible (N/A); 1 a cell failed its
check, hung or crashed, ours or a peer's, or two runs do not agree; 2 bad input, nothing measured; 130
interrupted, what was measured is kept in a folder whose name ends in .partial
"""
#: Of all rounds together, in seconds; what is written takes a few more.
BUDGET = 540
ROUNDS, TIME_MS = 15, 250


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    add = parser.add_argument
    command.add_weft(parser)
    add("--peers", metavar="DIR", default=str(ROOT / "build/peers"),
        help="where peer_go and peer_rust are (default: build/peers)")
    add("--results", metavar="DIR", default=str(ROOT / "results"),
        help="where the run's folder is made (default: results)")
    add("--rounds", type=number_in(1, 1000), metavar="N",
        help="rounds of every cell (default: as many as fit 9 minutes, at most %d)"
        % ROUNDS)
    add("--time", type=number_in(1, 60000), metavar="MS",
        help="length of every slice (default: as long as fits, at most %d)" % TIME_MS)
    add("--seed", type=number_in(0, 2**31 - 1), metavar="N",
        help="of the order and of the patterns (default: a new one)")
    add("--cells", type=pattern, metavar="REGEX",
        help="only cells whose name matches, such as '^4:4 cap 64|one CPU'")
    add("--chans", type=names, metavar="NAME,...", default=[],
        help="only these channels, ours and peers")
    add("--placement", choices=peers.PLACEMENTS, default=peers.APART,
        help="apart: each thread is kept on one CPU; free: the system puts them (default: "
        "%(default)s); goroutines are where Go's runtime puts them")
    add("--slice-timeout", type=number_in(1, 86400), metavar="S", default=8,
        help="a run that takes longer is HUNG (default: %(default)s)")
    add("--list", action="store_true",
        help="print channels, cells and the estimated time, measure nothing")
    add("--agree", nargs=2, metavar="RUN",
        help="measure nothing; say whether our cells agree in these two runs")
    add("--quiet", action="store_true", help="no progress, only the result")
    add("--allow-sanitized", action="store_true",
        help="measure a sanitized build all the same")
    return parser.parse_args(argv)


def names(text):
    return [name for name in text.split(",") if name]


def choose_cells(options, chosen):
    """The cells, fitted to the budget unless they are told how long to take."""
    cells = peers.build(chosen, options.cells, options.time or TIME_MS,
                        options.rounds or ROUNDS)
    if options.rounds or options.time:
        return cells, None
    return peers.fit(cells, BUDGET), BUDGET


def estimate_line(cells):
    return ("peers: %d cells of %d channels, %d rounds of %d ms; about %s" % (
        len({cell.row for cell in cells}), len({cell.who for cell in cells}),
        max(cell.rounds for cell in cells), cells[0].time_ms,
        duration(peers.estimate(cells))))


def print_list(chosen, missing, cells):
    for who in chosen:
        output.say("channel %-12s %s" % (who.name, about(who)))
    for line in missing:
        output.say("without " + line)
    for row in dict.fromkeys(cell.row for cell in cells):
        output.say("cell    " + row.name)
    output.say(estimate_line(cells))


def about(who):
    words = [who.side, who.library, "tasks are " + who.tasks
             if not who.is_threads else "", who.adapter]
    return "; ".join(word for word in words if word)


def measure(run, info, cells, budget, fleet, options, interrupt):
    """Runs all rounds, and notes how that went. Returns the context and the records."""
    run.append(info)
    progress = Progress(sys.stderr, sum(cell.rounds for cell in cells),
                        info["rounds"], plan.estimate(cells), options.quiet, "peers")
    runner = peers.PeerRunner(options.placement, fleet, cells, info["seed"], options.slice_timeout,
                              budget, run.append, progress, interrupt)
    try:
        complete = runner.run()
    except Refused:
        progress.clear()
        run.discard()
        raise
    progress.finish(runner.slices)
    records = rundir.read_samples(run.path / rundir.SAMPLES)[1]
    context.finish(info, runner.rounds_done, complete, records)
    info["left_out"] = [cell.name for cell in runner.left_out]
    return run.rewrite_context(info), records


def write_results(run, info, records, cells, chosen, missing):
    """Everything that follows from the samples: what was found."""
    found = versus.entries(cells, records)
    result = summary.build(info, records)
    result["comparison"] = versus.as_data(found)
    run.write("summary.json", files.dumps(result, indent=1) + "\n")
    run.write("summary.md", markdown(result, found, chosen, missing))
    if not info["partial"]:
        run.complete()
    return found


def placed(placement):
    return ("threads are %s; goroutines where its runtime puts them" % {
        peers.APART: "kept on one CPU each, dealt to them in turn",
        peers.FREE: "where the system puts them"}[placement])


def notes(found, chosen, placement):
    lines = [placed(placement)]
    level = versus.level(found)
    if level is not None:
        lines.append("interval: of the ratio over the rounds, by order statistics, at "
                     "least %.1f %% sure." % (100 * level))
    lines += [text for mark, text in versus.MARKS.items() if versus.has(found, mark)]
    lines += ["%s: %s" % (versus.label(who), who.adapter)
              for who in chosen if who.adapter]
    return lines


def all_tables(found, chosen):
    """Those that have anything in them."""
    tables_ = (versus.comparison(found), versus.medians(found, chosen),
               versus.idle(found, chosen))
    return [table for table in tables_ if table.rows]


def markdown(result, found, chosen, missing):
    """summary.md: the tables, the participants, and the machine."""
    parts = ["# weft beside its peers", tables.banner(result), tables.trust(
        result["context"])]
    for table in all_tables(found, chosen) + [versus.fairness(found, chosen)]:
        parts += ["**%s**" % tables.escape(table.title), tables.render_markdown(table)]
    parts.append("\n".join("- " + tables.escape(line)
                           for line in notes(found, chosen, result["context"]["placement"])))
    parts.append("\n".join("- %s: %s" % (tables.escape(who.name), tables.escape(
        who.library or "ours")) for who in chosen))
    parts.append("\n".join("- without " + tables.escape(line) for line in missing))
    return "\n\n".join(part for part in parts if part) + "\n"


def report(run, found, info, chosen):
    """What the user sees at the end."""
    for table in all_tables(found, chosen):
        for block in tables.narrow(table):
            output.say(tables.render_text(block) + "\n")
    for line in notes(found, chosen, info["placement"]):
        output.say(line)
    output.say("load before %s, after %s" % (info["load_before"], info["load_after"]))
    output.say("\nresults   %s/ (summary.md, summary.json, samples.jsonl)"
               % relative(run.path))
    if info["partial"]:
        output.say("PARTIAL   interrupted in round %d of %d" % (
            info["rounds_done"] + 1, info["rounds"]))
    for line in versus.bad(found):
        output.say("FAIL      " + line)


def compare(options, argv):
    """Checks everything that can be checked, then measures."""
    weft = binary.Weft(options.weft)
    fleet, available, missing = peers.gather(weft, options.peers)
    chosen = peers.choose(available, options.chans)
    cells, budget = choose_cells(options, chosen)
    if options.list:
        print_list(chosen, missing, cells)
        return 0
    machine = weft.ask(shape.has(), "context", "--json")
    binary.refuse_sanitized(machine, options.allow_sanitized)
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little") >> 1
    rows = [row.name for row in dict.fromkeys(cell.row for cell in cells)]
    info = context.capture(machine, weft, SimpleNamespace(
        name="peers", text="\n".join(rows) + "\n"), cells, seed,
        shown_argv("scripts/peers.py", argv))
    info.update(placement=options.placement, binaries_sha256=fleet.hashes(),
                peers=[vars(who) for who in chosen])
    with Interrupt(fleet) as interrupt, rundir.RunDir(
            options.results, context.directory_name(info)) as run:
        if not options.quiet:
            announce(info, cells, seed, missing)
        info, records = measure(run, info, cells, budget, fleet, options, interrupt)
        found = write_results(run, info, records, cells, chosen, missing)
        report(run, found, info, chosen)
    if info["partial"]:
        return INTERRUPTED
    return 1 if versus.bad(found) else 0


def announce(info, cells, seed, missing):
    output.say("%s, seed %d" % (estimate_line(cells), seed))
    output.say("on %s, %s CPUs online, load %s" % (
        info.get("cpu"), info.get("cpus_online"), info["load_before"]))
    output.say(placed(info["placement"]))
    for line in missing:
        output.say("without " + line)


def agree(runs):
    """Whether enough of our cells are as fast in one run as in the other."""
    machine, ratios = versus.agreement(*(summary.read(run) for run in runs))
    if not ratios:
        raise Problem("--agree %s %s: they have no cell of %s in common"
                      % (*runs, ", ".join(peers.OURS)))
    apart = [(ratio, name) for ratio, name in ratios if ratio > peers.WITHIN]
    share = 1 - len(apart) / len(ratios)
    for ratio, name in apart:
        output.say("%.2f times  %s" % (ratio, name))
    output.say("the machine was %.2f times as fast in the second run, which is taken out"
               % machine)
    output.say("%d of our %d cells are within %.0f %%: %.0f %%, of which at least %.0f %% "
               "are wanted" % (len(ratios) - len(apart), len(ratios),
                               100 * (peers.WITHIN - 1), 100 * share,
                               100 * peers.AGREEING))
    return 0 if share >= peers.AGREEING else 1


def main():
    argv = sys.argv[1:]
    options = parse_arguments(argv)
    return agree(options.agree) if options.agree else compare(options, argv)


if __name__ == "__main__":
    command.run(NAME, main)
