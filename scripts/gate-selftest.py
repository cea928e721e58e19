#!/usr/bin/env python3
"""Proves the gate: runs it where the outcome is known, and says how often it erred.

`record` makes as many runs as there is time for and keeps their rounds in
results/gate/, one file each; what is there is not made again. `report` writes what
they say into docs/gate.md, beside what cruder rules say of the same rounds, and the
floor of this machine. Only `record` measures.
"""

import os
import sys
import time
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, command, exits, files
from weftlib.command import number_in, output
from weftlib.gate import builds, host, power, records, selftest
from weftlib.gate.processes import STOP
from weftlib.runner import Interrupt
from weftlib.stats import duration
from weftlib.tables import render_markdown

NAME = "gate-selftest.py"
DESCRIPTION = "Proves the gate: runs it where the outcome is known."
EPILOG = """\
kinds: %s
exit status: 0 done, or no time left; 1 bad input; 130 interrupted (what was finished
is kept)
""" % selftest.__doc__.split("head:\n")[1].strip()
PLAN = ("full=3,relinked=50,slower-15=20,slower-30=20,slower-10=20,slower-5=20,same=10,"
        "load=5," + ",".join("mutant-%s=3" % name for name in selftest.MUTANTS))
BEGIN, END = "<!-- what gate-selftest.py writes -->\n", "<!-- its end -->\n"


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.bad = exits.ERROR
    add = parser.add_argument
    add("what", choices=("record", "report"))
    add("--kinds", type=kinds, default=PLAN, metavar="KIND=RUNS,...",
        help="runs that there shall be (default: %(default)s)")
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
        recorder = selftest.Recorder(made, builds.side("--base", options.base),
                                     options.sweep, folder, output.say,
                                     options.keep_disturbed)
        for number, (kind, run) in enumerate(left, 1):
            used = time.monotonic() - begun
            if used + longest > options.seconds:
                break
            found = recorder.record(kind, run)
            longest = max(longest, time.monotonic() - begun - used)
            output.say("%s-%03d: %s: %s (%s; %d of %d, %s in all)" % (
                kind, run, found.end["verdict"], found.end["why"],
                duration(found.end["seconds"]), number, len(left),
                duration(time.monotonic() - begun)))
    return exits.OK


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
    output.say("%d recorded runs of %s" % (len(found), "; ".join(power.hosts(found))))
    text = document(found, options.replays)
    path = Path(options.document)
    whole = path.read_text(encoding="utf-8")
    if whole.count(BEGIN) != 1 or whole.count(END) != 1:
        raise Problem("'%s' has no place for the tables (%s)" % (path, BEGIN.strip()))
    before, rest = whole.split(BEGIN)
    files.save(path, before + BEGIN + text + END + rest.split(END)[1])
    write_floor(found, Path(options.records))
    output.say(text)
    return exits.OK


def document(found, replays):
    parts = ["Recorded on %s, commit %s." % (
        "; ".join(power.hosts(found)),
        ", ".join(sorted({one.head["commit"][:7] for one in found}))),
        "**Runs that were really made.** In brackets: the exact binomial interval "
        "(Clopper and Pearson), 95 %.", render_markdown(power.real(found))]
    if any(one.head.get("keep_disturbed") for one in found):
        parts.insert(1, "Some of it was recorded on a machine that did other things, and "
                     "no round was rejected for that (`--keep-disturbed`).")
    rounds = records.pool(found)
    if len(rounds) >= power.FEWEST_ROUNDS:
        parts += [
            "**Resampled, not run.** %d replays of each size over whole rounds drawn from "
            "the %d accepted ones that were recorded of identical code, head and "
            "control exchanged by chance, the times of one cell's head made longer "
            "afterwards. It knows no drift from round to round and no links but the "
            "recorded ones, so it flatters; the intervals say only how many replays there "
            "were." % (replays, len(rounds)),
            render_markdown(power.resampled(rounds, replays))]
    if power.stretches(found):
        parts += ["**Cruder rules on the same rounds**, %d at a time as they ran "
                  "(`scripts/weftlib/gate/rivals.py`)." % power.FEWEST_ROUNDS,
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
            return (record if options.what == "record" else report)(options)
        except host.AnotherHost as problem:
            command.complain(NAME, problem)
            return exits.UNTRUSTED


if __name__ == "__main__":
    command.run(NAME, main, exits.ERROR)
