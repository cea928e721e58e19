"""Running gnuplot, and how things look: colours, marks, text, layout.

One script is run for each format, and what gnuplot draws is saved here. All terminals are `noenhanced`, so that an underscore or a
caret in somebody's channel name is just that.
"""

import os
import re
import shutil
import subprocess
from zlib import crc32

from . import Problem
from .binary import as_text
from .child import talk
from .command import reason
from .files import save, utf8

INSTALL = "install it with scripts/setup.sh (a sweep can do without: --no-plot)"

#: Colours that stay apart for the colour-blind (Okabe and Ito, without the
#: yellow that vanishes on white), each with its own mark. A channel keeps its
#: own in every picture of every run.
STYLES = {
    "condvar": ("#000000", 7), "handoff": ("#0072b2", 5), "ring": ("#d55e00", 9),
    "spsc": ("#009e73", 11), "list": ("#cc79a7", 13), "pipe": ("#e69f00", 4),
    "socketpair": ("#56b4e9", 6), "mpsc": ("#5e3c99", 15),
    "null": ("#999999", 8), "faa": ("#666666", 10),
}
#: For channels this list does not know, chosen by the name.
OTHERS = [("#882255", 15), ("#999933", 12), ("#332288", 14), ("#44aa99", 2),
          ("#aa4499", 3), ("#117733", 1), ("#661100", 10), ("#4477aa", 8),
          ("#ee7733", 4), ("#bb5566", 6), ("#004488", 11), ("#997700", 5)]

#: Terminals. The SVG asks for the reader's own sans-serif, since a font that
#: only this machine has would be replaced by a serif one elsewhere; the PNG has
#: twice the pixels, for screens that have them.
TERMINALS = {
    "svg": "svg noenhanced size {w},{h} name '{name}' font 'sans-serif,12' "
           "background '#ffffff'",
    "png": "pngcairo noenhanced size {w2},{h2} fontscale 2 linewidth 2 "
           "pointscale 2 font 'Sans,9' background '#ffffff'",
}


#: How a whole picture ends.
ENDS = {"svg": b"</svg>", "png": b"IEND\xaeB`\x82"}
LIMIT_SECONDS = 120


def check():
    """Problem unless there is a gnuplot that can draw both formats."""
    if shutil.which("gnuplot") is None:
        raise Problem("gnuplot is missing, the pictures need it; " + INSTALL)
    for terminal in ("svg", "pngcairo"):
        if gnuplot("set terminal %s\n" % terminal).returncode != 0:
            raise Problem("this gnuplot lacks the %s terminal; %s"
                          % (terminal, INSTALL))


def styles(names):
    """{name: (colour, mark)}, the same for a name whatever else is drawn.

    Two unknown names that fall on one style are told apart by moving the one
    that comes later in the alphabet.
    """
    chosen = {name: STYLES[name] for name in names if name in STYLES}
    free = list(OTHERS)
    for name in sorted(set(names) - set(STYLES)):
        free = free or list(OTHERS)
        wanted = OTHERS[crc32(utf8(name)) % len(OTHERS)]
        style = wanted if wanted in free else free[0]
        free.remove(style)
        chosen[name] = style
    return chosen


def quote(text):
    """A gnuplot string in single quotes, in which nothing is special."""
    return "'" + plain(text).replace("'", "''") + "'"


def plain(text):
    """On one line, whatever is in it."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", str(text))


def draw(directory, name, size, script):
    """Writes NAME.svg and NAME.png of `size` pixels; returns their names."""
    width, height = size
    written = []
    for suffix, terminal in TERMINALS.items():
        file = "%s.%s" % (name, suffix)
        terminal = terminal.format(w=width, h=height, w2=2 * width, h2=2 * height,
                                   name=re.sub(r"\W", "_", name, flags=re.A))
        picture = run("set encoding utf8\nset terminal %s\n%s\nunset output\n"
                      % (terminal, script))
        save(os.path.join(directory, file), whole(picture, suffix, file))
        written.append(file)
    return written


def whole(picture, suffix, file):
    """The picture; a Problem where only part of it is there."""
    if not picture.rstrip().endswith(ENDS[suffix]):
        raise Problem("gnuplot drew only part of %s" % file)
    return picture


def run(script):
    """What gnuplot draws. It comes through a pipe: gnuplot's exit status does not
    say whether a file could be written."""
    done = gnuplot(script)
    if done.returncode != 0:
        lines = [line for line in as_text(done.stderr).splitlines() if line.strip()]
        raise Problem("gnuplot failed: " + (" / ".join(lines[-2:]) or
                                            "exit %d" % done.returncode))
    return done.stdout


def gnuplot(script):
    """Feeds `script` to gnuplot, without the settings of the user; in a session
    of its own, so that a Ctrl-C does not tear the picture."""
    env = dict(os.environ, LC_ALL="C.UTF-8", GNUTERM="svg")
    command = ["gnuplot", "--default-settings", "-"]
    try:
        with subprocess.Popen(command, env=env, start_new_session=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as child:
            try:
                out, err, _ = talk(child, LIMIT_SECONDS, utf8(script))
            except BaseException:
                child.kill()
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problem("gnuplot does not run: %s; %s" % (reason(error), INSTALL))
    return subprocess.CompletedProcess(command, child.returncode, out, err)
