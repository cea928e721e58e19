"""Going on with a run that was interrupted: the same cells, only the missing slices."""

import hashlib
from pathlib import Path

from . import Problem, plan, shape, summary
from .command import reason
from .files import dumps
from .rundir import PARTIAL, SAMPLES, RunDir, read_samples

CONTEXT = shape.has(seed=shape.count, plan_sha256=shape.text, weft_sha256=shape.text)
RECORD = shape.has(round=shape.count, wall_seconds=shape.number)


def digest(cells):
    """Says whether two runs measure the same, and in the same way."""
    text = dumps([[cell.name, cell.time_ms, cell.rounds, cell.most, cell.latency,
                   cell.latency_ms, cell.latency_items, plan.first_ms(cell),
                   *plan.turns(cell)]
                  for cell in cells])
    return hashlib.sha256(text.encode()).hexdigest()


def find(path, results, plan_sha256, weft_sha256):
    """The folder to go on with: `path`, or the newest that fits in `results`."""
    wanted = {"plan_sha256": plan_sha256, "weft_sha256": weft_sha256}
    if path:
        differs = [what for key, what in (
            ("plan_sha256", "other cells, rounds or times"),
            ("weft_sha256", "another weft")) if context(path).get(key) != wanted[key]]
        if differs:
            raise Problem("cannot resume '%s': it was measured with %s"
                          % (path, " and ".join(differs)))
        return Path(path)
    for folder in sorted(Path(results).glob("*" + PARTIAL), reverse=True):
        try:
            found = context(folder)
        except Problem:
            continue
        if all(found.get(key) == value for key, value in wanted.items()):
            return folder
    raise Problem("--resume: no interrupted run of these cells by this weft in '%s'"
                  % results)


def context(path):
    """That of an interrupted run."""
    if not Path(path).name.endswith(PARTIAL):
        raise Problem("cannot resume '%s': the name of an interrupted run ends in %s"
                      % (path, PARTIAL))
    try:
        return read_samples(Path(path) / SAMPLES)[0] or {}
    except (OSError, ValueError) as error:
        raise Problem("cannot resume '%s': %s" % (path, reason(error)))


def reopen(path):
    """(the folder, its context, its records), checked."""
    run, info, records = RunDir.reopened(path)
    try:
        CONTEXT(info, "the first line")
        shape.each(summary.RECORD)(records, "lines")
        shape.each(RECORD)(records, "lines")
    except ValueError as error:
        raise Problem("cannot resume '%s': %s" % (path, error))
    return run, info, records
