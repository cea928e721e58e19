#!/usr/bin/env python3
"""Which channel should I use? Measures those that can do what is needed, and says so.

`weft advise` is this script.
"""

import os
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from argparse import ArgumentTypeError
from types import SimpleNamespace

from weftlib import (Problem, Refused, advise, binary, command, context, files, plan, shape,
                     tables, whole)
from weftlib.command import INTERRUPTED, number_in, output, shown_argv
from weftlib.progress import Progress
from weftlib.runner import Interrupt, takes_turns
from weftlib.stats import three_digits

NAME = "weft advise"
DESCRIPTION = "Measures the channels that can do what you need, and says which to use."
EPILOG = """\
what --need knows:
  select      it can take part in weft_select, beside other channels
  timeout     its waits can have a deadline
  batch       several messages go in one call
  len         it says how many messages it holds
  fifo        messages come out in the order in which they went in
  close       it can be closed (all can; of some libraries' only by what the
              adapter adds)
  sleep       what waits for long does not spin
  bounded, unbounded, rendezvous
              as --cap implies them

What lacks one of them is measured for comparison, and never picked.

exit status: 0 there is a pick; 1 no channel that was measured has all that is
needed, or one failed its check, hung or crashed; 2 bad input, nothing measured;
130 interrupted
"""
#: Seconds after which a slice is HUNG, beyond what it should take.
PATIENCE = 10


def needs(text):
    found = tuple(dict.fromkeys(word for word in text.split(",") if word))
    for word in found:
        if word not in advise.NEEDS:
            raise ArgumentTypeError("no need '%s'; there are %s"
                                    % (word, ", ".join(advise.NEEDS)))
    return found


def number(text):
    if whole(text) is None:
        raise ArgumentTypeError("'%s' must be a whole number" % text)
    return whole(text)


def capacity(text):
    if text == advise.UNBOUNDED:
        return text
    if whole(text) is None:
        raise ArgumentTypeError("'%s' must be a whole number or unbounded" % text)
    return whole(text)


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("--producers", type=number, metavar="N", default=1,
        help="tasks that send (default: %(default)s)")
    add("--consumers", type=number, metavar="N", default=1,
        help="tasks that receive (default: %(default)s)")
    add("--cap", type=capacity, metavar="N|unbounded", default=64,
        help="messages that it holds; 0: each is handed over (default: %(default)s)")
    add("--size", type=number, metavar="BYTES", default=8,
        help="of a message (default: %(default)s)")
    add("--work", type=number, metavar="NS", default=0,
        help="what the receiver does with each (default: %(default)s)")
    add("--need", type=needs, metavar="WORD,...", default=(),
        help="what it must be able to do beside that; see below")
    add("--seconds", type=number_in(3, 600), metavar="S", default=24,
        help="how long it may take (default: %(default)s)")
    add("--peers", metavar="all|NAME,...", default="",
        help="also channels of other libraries (weft list peers)")
    add("--load", metavar="FILE.so", action="append", default=[],
        help="also the channel in this shared object; repeatable")
    add("--seed", type=number_in(0, 2**31 - 1), metavar="N",
        help="of the order and of the pattern (default: a new one)")
    add("--json", action="store_true", help="one JSON object (docs/results.md)")
    add("--quiet", action="store_true", help="no progress, only the result")
    command.add_weft(parser)
    add("--allow-sanitized", action="store_true",
        help="measure a sanitized build all the same")
    return parser.parse_args(argv)


def question_of(options):
    return advise.Question(options.producers, options.consumers, options.cap,
                           options.size, options.work, options.need)


def gather(options, weft, question):
    """(candidates, {name: why it cannot}), after what can be wrong has been said."""
    patterns = weft.entries("patterns")
    pattern = {entry["name"]: entry for entry in patterns}.get(advise.PATTERN)
    if not pattern:
        raise Problem("this weft has no pattern %s" % advise.PATTERN)
    advise.refuse(question, pattern)
    entries = weft.entries("channels")
    entries += binary.choose_peers(weft, options.peers)
    for name, path in binary.load_channels(weft, options.load, entries, advise.PATTERN):
        found = [entry for entry in weft.entries("channels", "--load=" + path)
                 if entry["name"] == name]
        entries += [{**entry, "load": path} for entry in found]
    candidates, unable = advise.able(entries, question)
    if not candidates:
        raise Problem("no channel can do that: %s" % "; ".join(
            "%s: %s" % pair for pair in unable.items()))
    return candidates, unable


def measure(weft, candidates, cells, options, seed, work_rate,
            kind=advise.AdviseRunner):
    """Runs the rounds. Returns (the runner, whether it was not interrupted, the
    records)."""
    records = []
    progress = Progress(sys.stderr, sum(cell.rounds for cell in cells), cells[0].rounds,
                        plan.estimate(cells), options.quiet, "advise")
    progress.limit = options.seconds
    with Interrupt(weft) as interrupt:
        runner = kind(weft, candidates, cells, seed, PATIENCE, options.seconds,
                      records.append, progress, interrupt)
        runner.by_turns = takes_turns(weft)
        runner.work_rate = work_rate
        try:
            complete = runner.run()
        except Refused as problem:
            progress.clear()
            raise Problem(str(problem).partition(": ")[2])
    progress.finish(runner.slices)
    return runner, complete, records


