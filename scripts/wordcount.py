#!/usr/bin/env python3
"""Compares the word count of mapreduce with tr, sort and uniq, and 2 workers with 1."""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import command
from weftlib.command import output

NAME = "wordcount.py"
DESCRIPTION = """\
Makes a text with words as frequent as Zipf's law has it, and counts its words in turn:

    LC_ALL=C tr -cs 'A-Za-z' '\\n' | sort | uniq -c        (LC_ALL=C for all three)
    weft run mapreduce --input=TEXT --workers=1
    weft run mapreduce --input=TEXT --workers=2

What is told are medians: of the pipe, the time from its start to its end; of weft, the
time in which it reads the file and counts. It also checks every run, which is not
counted. All must find the same number of different words.
"""
EPILOG = "exit status: 0 measured; 1 a count failed, or found something else; 2 bad input"

PIPE = "tr -cs 'A-Za-z' '\\n' < \"$TEXT\" | sort | uniq -c"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = 10000
WANTED = {"workers": 1.6, "pipe": 10}


class Failure(Exception):
    """A count that is not one."""


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.add_argument("--mb", type=command.number_in(1, 512), default=64,
                        help="size of the text (default: 64)")
    parser.add_argument("--rounds", type=command.number_in(1, 1000), default=5,
                        help="how often each is measured (default: 5)")
    command.add_weft(parser)
    return command.with_weft(parser.parse_args(argv))


def write_text(path, megabytes):
    """Ten words to a line, of 2 to 9 letters, the short ones more often."""
    rng, words, left = random.Random(1), set(), megabytes * 10**6
    while len(words) < VOCABULARY:
        words.add("".join(rng.choices(LETTERS, k=rng.randint(2, 9))))
    words = sorted(words, key=lambda word: (len(word), word))
    shares = [1 / rank for rank in range(1, VOCABULARY + 1)]
    with open(path, "w", encoding="ascii") as to:
        while left > 0:
            some = rng.choices(words, shares, k=100000)
            lines = (" ".join(some[i:i + 10]) for i in range(0, len(some), 10))
            left -= to.write("".join(line + "\n" for line in lines)[:left])


def by_pipe(text):
    """Seconds, and how many different words."""
    begin = time.monotonic()
    done = subprocess.run(["sh", "-c", PIPE], stdout=subprocess.PIPE, check=False,
                          env={**os.environ, "LC_ALL": "C", "TEXT": text})
    seconds = time.monotonic() - begin
    if done.returncode:
        raise Failure("the pipe failed")
    return seconds, sum(len(line.split()) == 2 for line in done.stdout.splitlines())


def by_weft(weft, text, workers):
    """Seconds of counting, of reading before, and how many different words."""
    done = subprocess.run([weft, "run", "mapreduce", "--input=" + text,
                           "--workers=%d" % workers, "--reps=1", "--latency=0",
                           "--timeout=3600", "--json"],
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Failure("weft run failed")
    figures = json.loads(done.stdout)["figures"]
    counted, load, words = (figures[name]["value"] for name in ("counted", "load", "words"))
    return counted / 1e3, load / 1e3, words


def measure(options, text):
    """The seconds of each, by its label."""
    seconds = {}
    for turn in range(options.rounds):
        pipe, words = by_pipe(text)
        seconds.setdefault("pipe", []).append(pipe)
        for workers in (1, 2):
            counted, load, found = by_weft(options.weft, text, workers)
            if found != words:
                raise Failure("weft found %d words, the pipe %d" % (found, words))
            seconds.setdefault("counted by %d" % workers, []).append(counted)
            seconds.setdefault("read, counted by %d" % workers, []).append(load + counted)
        output.say("round %d of %d" % (turn + 1, options.rounds))
    return seconds


def tell(seconds, megabytes):
    middle = {label: statistics.median(each) for label, each in seconds.items()}
    for label, each in seconds.items():
        output.say("%-20s %7.3f s  (%.3f to %.3f)  %6.0f MB/s"
                   % (label, middle[label], min(each), max(each),
                      megabytes / middle[label]))
    output.say("2 workers count %.2f times as fast as 1 (wanted: %g)"
               % (middle["counted by 1"] / middle["counted by 2"], WANTED["workers"]))
    output.say("2 workers read and count %.1f times as fast as the pipe (wanted: %g)"
               % (middle["pipe"] / middle["read, counted by 2"], WANTED["pipe"]))


def main():
    options = parse_arguments(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="wordcount-") as folder:
        text = str(Path(folder, "text"))
        write_text(text, options.mb)
        try:
            seconds = measure(options, text)
        except Failure as why:
            command.complain(NAME, str(why))
            return 1
    tell(seconds, options.mb)
    return 0


if __name__ == "__main__":
    command.run(NAME, main)
