"""The folder of one run: written under `.partial`, renamed when complete.

samples.jsonl grows while the sweep runs, so that even a killed sweep leaves
what it measured, in a folder whose name says that it is not whole. All other
files are written under another name and then renamed.
"""

import gzip
import os
import zlib
from pathlib import Path

from . import Problem
from .files import cannot_write, dumps, loads, save, utf8

PARTIAL = ".partial"
SAMPLES = "samples.jsonl"


class RunDir:
    """A new run folder inside `results`; created at once, to fail early."""

    def __init__(self, results, name):
        self.results = Path(results)
        try:
            self.results.mkdir(parents=True, exist_ok=True)
            self.final, self.path = self.claim(name)
            # Without a buffer: a line is written when it is appended, or never.
            self.samples = open(self.path / SAMPLES, "xb", buffering=0)
        except OSError as error:
            raise Problem("cannot write the results folder '%s': %s; choose "
                          "another with --results DIR"
                          % (results, error.strerror or error))

    @classmethod
    def reopened(cls, path):
        """(the folder of an interrupted run, its context, its records). What a last
        line says that was torn is gone."""
        context, records = read_samples(Path(path) / SAMPLES)
        run = cls.__new__(cls)
        run.path = Path(path)
        run.results = run.path.parent
        run.final = run.path.with_name(run.path.name[:-len(PARTIAL)])
        save(run.path / SAMPLES, b"".join(
            utf8(dumps(line) + "\n") for line in [context, *records]))
        try:
            run.samples = open(run.path / SAMPLES, "ab", buffering=0)
        except OSError as error:
            raise cannot_write(run.path / SAMPLES, error)
        return run, context, records

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.samples.close()

    def claim(self, name):
        """A name no other run has, even one started in the same second."""
        for number in range(1, 1000):
            final = self.results / (name if number == 1 else
                                    "%s-%d" % (name, number))
            partial = final.with_name(final.name + PARTIAL)
            if os.path.lexists(final):
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
        line = memoryview(utf8(dumps(record) + "\n"))
        try:
            while line:
                line = line[self.samples.write(line):]
        except OSError as error:
            raise cannot_write(self.path / SAMPLES, error)

    def rewrite_context(self, context):
        """Replaces the first line of samples.jsonl by the final context, which is returned
        as a reader of that line has it."""
        self.samples.close()
        try:
            rest = (self.path / SAMPLES).read_bytes().partition(b"\n")[2]
        except OSError as error:
            raise Problem("cannot read '%s' again: %s"
                          % (self.path / SAMPLES, error.strerror))
        text = dumps(context)
        save(self.path / SAMPLES, utf8(text + "\n") + rest)
        return loads(text)

    def write(self, name, text):
        save(self.path / name, text)

    def complete(self):
        """Takes `.partial` off the name; from now on the run is whole."""
        try:
            os.rename(self.path, self.final)
        except OSError as error:
            raise cannot_write(self.final, error)
        self.path = self.final

    def discard(self):
        """Removes a run that turned out to be bad input."""
        self.samples.close()
        try:
            for file in self.path.iterdir():
                file.unlink()
            self.path.rmdir()
        except OSError as error:
            raise Problem("cannot remove '%s': %s" % (self.path, error.strerror))


def read_samples(path):
    """(context, records) of a samples.jsonl; a torn last line is left out.

    Only a line feed ends a line: JSON may hold what else Unicode calls an end.
    """
    lines = whole_file(path).rstrip(b"\n").split(b"\n")
    records = []
    try:
        context = loads(lines[0].decode("utf-8"))
        for number, line in enumerate(lines[1:], 2):
            try:
                records.append(loads(line.decode("utf-8")))
            except ValueError:
                if number != len(lines):
                    raise
    except ValueError as error:
        raise Problem("'%s' is not a samples file: %s" % (path, error))
    return context, records


def whole_file(path):
    """Its bytes; a committed run has its samples compressed."""
    data = Path(path).read_bytes()
    if Path(path).suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise Problem("'%s' is not a samples file: %s" % (path, error))