def ranking_table(advice):
    """A line for each channel that was measured, the fastest first."""
    rows = []
    for place, (one, ratio) in enumerate(advice.ranking, 1):
        same = one is advice.pick or one in advice.undecided
        rows.append([
            "*" if one is advice.pick else "=" if same else "", one.name,
            three_digits(one.rate / 1e6),
            "1" if one is advice.pick else "%s (%s to %s)" % tuple(
                three_digits(value) for value in (ratio.value, ratio.low, ratio.high)),
            three_digits(one.cpu_ns),
            three_digits(None if one.p99_ns is None else one.p99_ns / 1e3)
            + tables.SATURATED * (not one.kept_up),
            "%d" % len(one.rates), lacks(one)])
    return tables.Table(
        "channels by speed", ["", "channel", "million/s", "speed over the pick's",
                              "CPU ns", "p99 us", "rounds", "lacks"], rows, 2)


def lacks(one):
    return ", ".join([advise.NEEDS[what] + "!" for what in one.unmet]
                     + [advise.NEEDS[what] for what in one.lacks])


def words(advice):
    """What follows from the table, in sentences."""
    lines = []
    pick, ties = advice.pick, advice.undecided
    if pick is None:
        lines.append("No channel that was measured has all of %s."
                     % ", ".join(advice.question.needs))
    elif ties:
        lines.append("Use %s. The data cannot tell whether %s is as fast or faster." % (
            pick.name, " or ".join(one.name for one in ties)))
        lines += [line for line in (cheapest([pick] + ties, "cpu_ns", "costs least CPU"),
                                    cheapest([pick] + ties, "p99_ns",
                                             "has the lowest p99")) if line]
    else:
        lines.append("Use %s%s." % (pick.name, ahead(advice)))
    return lines


def cheapest(those, figure, what):
    known = [one for one in those if getattr(one, figure) is not None]
    if len(known) < 2:
        return ""
    return "Of these, %s %s." % (min(known, key=lambda one: getattr(one, figure)).name,
                                 what)


def ahead(advice):
    """By how much the pick leads what could be used instead."""
    others = [(one, ratio) for one, ratio in advice.ranking
              if one is not advice.pick and one.qualifies]
    if not others:
        return ", the only one that has all that is needed"
    one, ratio = others[0]
    return ": %s times as fast as %s, the next (%s to %s)" % (
        three_digits(1 / ratio.value), one.name, three_digits(1 / ratio.high),
        three_digits(1 / ratio.low))


def report(advice, runner, cells, seed):
    output.say("question  %s" % advice.question)
    output.say("measured  %d channel%s in %d rounds of %d ms, %s, seed %d\n" % (
        len(advice.ranking), "s" * (len(advice.ranking) != 1), runner.rounds_done,
        cells[0].time_ms, "by turns" if runner.by_turns else "interleaved", seed))
    if advice.ranking:
        output.say(tables.render_text(ranking_table(advice), left=("channel", "lacks")))
        level = min(ratio.level for one, ratio in advice.ranking)
        output.say()
        output.say("* the pick; = may be as fast; ! was asked for. Intervals are of the "
                   "ratio within rounds, at least %.0f %% sure.\nCPU: of all tasks, for "
                   "one message. p99: from when a message was due, half of what was "
                   "possible being offered." % (100 * level))
        if any(not one.kept_up for one, _ in advice.ranking):
            output.say("%s saturated: more was offered than came through."
                       % tables.SATURATED)
        output.say()
    for line in words(advice):
        output.say(line)
    for name, why in advice.unable.items():
        output.say("not measured: %s: %s" % (name, why))
    for name, verdict, why in advice.failed:
        output.say("%s: %s%s" % (verdict, name, ": " + why if why else ""))


def as_data(advice, runner, info):
    """The same for programs: docs/results.md says what is in it."""
    question = advice.question
    return {
        "schema": advise.SCHEMA, "context": info,
        "question": {"producers": question.producers, "consumers": question.consumers,
                     "cap": question.cap, "size": question.size, "work": question.work,
                     "need": list(question.needs)},
        "rounds": runner.rounds_done,
        "pick": advice.pick and advice.pick.name,
        "undecided": [one.name for one in advice.undecided],
        "channels": [{
            "chan": one.name, "peer": one.peer, "qualifies": one.qualifies,
            "unmet": list(one.unmet), "lacks": list(one.unmet + one.lacks),
            "verdict": one.verdict, "rounds": len(one.rates),
            "messages_per_second": one.rate, "ratio": vars(ratio),
            "cpu_ns_per_message": one.cpu_ns, "p99_ns": one.p99_ns,
            "kept_up": one.kept_up} for one, ratio in advice.ranking],
        "failed": [{"chan": name, "verdict": verdict, "why": why}
                   for name, verdict, why in advice.failed],
        "not_measured": [{"chan": name, "why": why}
                         for name, why in advice.unable.items()]}


def advise_on(options, argv):
    weft = binary.Weft(options.weft)
    question = question_of(options)
    candidates, unable = gather(options, weft, question)
    machine = weft.ask(shape.has(), "context", "--json")
    binary.refuse_sanitized(machine, options.allow_sanitized)
    seed = options.seed
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little") >> 1
    cells = advise.cells(candidates, question, options.seconds)
    info = context.capture(machine, weft, SimpleNamespace(name="advise", text=""), cells,
                           seed, shown_argv(NAME, argv))
    runner, complete, records = measure(weft, candidates, cells, options, seed,
                                        machine.get("work_rate"))
    context.finish(info, runner.rounds_done, complete, records)
    if not complete:
        command.complain(NAME, "interrupted after %d rounds" % runner.rounds_done)
        return INTERRUPTED
    advice = advise.conclude(question, candidates, unable)
    if options.json:
        output.say(files.dumps(as_data(advice, runner, info), indent=1))
    else:
        report(advice, runner, cells, seed)
    return 1 if advice.failed or advice.pick is None else 0


def main():
    argv = sys.argv[1:]
    return advise_on(parse_arguments(argv), argv)


if __name__ == "__main__":
    command.run(NAME, main)
