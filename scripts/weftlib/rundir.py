"""The folder of one run: written under `.partial`, renamed when complete.

samples.jsonl grows while the sweep runs, so that even a killed sweep leaves
what it measured, in a folder whose name says that it is not whole. All other
files are written under another name and then renamed.
"""

import json
import os
from pathlib import Path

from . import Problem

PARTIAL = ".partial"
SAMPLES = "samples.jsonl"


class RunDir:
    """A new run folder inside `results`; created at once, to fail early."""

    def __init__(self, results, name):
        self.results = Path(results)
        try:
            self.results.mkdir(parents=True, exist_ok=True)
            self.final, self.path = self.claim(name)
            self.samples = open(self.path / SAMPLES, "x", encoding="utf-8")
        except OSError as error:
            raise Problem("cannot write the results folder '%s': %s; choose "
                          "another with --results DIR"
                          % (results, error.strerror or error))

    def claim(self, name):
        """A name no other run has, even one started in the same second."""
        for number in range(1, 1000):
            final = self.results / (name if number == 1 else
                                    "%s-%d" % (name, number))
            partial = final.with_name(final.name + PARTIAL)
            if final.exists():
                continue
            try:
                partial.mkdir()
                return final, partial
            except FileExistsError:
                continue
        raise Problem("cannot find a free name for '%s' in '%s'"
                      % (name, self.results))

    def append(self, record):
        """One more line of samples.jsonl, on its way to the disk at once."""
        try:
            self.samples.write(dumps(record) + "\n")
            self.samples.flush()
        except OSError as error:
            raise Problem("cannot write '%s': %s" % (self.path, error.strerror))

    def rewrite_context(self, context):
        """Replaces the first line of samples.jsonl by the final context."""
        self.samples.close()
        with open(self.path / SAMPLES, encoding="utf-8") as old:
            old.readline()
            rest = old.read()
        write_file(self.path / SAMPLES, dumps(context) + "\n" + rest)

    def write(self, name, text):
        write_file(self.path / name, text)

    def complete(self):
        """Takes `.partial` off the name; from now on the run is whole."""
        os.rename(self.path, self.final)
        self.path = self.final

    def discard(self):
        """Removes a run that turned out to be bad input."""
        self.samples.close()
        for file in self.path.iterdir():
            file.unlink()
        self.path.rmdir()


def dumps(value, indent=None):
    """Strict JSON: NaN and Infinity are refused, not printed."""
    return json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)


def write_file(path, text):
    """Writes a whole file or leaves the old one."""
    temporary = path.with_name("." + path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def read_samples(path):
    """(context, records) of a samples.jsonl; a torn last line is left out."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    if not lines:
        raise Problem("'%s' is empty" % path)
    records = []
    try:
        context = json.loads(lines[0])
        for number, line in enumerate(lines[1:], 2):
            try:
                records.append(json.loads(line))
            except ValueError:
                if number != len(lines):
                    raise
    except ValueError as error:
        raise Problem("'%s' is not a samples file: %s" % (path, error))
    return context, records
