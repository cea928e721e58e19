"""report.html: a run for people who would rather look than read.

`facts` reads the run, `words` says what follows from it, `heat` is one of its tables,
`pictures` has gnuplot draw the charts, `page` puts it together from pieces of `html`.
"""

from pathlib import Path

from ..files import save
from . import facts, page, words

NAME = "report.html"


class Told:
    """What there is to say of a run, in either form."""

    def __init__(self, run):
        self.run = run

    def markdown(self):
        return words.markdown(self.run)

    def page(self, with_pictures=True):
        return page.build(self.run, with_pictures)


def tell(summary, records):
    """Of a run that is in memory: its summary, and its slices in run order."""
    return Told(facts.of(summary, records))


def write(directory, out=None, with_pictures=True):
    """Writes the report of the run in `directory`; returns its path."""
    path = Path(out) if out else Path(directory) / NAME
    save(path, Told(facts.read(directory)).page(with_pictures))
    return path
