"""Processes that a gate starts beside its slices, and the end of all of them.

A signal does not raise anything: it would, half of the time, in between the start of a
child and the line that remembers it. It ends what runs, and `check` raises.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from .. import Problem
from ..binary import as_text
from ..child import talk
from ..command import reason

#: What was killed is gone in much less, unless the system holds on to it.
KILL_SECONDS = 5


class Stop:
    """Whether we were told to end, and what there is to be ended then."""

    def __init__(self):
        self.asked = False
        self.running = []  # whatever has a stop()

    def stop(self):
        """For the handler of signals (see runner.Interrupt)."""
        self.asked = True
        for one in list(self.running):
            one.stop()

    def check(self):
        if self.asked:
            raise KeyboardInterrupt


STOP = Stop()


class Child:
    """A process in a session of its own."""

    def __init__(self, command, cwd, **streams):
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, start_new_session=True, **streams)
        STOP.running.append(self)
        if STOP.asked:
            self.stop()

    def stop(self):
        """Its session and not its group: a build gives each of its jobs a group."""
        if self.process.returncode is None:
            end_session(self.process.pid)

    def finish(self, limit):
        try:
            out = (self.process.communicate() if limit is None
                   else talk(self.process, limit))[0]
        except BaseException:
            self.stop()
            self.process.wait()
            if self.process.stdout:
                self.process.stdout.close()
            raise
        finally:
            STOP.running.remove(self)
        return self.process.returncode, as_text(out or b"")


def end_session(session):
    """Kills all its processes, those too that are started meanwhile."""
    until = time.monotonic() + KILL_SECONDS
    while (found := members(session)) and time.monotonic() < until:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:  # it has ended, or is another user's by now
                pass
        time.sleep(0.01)


def members(session):
    """The processes of a session, but for those that have ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name before it may have blanks and brackets.
            state, _, _, of = path.read_text(errors="replace").rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(of) == session and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def attend(command, cwd=None, limit=None, **streams):
    """(exit status, output) of a command that ends, with all it started, when we do; with
    a limit also after so many seconds: subprocess.TimeoutExpired."""
    STOP.check()
    command = [str(word) for word in command]
    streams = streams or {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        found = Child(command, cwd, **streams).finish(limit)
    except OSError as error:
        raise Problem("%s does not run: %s; scripts/setup.sh installs what is missing"
                      % (command[0], reason(error)))
    STOP.check()
    return found
