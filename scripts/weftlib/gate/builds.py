"""The builds of both sides, and links of each with the objects in another order.

A side is a commit. It is unpacked and built in a folder of its own that is named by
it, so the paths of both have equal lengths, and stays there for the next gate. A link
is an executable made of a build's objects, in an order and behind a padding of its
own: where code lies in memory changes its speed by several per cent, and each build is
only one sample of that.
"""

import fcntl
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .. import ROOT, Problem
from ..binary import Weft, last_lines
from ..context import git
from ..files import cannot_write, written_to
from .plan import ARMS
from .processes import attend

CACHE = ROOT / "build" / "gate"
TARGET = "weft_cmd"
COMMAND = "weft"
FLAGS = ("-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O2 -DNDEBUG",
         "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", "-DWEFT_TESTS=OFF")
#: Builds that are kept beside those in use.
KEPT = 6
NAME_LENGTH = 12
#: Of each arm.
LINKS = 4
PADS = range(16, 1009, 16)
PAD = """\
\t.text
\t.p2align 4
\t.skip {pad}, 0
\t.section .rodata
\t.p2align 4
\t.skip {pad}
\t.data
\t.p2align 4
\t.skip {pad}
\t.section .note.GNU-stack,"",@progbits
"""


@dataclass(frozen=True)
class Side:
    """One commit of one repository; `option` is how it was asked for."""

    option: str
    given: str
    repository: str
    commit: str
    #: (file, from, to): a change of the text, for a bug that is planted on purpose.
    mutation: tuple = ()

    @property
    def name(self):
        if not self.mutation:
            return self.commit[:NAME_LENGTH]
        text = "\0".join((self.commit,) + self.mutation)
        return hashlib.sha256(text.encode()).hexdigest()[:NAME_LENGTH]


def side(option, given, root=ROOT):
    """What a ref of this project, or the folder of a checkout, stands for. A folder
    with changes that are in no commit is refused: nobody could build it again."""
    if not os.path.isdir(given):
        commit = git(root, "rev-parse", "--verify", "--quiet", given + "^{commit}")
        if not commit:
            raise Problem("%s %s: neither a folder nor a commit of this repository"
                          % (option, given))
        return Side(option, given, str(root), commit)
    folder = str(Path(given).resolve())
    commit = git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not commit or git(folder, "rev-parse", "--show-prefix") != "":
        raise Problem("%s %s: not the top of a git checkout" % (option, given))
    changed = git(folder, "status", "--porcelain", "--untracked-files=no")
    if changed is None or changed:
        raise Problem("%s %s: the tree has changes that are in no commit (%s); commit "
                      "them, or name a commit" % (option, given, last_lines(
                          changed or "git does not say which", 1).strip()))
    return Side(option, given, folder, commit)


