#!/usr/bin/env python3
"""Proves the gate: runs it where the outcome is known, and says how often it erred.

`build` builds what will be run, which needs no quiet machine. `record` makes as many
runs as there is time for and keeps their rounds in results/gate/, one file for each
loop; what is there is not made again. `report` writes what they say into docs/gate.md,
beside what cruder rules say of the same rounds, and the floor of this machine. Only
`record` measures.
"""

import os
import sys
import time
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, command, exits, files
from weftlib.command import number_in, output
from weftlib.gate import builds, curve, host, power, records, rivals, selftest
from weftlib.gate.processes import STOP
from weftlib.runner import Interrupt
from weftlib.stats import duration
from weftlib.tables import render_markdown

NAME = "gate-selftest.py"
DESCRIPTION = "Proves the gate: runs it where the outcome is known."
EPILOG = """\
kinds: %s
exit status: 0 done, or no time left; 1 bad input; 4 what lies there is of another
machine; 130 interrupted (what was finished is kept)
""" % selftest.KINDS.strip()
PLAN = "relinked=1,load=2,mutants=2,full=1,loop=50"
SLOWER = "15=2,30=2,10=1,5=1"
PICTURE = "power.svg"
SHARED = (
    "Runs without a time of their own come out of loops: in one loop of rounds the head of "
    "identical code and the slower ones of some cells are measured beside one base and one "
    "control. Each run has the rule, the looks and the fresh rounds of a gate of its own. "
    "Runs of one loop have its minutes, base and control in common, so lines of this table "
    "depend on each other, and so do runs of identical code of one loop, though each head "
    "has links of its own; the head that decides about a slower cell belongs to one run.")
RESAMPLED = (
    "**Resampled, not run.** %d replays of each size over whole rounds drawn from the %d "
    "accepted ones that were recorded of identical code, head and control exchanged by "
    "chance, the times of one cell's head made longer afterwards. It knows no drift from "
    "round to round and no links but the recorded ones, so it flatters; the intervals say "
    "only how many replays there were.")
BEGIN, END = "<!-- what gate-selftest.py writes -->\n", "<!-- its end -->\n"


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.bad = exits.ERROR
    add = parser.add_argument
    add("what", choices=("build", "record", "report"))
    add("--kinds", type=kinds, default=PLAN, metavar="KIND=RUNS,...",
        help="what there shall be, in turns (default: %(default)s)")
    add("--slower", type=slower, default=SLOWER, metavar="PERCENT=RUNS,...",
        help="runs of a loop with a slower cell (default: %(default)s); '' for none")
    add("--twins", type=number_in(0, 9), metavar="N", default=0,
        help="more runs of identical code in a loop (default: %(default)s)")
    add("--seconds", type=number_in(1, 10**6), metavar="S", default=3600,
        help="begin no run that would end after so long (default: %(default)s)")
    add("--base", metavar="REF|DIR", default=str(ROOT), help="the commit to run")
    add("--sweep", metavar="NAME|FILE", default="gate")
    add("--cache", metavar="DIR", default=str(builds.CACHE))
    add("--records", metavar="DIR", default=str(records.FOLDER))
    add("--keep-disturbed", action="store_true",
        help="reject no round for what else the machine did meanwhile")
    add("--document", metavar="FILE", default=str(ROOT / "docs" / "gate.md"),
        help="where report writes its tables")
    add("--replays", type=number_in(1, 10**6), metavar="N", default=power.REPLAYS,
        help="of each size of a slowdown, resampled (default: %(default)s)")
    return parser.parse_args(argv)


def kinds(text):
    """[(kind, how many)]."""
    pairs = [word.partition("=") for word in text.split(",")]
    for kind, _, _ in pairs:
        selftest.check(kind)
    return [(kind, number_in(1, 1000)(count)) for kind, _, count in pairs]


def slower(text):
    """[(kind, how many)]."""
    return kinds(",".join("slower-" + word for word in text.split(","))) if text else []


