"""Waiting for a process with a limit that only running time counts against."""

import subprocess
import threading
import time

#: How long one look lasts.
LOOK_SECONDS = 0.5


def talk(child, seconds, text=None):
    """(stdout, stderr, seconds asleep) of a child that is fed `text`.

    TimeoutExpired after `seconds` in which we could run and it did not end. A
    look that lasts longer than asked was lengthened by a stop (Ctrl-Z, a paused
    container), of whose length the child knows as little as we do; it counts as
    one look. What the child has said by the last look counts, too.
    """
    if text is not None:
        feed(child, text)
    used = asleep = 0.0
    while True:
        look = min(LOOK_SECONDS, max(0.0, seconds - used))
        begun = time.monotonic()
        try:
            out, err = child.communicate(timeout=look or LOOK_SECONDS)
            return out, err, asleep
        except subprocess.TimeoutExpired:
            if look == 0.0:
                raise
            took = time.monotonic() - begun
            used += look
            asleep += took - look if took > 2 * look else 0.0


def feed(child, text):
    """Writes to the child beside the looks: communicate() forgets, after its first
    time out, what it has not got rid of by then."""
    stream, child.stdin = child.stdin, None

    def write():
        try:
            with stream:
                stream.write(text)
        except (OSError, ValueError):  # the child has ended, or reads no more
            pass
    threading.Thread(target=write, daemon=True).start()
