#!/usr/bin/env python3
"""Makes a measured run the one that the project shows: results/reference/.

    scripts/publish.py RESULT_DIR

It takes the place of the run before, in the README too. Pictures are kept as SVG
and the samples compressed, to keep clones small.
"""

import gzip
import os
import re
import shutil
import sys
from pathlib import Path

# Python itself does this, unless it is told not to (-P, PYTHONSAFEPATH).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, command, report, summary, tables
from weftlib.command import output, relative
from weftlib.files import save
from weftlib.rundir import SAMPLES

NAME = "publish.py"
REFERENCE = "results/reference"
#: The pages that name the run's folder.
PAGES = ("README.md",)
#: The pictures that they show.
SHOWN = tuple("%s-producer_consumer.svg" % kind
              for kind in ("throughput", "capacity", "latency"))
#: The line that says on what they were measured.
MEASURED = re.compile(r"^Measured on .*$", re.M)
KEPT = ("summary.md", "summary.json", report.NAME)


def check(run):
    """Only a whole run with nothing wrong in it is shown."""
    found = summary.read(run)
    if found["context"].get("partial"):
        raise Problem("'%s' was interrupted: it is not all there" % run)
    bad = tables.bad_cells(found)
    if bad:
        raise Problem("'%s' has cells that failed: %s" % (run, bad[0]))
    for name in KEPT + SHOWN + (SAMPLES,):
        if not (run / name).is_file():
            raise Problem("'%s' has no %s" % (run, name))


def publish(run, root):
    """Copies what is kept, then takes the old run away; returns the new folder."""
    machine = measured_on(summary.read(run)["context"])
    place = root / REFERENCE
    old = [folder for folder in place.iterdir() if folder.is_dir()]
    new = place / run.name
    if new in old:
        raise Problem("'%s' is there already" % new)
    new.mkdir()
    for path in sorted(run.iterdir()):
        if path.name in KEPT or path.suffix == ".svg":
            save(new / path.name, path.read_bytes())
    save(new / (SAMPLES + ".gz"), gzip.compress((run / SAMPLES).read_bytes(), mtime=0))
    for page in PAGES:
        text = (root / page).read_text(encoding="utf-8")
        for folder in old:
            text = text.replace(folder.name, new.name)
        save(root / page, MEASURED.sub(lambda _: machine, text))
    for folder in old:
        shutil.rmtree(folder)
    return new


def measured_on(context):
    git = context["git"]
    return "Measured on %s, %s CPUs, hypervisor %s, at commit %s%s, %s." % (
        context.get("cpu", "an unknown CPU"), context.get("cpus_online", "?"),
        context.get("hypervisor", "unknown"), git["commit"],
        " with changes" if git.get("dirty") is True else "", context["started"][:10])


def main():
    parser = command.Parser(NAME, "Makes a measured run the one that the project shows.")
    parser.add_argument("run", metavar="RESULT_DIR", help="a whole run in results/")
    parser.add_argument("--root", metavar="DIR", default=str(ROOT),
                        help="whose README and results/reference (default: this tree)")
    options = parser.parse_args()
    run = Path(options.run).resolve()
    check(run)
    try:
        output.say(relative(publish(run, Path(options.root))))
    except OSError as error:
        raise Problem("cannot publish '%s': %s" % (run, command.reason(error)))
    return 0


if __name__ == "__main__":
    command.run(NAME, main)
