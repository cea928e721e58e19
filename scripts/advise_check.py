#!/usr/bin/env python3
"""Whether `weft advise` picks well: some questions, each measured at length as well.

A pick is good if the long measurement has it within 10 % of the best channel that
qualifies. Takes some fifteen minutes; leave the machine alone meanwhile.
"""

import json
import os
import subprocess
import sys

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

import advise as asking
from weftlib import Problem, advise, binary, command, shape
from weftlib.command import INTERRUPTED, number_in, output
from weftlib.stats import three_digits

NAME = "advise_check.py"
DESCRIPTION = "Compares what weft advise picks with a longer measurement."
EPILOG = """\
exit status: 0 at least nine in ten picks are good; 1 fewer are, or a channel failed
its check; 2 bad input; 130 interrupted
"""
#: One to one, many to one, one to many, many to many; rendezvous, little and much room,
#: none at all; small and large messages.
QUESTIONS = (
    "--producers=1 --consumers=1 --cap=0",
    "--producers=1 --consumers=1 --cap=1",
    "--producers=1 --consumers=1 --cap=1024 --need=close",
    "--producers=4 --consumers=1 --cap=1024 --size=64 --need=select,close",
    "--producers=2 --consumers=1 --cap=64",
    "--producers=1 --consumers=4 --cap=64 --need=timeout",
    "--producers=2 --consumers=2 --cap=64 --size=256",
    "--producers=4 --consumers=4 --cap=8",
    "--producers=2 --consumers=2 --cap=unbounded --need=fifo",
    "--producers=2 --consumers=2 --cap=64 --work=1000",
)
WANTED = 0.9


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("--seconds", type=number_in(3, 600), metavar="S", default=24,
        help="what each advice may take (default: %(default)s)")
    add("--long", type=number_in(3, 3600), metavar="S", default=60,
        help="what each long measurement takes (default: %(default)s)")
    add("--questions", type=number_in(1, len(QUESTIONS)), metavar="N",
        default=len(QUESTIONS), help="only the first so many (default: %(default)s)")
    command.add_weft(parser)
    return parser.parse_args(argv)


class Thorough(advise.AdviseRunner):
    """All candidates, in all rounds."""

    def round_ends(self, turn):
        pass


def ask(options, words):
    """What weft advise says, as data."""
    script = os.path.join(os.path.dirname(os.path.realpath(__file__)), "advise.py")
    done = subprocess.run(
        [sys.executable, script, "--json", "--quiet", "--weft=" + options.weft,
         "--seconds=%d" % options.seconds, *words], capture_output=True, text=True)
    if done.returncode:
        raise Problem("weft advise %s: exit status %d: %s" % (
            " ".join(words), done.returncode, done.stderr.strip()))
    return json.loads(done.stdout)


def measure_long(options, weft, words):
    """{channel that qualifies: its rate}, or None when interrupted."""
    asked = asking.parse_arguments(["--quiet", "--seconds=%d" % options.long, *words])
    question = asking.question_of(asked)
    candidates, _ = asking.gather(asked, weft, question)
    candidates = [one for one in candidates if one.qualifies]
    cells = advise.cells(candidates, question, options.long)
    machine = weft.ask(shape.has(), "context", "--json")
    _, complete, _ = asking.measure(weft, candidates, cells, asked, 1,
                                    machine.get("work_rate"), Thorough)
    if not complete:
        return None
    bad = [one for one in candidates if one.bad]
    if bad:
        raise Problem("%s: %s %s" % (bad[0].name, bad[0].verdict, bad[0].why))
    return {one.name: one.rate for one in advise.measured(candidates)}


def judge(pick, rates):
    """(whether the pick is good, its speed over that of the best, the best)."""
    best = max(rates, key=rates.get)
    share = rates[pick] / rates[best]
    return share >= 1 - advise.ALIKE, share, best


def check(options):
    weft = binary.Weft(options.weft)
    good = 0
    for words in (text.split() for text in QUESTIONS[:options.questions]):
        advice = ask(options, words)
        rates = measure_long(options, weft, words)
        if rates is None:
            return INTERRUPTED
        is_good, share, best = judge(advice["pick"], rates)
        good += is_good
        output.say("%s  picked %-10s %s of the best, %s; %s" % (
            "good" if is_good else "BAD ", advice["pick"], three_digits(share), best,
            " ".join(words)))
    output.say("%d of %d picks are within %.0f %% of the best" % (
        good, options.questions, 100 * advise.ALIKE))
    return 0 if good >= WANTED * options.questions else 1


def main():
    return check(parse_arguments(sys.argv[1:]))


if __name__ == "__main__":
    command.run(NAME, main)
