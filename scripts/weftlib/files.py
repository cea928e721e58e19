"""Files of results: whole under their names or not there, and always UTF-8."""

import json
import math
import os
import re
from contextlib import contextmanager

from . import Problem

#: What stands for a byte that is no text; UTF-8 has no way to write it.
LONE = re.compile("[\ud800-\udfff]")


def utf8(text):
    """The text as bytes, with a replacement for what no text holds."""
    return LONE.sub("\ufffd", text).encode("utf-8")


def dumps(value, indent=None):
    """Strict JSON: NaN and Infinity are refused, not printed."""
    return json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)


def loads(text):
    """JSON from outside; ValueError whatever is wrong with it. NaN and numbers
    beyond all bounds become None."""
    try:
        return json.loads(text, parse_constant=lambda _: None, parse_float=finite)
    except RecursionError:
        raise ValueError("nested too deeply")


def finite(text):
    value = float(text)
    return value if math.isfinite(value) else None


def cannot_write(path, error):
    return Problem("cannot write '%s': %s" % (path, error.strerror or error))


@contextmanager
def written_to(path):
    """What cannot be written within is a Problem."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error)


def make_folder(path):
    """Makes it unless it is there."""
    with written_to(path):
        os.makedirs(path, exist_ok=True)


def save(path, data):
    """Writes a whole file, which is on the disk before it has its name; when that
    fails, what was there before is still there, and nothing else. A device or a pipe
    is written to: root could put a file in its place. Behind a link is what it leads to.
    """
    data = data if isinstance(data, bytes) else utf8(data)
    with written_to(path):
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as file:
                file.write(data)
        else:
            replace(os.path.realpath(path), data)


def replace(path, data):
    temporary = os.path.join(os.path.dirname(path),
                             ".%s.tmp" % os.path.basename(path))
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass
