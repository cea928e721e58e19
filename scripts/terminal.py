"""A terminal for the tests of what commands show on one."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import unittest


def run(command, columns, stdout=None, **how):
    """(exit status, text): what a command shows on a terminal of so many columns,
    on stderr and, unless it goes elsewhere, on stdout. The calling test is skipped
    where no terminal is to be had."""
    try:
        leader, terminal = pty.openpty()
    except OSError as err:  # a root without /dev/pts
        raise unittest.SkipTest("no terminal to be had: %s" % err) from err
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=terminal,
                             stdout=terminal if stdout is None else stdout, **how)
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the command has closed its end
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return child.wait(timeout=300), shown.decode()
