#!/usr/bin/env python3
"""Runs what finds the bugs planted in weft's own code, and writes what found each.

Every planted bug is a test of ctest with the label `mutant`; a bug is planted by
`weft_mutate` (cmake/WeftMutant.cmake). The tiers that know a mutant are run in
order, each with several seeds, until one has found it. What is done is kept in
RESULTS/kills.json, and not done again.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, command  # noqa: E402
from weftlib.command import output  # noqa: E402

NAME = "mutants.py"
DESCRIPTION = "Says which planted bug is found by what, and how soon."
EPILOG = """\
exit status: 0 every planted bug was found; 1 one was not; 2 bad input, or there
are no planted bugs to run: `make mutants` builds them
"""

#: In which they are run. A unit test or a kernel's verify takes no seed of ours.
TIERS = ("unit", "kernel", "conform", "stress", "tsan")
#: Runs with one seed until it counts as not found with that. The random stress goes on
#: for its time by itself.
TRIES = {"unit": 5, "kernel": 2, "conform": 4, "stress": 1, "tsan": 2}
EXPLAINED = ROOT / "stress/mutants/survivors.txt"
#: What may be built, and the tier that all in it belong to.
BUILDS = (("release", None), ("tsan", "tsan"))


class Planted:
    """A bug, as one tier meets it: a program to run, and what its status means."""

    def __init__(self, mutant, tier, argv, env, found, reference=None, limit=120):
        self.mutant, self.tier, self.argv, self.env = mutant, tier, argv, env
        self.found, self.reference, self.limit = found, reference, limit

    def run(self, seed):
        """Whether one run found it, and what that took in seconds."""
        argv = self.argv + (["--seed=%d" % seed] if self.tier in ("conform", "stress", "tsan")
                            else [])
        limit = self.limit if self.reference is None else 1 + 4 * reference(self)
        begin = time.monotonic()
        try:
            status = subprocess.run(argv, env=dict(os.environ, **self.env), timeout=limit,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, check=False).returncode
        except subprocess.TimeoutExpired:
            return self.reference is not None, time.monotonic() - begin
        except OSError as error:
            raise Problem("cannot run '%s': %s" % (argv[0], command.reason(error))) from error
        return self.found(status), time.monotonic() - begin


LOCK = threading.Lock()
TOOK = {}


def reference(planted):
    """How long the test takes without the bug, here and now; it must pass."""
    with LOCK:
        if planted.reference not in TOOK:
            begin = time.monotonic()
            status = subprocess.run([planted.reference], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    check=False).returncode
            if status not in (0, 77):
                raise Problem("'%s' fails without a bug: status %d"
                              % (planted.reference, status))
            TOOK[planted.reference] = time.monotonic() - begin
        return TOOK[planted.reference]


def fails(status):
    return status not in (0, 77)


def finds(status):
    return status == 1


def passes(status):
    return status == 0


def parse_arguments(argv):
    parser = command.Parser(NAME, DESCRIPTION, EPILOG)
    parser.add_argument("--build", metavar="DIR", default=str(ROOT / "build"),
                        help="where release/ and tsan/ are (default: build)")
    parser.add_argument("--only", metavar="REGEX", type=command.pattern, default=re.compile(""),
                        help="mutants whose names match")
    parser.add_argument("--seeds", metavar="N", type=command.number_in(1, 99), default=3,
                        help="of each tier (default: 3); the matrix has the median")
    parser.add_argument("--jobs", metavar="N", type=command.number_in(1, 64), default=2,
                        help="at once (default: 2)")
    parser.add_argument("--minutes", metavar="N", type=command.number_in(1, 10000), default=20,
                        help="begin no mutant after so many (default: 20)")
    parser.add_argument("--results", metavar="DIR", default=str(ROOT / "results/mutants"),
                        help="kills.json and matrix.md (default: results/mutants)")
    parser.add_argument("--again", action="store_true", help="also what has been done")
    return parser.parse_args(argv)


# --- what there is ---

def ctest(folder):
    """The tests of a build with their properties; none without the build."""
    if not os.path.isfile(os.path.join(folder, "CTestTestfile.cmake")):
        return []
    try:
        text = subprocess.run(["ctest", "--test-dir", folder, "-C", "mutants",
                               "--show-only=json-v1", "-L", "^mutant$"], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return json.loads(text)["tests"]
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
        raise Problem("cannot ask ctest for the tests in '%s': %s" % (folder, error)) from error


def environment(test):
    values = [p["value"] for p in test.get("properties", []) if p["name"] == "ENVIRONMENT"]
    return dict(word.split("=", 1) for value in values for word in value if "=" in word)


def planted_of(test, tier):
    """A test as what it runs: the scripts around it try more than once by themselves."""
    name, argv, env = test["name"], test.get("command"), environment(test)
    if not argv:
        return None # not built
    if argv[0].endswith("cmake/mutant_test.sh"):
        return Planted(re.sub("^core[.]", "", name), "unit", [argv[2]], env, fails, argv[1])
    if argv[0].endswith("mutants/mutant_test.sh"):
        mutant, _, what = name[len("mutant."):].rpartition(".")
        return Planted(mutant, tier or ("stress" if what == "stress" else "conform"),
                       argv[2:], env, finds)
    mutant = re.sub("^patterns[.]", "", name).replace(".mutant.", ".")
    return Planted(mutant, "kernel", argv, env, passes)


def all_planted(build, only):
    """{mutant: {tier: [what runs it, ...]}}, of what is built."""
    result = {}
    for folder, tier in BUILDS:
        for test in ctest(os.path.join(build, folder)):
            planted = planted_of(test, tier)
            if not planted or not only.search(planted.mutant):
                continue
            if os.path.isfile(planted.argv[0]):
                result.setdefault(planted.mutant, {}).setdefault(planted.tier, []).append(planted)
    return result


# --- running ---

def until_found(planted, seed):
    """Runs and seconds until one run of these finds it; runs is None if none did."""
    seconds = 0.0
    for attempt in range(TRIES[planted[0].tier]):
        for one in planted:
            found, took = one.run(seed + 1000 * attempt)
            seconds += took
            if found:
                return attempt + 1, seconds
    return None, seconds


def run_tier(planted, seeds):
    outcomes = [until_found(planted, seed) for seed in range(1, seeds + 1)]
    killed = [o for o in outcomes if o[0]]
    return {"seeds": seeds, "killed": len(killed),
            "runs": statistics.median(o[0] or TRIES[planted[0].tier] for o in outcomes),
            "seconds": round(statistics.median(o[1] for o in outcomes), 3)}


def run_mutant(tiers, seeds):
    """Tier by tier, until one has found it with every seed."""
    result = {}
    for tier in TIERS:
        if tier in tiers:
            result[tier] = run_tier(tiers[tier], seeds)
            if result[tier]["killed"] == seeds:
                break
    return result


def is_killed(result):
    return any(outcome["killed"] for outcome in result.values())


# --- what is kept ---

def read_kept(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Problem("cannot read '%s': %s" % (path, error)) from error


def write(path, text):
    try:
        beside = "%s.new" % path
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(beside, path)
    except OSError as error:
        raise Problem("cannot write '%s': %s" % (path, command.reason(error))) from error


def cell(result, tier):
    if tier not in result:
        return ""
    outcome = result[tier]
    runs = "%g run%s" % (outcome["runs"], "" if outcome["runs"] == 1 else "s")
    if not outcome["killed"]:
        return "survives %s, %.1f s" % (runs, outcome["seconds"])
    text = "**%s, %.2f s**" % (runs, outcome["seconds"])
    if outcome["killed"] < outcome["seeds"]:
        text += " (%d of %d seeds)" % (outcome["killed"], outcome["seeds"])
    return text


def explanations():
    """{mutant: why nothing finds it}, from the file beside the mutants."""
    try:
        with open(EXPLAINED, encoding="utf-8") as file:
            return dict(line.strip().split(": ", 1) for line in file if ": " in line)
    except OSError as error:
        raise Problem("cannot read '%s': %s" % (EXPLAINED, command.reason(error))) from error


def matrix(results, explained):
    survivors = sorted(name for name, result in results.items() if not is_killed(result))
    by = ", ".join("%s %d" % (tier, n) for tier, n in (
        (tier, sum(1 for r in results.values()
                   if r.get(tier, {}).get("killed") and not any(
                       r.get(t, {}).get("killed") for t in TIERS[:TIERS.index(tier)])))
        for tier in TIERS) if n)
    lines = ["# Planted bugs, and what finds them", "",
             "Written by `make mutants` (scripts/mutants.py). Each row is one bug in weft's own",
             "code. Its tiers are run from left to right until one finds it with every seed; in",
             "**bold** the runs and seconds to the first finding, the median of the seeds; a tier",
             "that does not know the mutant, or that came after, is empty.", "",
             "%d of %d are found; first by: %s." % (len(results) - len(survivors), len(results),
                                                    by or "nothing"), ""]
    lines.append("Survivors:" if survivors else "Survivors: none.")
    lines += [""] * bool(survivors)
    lines += ["- `%s`: %s" % (name, explained.get(name, "not explained")) for name in survivors]
    lines += ["", "| mutant | %s |" % " | ".join(TIERS), "|---|%s" % ("---|" * len(TIERS))]
    lines += ["| `%s` | %s |" % (name, " | ".join(cell(results[name], t) for t in TIERS))
              for name in sorted(results)]
    return "\n".join(lines) + "\n"


def main():
    options = parse_arguments(sys.argv[1:])
    mutants = all_planted(options.build, options.only)
    if not mutants:
        raise Problem("no planted bugs are built in '%s'%s; make mutants builds them"
                      % (options.build, " that match" if options.only.pattern else ""))
    folder = Path(options.results)
    os.makedirs(folder, exist_ok=True)
    kept = read_kept(folder / "kills.json")
    todo = [name for name in sorted(mutants) if options.again or name not in kept]
    until = time.monotonic() + 60 * options.minutes

    def one(name):
        if time.monotonic() > until:
            return
        result = run_mutant(mutants[name], options.seeds)
        with LOCK:
            kept[name] = result
            write(folder / "kills.json", json.dumps(kept, indent=1, sort_keys=True) + "\n")
            output.say("%-9s %s" % ("found" if is_killed(result) else "SURVIVES", name))

    with ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(one, name) for name in todo]:
            done.result()
    write(folder / "matrix.md", matrix(kept, explanations()))
    missing = [name for name in mutants if name not in kept]
    survivors = [name for name in mutants if name in kept and not is_killed(kept[name])]
    output.say("%d of %d found%s; %s" % (
        len(mutants) - len(missing) - len(survivors), len(mutants),
        ", %d not tried for lack of time: run it again" % len(missing) if missing else "",
        folder / "matrix.md"))
    return 1 if survivors or missing else 0


if __name__ == "__main__":
    command.run(NAME, main)