class Builds:
    """The cache of builds; one gate at a time may use it."""

    def __init__(self, cache=CACHE, say=lambda line: None, links=LINKS):
        self.cache = Path(cache)
        self.say = say
        self.links = links
        self.lock = self.scratch = None
        self.recipes = {}

    def __enter__(self):
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            self.lock = open(self.cache / "lock", "a")
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.close()
            raise Problem("another gate is at work in '%s'; two at a time would "
                          "measure each other" % self.cache)
        except OSError as error:
            raise cannot_write(self.cache, error)
        for left in self.cache.glob("links-*"):
            shutil.rmtree(left, ignore_errors=True)
        self.scratch = Path(tempfile.mkdtemp(prefix="links-", dir=self.cache))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.lock.close()

    # --- building ---

    def build(self, one):
        """The folder with the build of a side, made unless it is there."""
        folder = self.cache / one.name
        mark, wanted = folder / "done", json.dumps(
            {"commit": one.commit, "flags": FLAGS, "compiler": compiler()})
        if read(mark) != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            self.say("building %s (%s)" % (one.given, one.name))
            try:
                folder.mkdir()
                unpack(one, folder / "src")
                mutate(one, folder / "src")
                self.compile(one, folder)
                mark.write_text(wanted)
            except BaseException as error:
                shutil.rmtree(folder / "src", ignore_errors=True)
                shutil.rmtree(folder / "build", ignore_errors=True)
                if isinstance(error, OSError):
                    raise cannot_write(folder, error)
                raise
        os.utime(mark)
        return folder

    def compile(self, one, folder):
        self.step(one, folder, ["cmake", "-S", folder / "src", "-B", folder / "build",
                                "-G", "Ninja", *FLAGS])
        self.step(one, folder, ["cmake", "--build", folder / "build", "--target", TARGET])

    def step(self, one, folder, command):
        """One command of a build, with what it says in a log."""
        with open(folder / "log", "ab") as log:
            status = attend([str(word) for word in command], stdout=log,
                            stderr=subprocess.STDOUT)[0]
        if status:
            raise Problem("%s %s does not build: %s; all of it is in '%s'" % (
                one.option, one.given, complaint(read(folder / "log") or ""),
                folder / "log"))

    def prune(self, used):
        """Removes the builds that were used longest ago."""
        marks = sorted(self.cache.glob("*/done"), key=os.path.getmtime)
        others = [mark.parent for mark in marks if mark.parent not in used]
        for folder in others[:max(0, len(others) - KEPT)]:
            shutil.rmtree(folder, ignore_errors=True)

    # --- linking ---

    def link_all(self, base, head, seed, generation, others=None):
        """{arm: [Weft of each link]}; the control's are of the base's objects, `others`
        are more arms, {arm: folder}.

        The names of all have the same length, those of the confirmation too.
        """
        others = others or {}
        folders = {**{arm: head if arm == "head" else base for arm in ARMS}, **others}
        letters = dict(zip(folders, [arm[0] for arm in ARMS] + list("mnopqrstuvwxyz")))
        with written_to(self.cache):
            return {arm: [self.link(folder, "%s%d%d" % (letters[arm], generation, number),
                                    "%d/%s/%d/%d" % (seed, arm, generation, number))
                          for number in range(self.links)]
                    for arm, folder in folders.items()}

    def clear(self):
        """Removes all links that were made."""
        for folder in self.scratch.iterdir():
            shutil.rmtree(folder, ignore_errors=True)

    def link(self, folder, name, seed):
        """One executable of the objects in a build, in an order made of the seed."""
        build, to = folder / "build", self.scratch / name
        to.mkdir()
        shuffle = random.Random(seed).shuffle
        archives = {}
        words, members = self.recipe(build)
        objects = [word for word in words if word.endswith(".o")]
        shuffle(objects)
        objects = iter([self.pad(to, random.Random(seed).choice(PADS))] + objects)
        command, padded = [], False
        for word in words:
            if word.endswith(".o"):
                command += [next(objects)] if padded else [next(objects), next(objects)]
                padded = True
            elif word.endswith(".a"):
                command.append(self.archive(build, to, word, members, archives, shuffle))
            else:
                command.append(word)
        place = command.index("-o") + 1
        command[place] = str(to / COMMAND)
        status, out = attend(command, cwd=build)
        if status:
            raise Problem("cannot link '%s' again: %s" % (folder.name, complaint(out)))
        for archive in set(archives.values()):
            os.unlink(archive)
        return Weft(to / COMMAND)

    def pad(self, to, size):
        (to / "pad.s").write_text(PAD.format(pad=size))
        status, out = attend(["cc", "-c", "-o", to / "pad.o", to / "pad.s"])
        if status:
            raise Problem("cannot assemble the padding: %s" % complaint(out))
        return str(to / "pad.o")

    def recipe(self, build):
        """(the words of the command that linked a build, {archive: its objects}). Asked
        for once: it takes as long as a link does."""
        if build not in self.recipes:
            lines = commands(build, COMMAND)
            self.recipes[build] = link_command(build, lines), archive_members(lines)
        return self.recipes[build]

    def archive(self, build, to, word, members, made, shuffle):
        """The same archive with its members in another order; as it is, if it is none
        of this build."""
        known = os.path.relpath(os.path.join(build, word), build)
        if known not in members:
            return word
        if known not in made:
            objects = list(members[known])
            shuffle(objects)
            made[known] = str(to / ("%d.a" % len(made)))
            status, out = attend(["ar", "qcs", made[known], *objects], cwd=build)
            if status:
                raise Problem("cannot make an archive: %s" % complaint(out))
        return made[known]


def unpack(one, to):
    """The commit's files, without a worktree that somebody would have to remove."""
    tar = str(to) + ".tar"
    if git(one.repository, "archive", "--format=tar", "-o", tar, one.commit) is None:
        raise Problem("%s %s: git cannot give its files" % (one.option, one.given))
    with tarfile.open(tar) as archive:
        archive.extractall(to)
    os.unlink(tar)


def mutate(one, src):
    if not one.mutation:
        return
    name, old, new = one.mutation
    text = (src / name).read_text()
    if text.count(old) != 1:
        raise Problem("%s has not exactly one place that reads '%s'" % (name, old))
    (src / name).write_text(text.replace(old, new))


def commands(build, target):
    status, out = attend(["ninja", "-C", build, "-t", "commands", target])
    if status:
        raise Problem("ninja does not say how '%s' is made: %s" % (target, complaint(out)))
    return [line for line in out.splitlines() if line.strip()]


def link_command(build, lines):
    """The words of the command that linked the executable."""
    for line in reversed(lines):
        words = [word for word in shlex.split(line)]
        if "-o" in words and words[words.index("-o") + 1] == COMMAND:
            words = words[words.index("&&") + 1:] if words[0] == ":" else words
            return words[:words.index("&&")] if "&&" in words else words
    raise Problem("the build in '%s' does not say how it links '%s'" % (build, COMMAND))


def archive_members(lines):
    """{archive: its objects}, of all archives that the build makes."""
    found = {}
    for line in lines:
        match = re.search(r"\bar qc (\S+\.a)\s+(.*?)\s+&&", line)
        if match:
            found[match.group(1)] = shlex.split(match.group(2))
    return found


def compiler():
    try:
        return attend(["cc", "--version"])[1].split("\n")[0]
    except Problem:
        return "unknown"


def complaint(text):
    """The first line that says what is wrong, with the next if it only announces that;
    or the last of all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for place, line in enumerate(lines):
        if re.search(r"\berror\b", line, re.I):
            return " ".join(lines[place:place + 2] if line.endswith(":") else [line])
    return (lines[-1:] or ["it says nothing"])[0]


def read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
