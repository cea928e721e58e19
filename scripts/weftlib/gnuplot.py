"""Running gnuplot, and how things look: colours, marks, text, layout.

One script is run for each format. Files appear under their own name only when
gnuplot succeeded. All terminals are `noenhanced`, so that an underscore or a
caret in somebody's channel name is just that.
"""

import os
import re
import shutil
import subprocess
from zlib import crc32

from . import Problem

INSTALL = "install it with scripts/setup.sh (a sweep can do without: --no-plot)"

#: Colours that stay apart for the colour-blind (Okabe and Ito, without the
#: yellow that vanishes on white), each with its own mark. A channel keeps its
#: own in every picture of every run.
STYLES = {
    "condvar": ("#000000", 7), "handoff": ("#0072b2", 5), "ring": ("#d55e00", 9),
    "spsc": ("#009e73", 11), "list": ("#cc79a7", 13), "pipe": ("#e69f00", 4),
    "socketpair": ("#56b4e9", 6), "null": ("#999999", 8), "faa": ("#666666", 10),
}
#: For channels this list does not know, chosen by the name.
OTHERS = [("#882255", 15), ("#999933", 12), ("#332288", 14), ("#44aa99", 2),
          ("#aa4499", 3), ("#117733", 1)]

#: Terminals. The SVG asks for the reader's own sans-serif, since a font that
#: only this machine has would be replaced by a serif one elsewhere; the PNG has
#: twice the pixels, for screens that have them.
TERMINALS = {
    "svg": "svg noenhanced size {w},{h} name '{name}' font 'sans-serif,12' "
           "background '#ffffff'",
    "png": "pngcairo noenhanced size {w2},{h2} fontscale 2 linewidth 2 "
           "pointscale 2 font 'Sans,9' background '#ffffff'",
}


def check():
    """Problem unless there is a gnuplot that can draw both formats."""
    if shutil.which("gnuplot") is None:
        raise Problem("gnuplot is missing, the pictures need it; " + INSTALL)
    for terminal in ("svg", "pngcairo"):
        try:
            done = subprocess.run(["gnuplot", "-e", "set terminal " + terminal],
                                  stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Problem("gnuplot does not run: %s; %s" % (error, INSTALL))
        if done.returncode != 0:
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
        wanted = OTHERS[crc32(name.encode()) % len(OTHERS)]
        style = wanted if wanted in free else free[0]
        free.remove(style)
        chosen[name] = style
    return chosen


def quote(text):
    """A gnuplot string in single quotes, in which nothing is special."""
    clean = re.sub(r"[\x00-\x1f\x7f]", " ", str(text))
    return "'" + clean.replace("'", "''") + "'"


def draw(directory, name, size, script):
    """Writes NAME.svg and NAME.png of `size` pixels; returns their names."""
    width, height = size
    written = []
    for suffix, terminal in TERMINALS.items():
        file = "%s.%s" % (name, suffix)
        temporary = ".%s.tmp" % file
        terminal = terminal.format(w=width, h=height, w2=2 * width, h2=2 * height,
                                   name=re.sub(r"\W", "_", name))
        run(directory, "set encoding utf8\nset terminal %s\nset output %s\n%s"
            "\nunset output\n" % (terminal, quote(temporary), script))
        os.replace(os.path.join(directory, temporary),
                   os.path.join(directory, file))
        written.append(file)
    return written


def run(directory, script):
    """Feeds `script` to gnuplot; it stands in a session of its own, so that a
    Ctrl-C while the pictures are drawn does not tear them."""
    env = dict(os.environ, LC_ALL="C.UTF-8", GNUTERM="svg")
    done = subprocess.run(["gnuplot", "-"], input=script, text=True, env=env,
                          encoding="utf-8", cwd=str(directory), timeout=120,
                          capture_output=True, start_new_session=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Problem("gnuplot failed: " + (" / ".join(lines[-2:]) or
                                            "exit %d" % done.returncode))
