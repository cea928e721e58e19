"""Processes that a gate starts beside its slices, and the end of all of them.

A signal does not raise anything: it would, half of the time, in between the start of a
child and the line that remembers it. It ends what runs, and `check` raises.
"""

import os
import signal
import subprocess

from .. import Problem
from ..binary import as_text
from ..command import reason


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
        if self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def finish(self):
        try:
            out, _ = self.process.communicate()
        except BaseException:
            self.stop()
            raise
        finally:
            STOP.running.remove(self)
        return self.process.returncode, as_text(out or b"")


def attend(command, cwd=None, **streams):
    """(exit status, output) of a command that ends, with all it started, when we do."""
    STOP.check()
    command = [str(word) for word in command]
    streams = streams or {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        found = Child(command, cwd, **streams).finish()
    except OSError as error:
        raise Problem("%s does not run: %s; scripts/setup.sh installs what is missing"
                      % (command[0], reason(error)))
    STOP.check()
    return found
