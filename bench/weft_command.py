"""The weft command from outside: what its tests share.

Each of them is a script, SCRIPT WEFT BROKEN_DIR [unittest arguments], where WEFT is the
command and BROKEN_DIR holds the broken channels of stress/broken as shared objects.
"""

import functools
import json
import os
import subprocess
import sys
import unittest
from collections import namedtuple

sys.dont_write_bytecode = True

#: What the script was given: see main().
WEFT = ""
BROKEN = ""

Answer = namedtuple("Answer", "status out err")

#: Seconds for a command that ends by itself, on a machine that has other work too.
PATIENCE = 300

#: As short as a run can be and still be one.
SHORT = ["--reps=1", "--time=1", "--latency=0", "--timeout=%d" % (PATIENCE // 2)]

#: The keys of the object that `weft run --json` prints, in their order.
FIELDS = [
    "schema", "pattern", "chan", "peer", "params", "items_searched", "actual_cap",
    "tasks", "cpus", "oversubscribed", "placement", "verdict", "why", "messages_per_second",
    "ns_per_message", "samples", "warmup", "latency_ns", "cpu_seconds",
    "voluntary_switches", "involuntary_switches", "peak_rss_bytes",
    "harness_ns_per_message", "bytes_per_channel", "idle_cpu_share",
    "fairness", "figures", "seed"]


def weft(*args, **env):
    done = subprocess.run([WEFT, *args], stdin=subprocess.DEVNULL, timeout=PATIENCE,
                          capture_output=True, text=True,
                          env={**os.environ, **env})
    return Answer(done.returncode, done.stdout, done.stderr)


def strict(text):
    """JSON without the NaN and Infinity that Python lets pass."""
    def refuse(word):
        raise ValueError("%s is not JSON" % word)
    return json.loads(text, parse_constant=refuse)


@functools.cache
def sanitizer():
    """What this build was made with: address,undefined or thread; "" for none."""
    return strict(weft("context", "--json").out)["sanitize"]


def broken(name):
    return "--load=%s/%s.so" % (BROKEN, name)


def main():
    """Take WEFT and BROKEN_DIR off the command line, and run the script's tests."""
    global WEFT, BROKEN
    WEFT, BROKEN = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