def record(options):
    begun, longest = time.monotonic(), 0.0
    folder = Path(options.records)
    left = selftest.missing(folder, options.kinds)
    same_host(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(folder, error)
    with builds.Builds(options.cache, output.say) as made:
        recorder = recorder_of(options, made, folder)
        for number, (kind, run) in enumerate(left, 1):
            used = time.monotonic() - begun
            if used + longest > options.seconds:
                break
            found = recorder.record(kind, run)
            longest = max(longest, time.monotonic() - begun - used)
            say_record(found, number, len(left), time.monotonic() - begun)
    return exits.OK


def recorder_of(options, made, folder):
    return selftest.Recorder(made, builds.side("--base", options.base), options.sweep,
                             folder, output.say, options.keep_disturbed, options.slower,
                             options.twins)


def build(options):
    """Everything that the kinds need, so that `record` has to build nothing."""
    with builds.Builds(options.cache, output.say) as made:
        recorder = recorder_of(options, made, Path(options.records))
        for kind, _ in options.kinds:
            recorder.folders(kind)
    return exits.OK


def say_record(found, number, count, seconds):
    """A line for the record, and one for each run in it."""
    output.say("%s-%03d: %s (%d of %d, %s in all), %d rounds, %d rejected" % (
        found.kind, found.head["number"], duration(found.end["seconds"]), number, count,
        duration(seconds), len(found.rounds),
        sum(bool(one["rejected"]) for one in found.rounds)))
    for view in records.views([found]):
        output.say("  %s: %s: %s%s" % (
            view.kind, view.end["verdict"], view.end["why"],
            "; it is in " + ", ".join(view.touched) if view.slower else ""))


def same_host(folder):
    """Problem where runs of another machine lie already."""
    for path in sorted(folder.glob("*.jsonl.gz"))[:1]:
        host.same(records.read(path).head["host"], "'%s'" % path.name)


# --- report ---


def report(options):
    found = records.read_all(options.records)
    if not found:
        raise Problem("no recorded runs in '%s'; make some with: %s record"
                      % (options.records, NAME))
    runs = records.views(found)
    output.say("%d runs in %d records, of %s" % (len(runs), len(found),
                                                 "; ".join(power.hosts(found))))
    path, folder = Path(options.document), Path(options.records)
    whole = path.read_text(encoding="utf-8")
    if whole.count(BEGIN) != 1 or whole.count(END) != 1:
        raise Problem("'%s' has no place for the tables (%s)" % (path, BEGIN.strip()))
    before, rest = whole.split(BEGIN)
    rounds = records.pool(found)
    again = power.replayed(rounds, options.replays) if len(
        rounds) >= power.FEWEST_ROUNDS else []
    picture = draw_curve(folder, runs, again, options.replays)
    text = document(found, runs, again, options.replays,
                    picture and os.path.relpath(picture, path.parent))
    files.save(path, before + BEGIN + text + END + rest.split(END)[1])
    write_floor(found, folder)
    output.say(text)
    return exits.OK


def draw_curve(folder, runs, again, replays):
    """The path of the picture, or None."""
    points = power.curve(runs)
    if len(points) < 2:
        return None
    try:
        files.save(folder / PICTURE, curve.draw(points, again, replays))
    except Problem as problem:
        command.complain(NAME, "no picture: %s" % problem)
        return None
    return folder / PICTURE


def document(found, runs, again, replays, picture):
    """What stands in the document, between its two marks."""
    same = sum(view.kind in records.SAME for view in runs)
    slow = sum(bool(view.slower) for view in runs)
    parts = ["Recorded on %s, commit %s, in %s: %d runs of identical code, %d in which one "
             "cell was slower, %d others." % (
                 "; ".join(power.hosts(found)),
                 ", ".join(sorted({one.head["commit"][:7] for one in found})),
                 duration(sum(one.end["seconds"] for one in found)), same, slow,
                 len(runs) - same - slow),
             "**Runs that were really made.** In brackets: the exact binomial interval "
             "(Clopper and Pearson), 95 %; of few runs it is wide.",
             render_markdown(power.real(runs))]
    if any(not view.alone for view in runs):
        parts.append(SHARED + " Loops and single runs in which identical code was flagged: "
                     "%s." % power.share(*power.loops(found)))
    otherwise = power.judged_otherwise(runs)
    if otherwise:
        parts.insert(1, "The rule has changed since: of %d of these runs (%s) it now says "
                     "something else, from the same rounds." % (len(otherwise), ", ".join(
                         sorted({view.kind for view in otherwise}))))
    if any(one.head.get("keep_disturbed") for one in found):
        parts.insert(1, "Some of it was recorded on a machine that did other things, and "
                     "no round was rejected for that (`--keep-disturbed`).")
    if picture:
        parts.append("![how often a slowdown is found, by its size](%s)" % picture)
    if again:
        parts += [RESAMPLED % (replays, len(records.pool(found))),
                  render_markdown(power.resampled(again, replays))]
    if power.stretches(found, rivals.ROUNDS):
        parts += ["**Cruder rules on the same rounds**, %d or %d at a time as they ran "
                  "(`scripts/weftlib/gate/rivals.py`). The slower side is the same rounds "
                  "with longer times." % (rivals.ROUNDS, 2 * rivals.ROUNDS),
                  render_markdown(power.compared(found))]
    return "\n" + "\n\n".join(parts) + "\n\n"


def write_floor(found, folder):
    floor = power.floor(found)
    if floor:
        files.save(folder / "floor.json", files.dumps(
            {"host": found[0].head["host"], "floor": floor}, indent=1) + "\n")


def main():
    options = parse_arguments(sys.argv[1:])
    for name in ("PWD", "OLDPWD", "_"):
        os.environ.pop(name, None)
    with Interrupt(STOP):
        try:
            return {"build": build, "record": record, "report": report}[options.what](
                options)
        except host.AnotherHost as problem:
            command.complain(NAME, problem)
            return exits.UNTRUSTED


if __name__ == "__main__":
    command.run(NAME, main, exits.ERROR)
