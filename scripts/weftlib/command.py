"""What every command does around its work: streams, options, exit status.

A command gives its work to `run`. Whatever the surroundings are (descriptors
that are closed or full, a locale that is not UTF-8, a parent that ignores its
children), the work sees streams that can be written to, a `Problem` is one line,
and output that could not be written is never exit status 0.
"""

import argparse
import codecs
import errno
import os
import re
import signal
import sys
import warnings

from . import ROOT, Problem, shown, whole

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
#: What a shell reports for a command that a signal has ended.
INTERRUPTED = 128 + signal.SIGINT
PIPE_BROKEN = 128 + signal.SIGPIPE
#: What would break a line, or make a terminal do something.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; the usage is what --help is for. `bad` is the
    exit status of bad input."""

    bad = 2

    def __init__(self, name, description, epilog=None):
        super().__init__(prog=name, description=description, epilog=epilog,
                         formatter_class=argparse.RawDescriptionHelpFormatter,
                         allow_abbrev=False)

    def error(self, message):
        complain(self.prog, "%s (see --help)" % message)
        self.exit(self.bad)

    def _print_message(self, message, file=None):
        output.write(message)


def number_in(low, high):
    """An argparse type: a whole number from low to high."""
    def parse(text):
        if whole(text) is None or not low <= whole(text) <= high:
            raise argparse.ArgumentTypeError(
                "'%s' must be a whole number from %d to %d" % (text, low, high))
        return whole(text)
    return parse


def pattern(text):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise argparse.ArgumentTypeError("'%s': %s" % (text, error))


def add_weft(parser):
    """--weft: the command that measures; the one that has started this script, unless
    another is named."""
    parser.add_argument(
        "--weft", metavar="PATH",
        default=os.environ.get("WEFT_COMMAND") or str(ROOT / "build/release/weft"),
        help="the measuring command (default: build/release/weft)")


def with_weft(options):
    """The options, when their --weft can be executed."""
    if not os.access(options.weft, os.X_OK):
        raise Problem("--weft=%s: cannot be executed; make release builds it" % options.weft)
    return options


def shown_argv(script, argv):
    """The command line without the paths of this machine."""
    result = []
    for word in argv:
        key, equals, value = word.rpartition("=")
        result.append(key + equals + (shown(value) if os.sep in value else value))
    return [script] + result


def relative(path):
    """From where the user stands, unless that is longer than the full path."""
    try:
        return min((os.path.relpath(path), str(path)), key=len)
    except OSError:  # the current folder is gone
        return str(path)


class Output:
    """Standard output. A failure to write is kept for the end: it must cost
    neither the measurements nor the files that are still to be written."""

    def __init__(self):
        self.failure = None

    def say(self, text=""):
        self.write(text + "\n")

    def write(self, text):
        if self.failure:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            self.failure = error

    def status(self, name, status, bad):
        """`status`, unless output was lost and nothing worse has happened."""
        if not self.failure or status:
            return status
        if getattr(self.failure, "errno", None) == errno.EPIPE:
            return PIPE_BROKEN
        complain(name, "cannot write the standard output: %s" % reason(self.failure))
        return bad


output = Output()


def run(name, work, bad=2):
    """Does `work()`, which returns the exit status; never returns. `bad` is that of
    bad input, and of output that cannot be written."""
    prepare()
    try:
        status = work()
    except SystemExit as end:
        status = end.code or 0
    except Problem as problem:
        complain(name, problem)
        status = bad
    except KeyboardInterrupt:
        status = INTERRUPTED
    status = output.status(name, status, bad)
    for stream in (sys.stdout, sys.stderr):
        abandon_unwritten(stream)
    sys.exit(status)


def prepare():
    """Sees to the streams, and takes back what a parent may have set: with
    SIGCHLD ignored, the exit status of every child would be lost."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    codecs.register_error("weft.as_given", as_given)
    for number, (name, mode) in enumerate(STREAMS):
        open_if_closed(number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="weft.as_given")


def open_if_closed(number):
    """Nothing that is opened later may become a standard stream."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def as_given(error):
    """Encodes what the stream's encoding cannot: bytes that came in through an
    argument go out as they were, anything else becomes a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start:error.end]
    return b"".join(bytes([ord(char) - 0xdc00]) if "\udc80" <= char <= "\udcff"
                    else b"?" for char in text), error.end


def complain(name, what):
    """One line on standard error, whatever is in it; all there is to say it."""
    try:
        sys.stderr.write("%s: %s\n" % (name, one_line(str(what))))
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def one_line(text):
    return CONTROL.sub(lambda found: ascii(found.group())[1:-1], text)


def reason(error):
    """Why the system refused, without the number and the path."""
    return getattr(error, "strerror", None) or str(error)


def abandon_unwritten(stream):
    """What a stream has not got rid of by now would fail once more at exit."""
    try:
        stream.flush()
    except (OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)
