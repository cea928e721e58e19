"""What the scripts share: sweep files, running slices, statistics, formats.

Nothing here prints or exits; the commands beside this folder do. Everything
works with Python 3.9 and the standard library alone.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: The version of samples.jsonl and summary.json; a reader refuses a newer one.
SCHEMA = 1


class Problem(Exception):
    """Bad input or a missing tool: one line for the user, exit status 2."""


class Refused(Problem):
    """A cell that weft itself calls bad input: the run never was one."""


def shown(path):
    """A path as results may show it: inside the project relative to its root.

    Results are made to be shared, so nothing in them names the home or the build folder
    of the user: any other path keeps its last part only.
    """
    try:
        return str(Path(path).resolve().relative_to(ROOT))
    except (OSError, RuntimeError, ValueError):
        return Path(path).name


def whole(text):
    """The number that plain digits are, or None; what is longer than any number
    that has a meaning here is none."""
    return int(text) if re.match(r"[0-9]{1,18}\Z", text) else None
