#!/usr/bin/env python3
"""The scripts where something around them is not as usual: closed descriptors,
a full disk, bytes that are no text, an odd Python, a narrow terminal.

    python3 scripts/test_surroundings.py
"""

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

from fixture import PATIENCE, FakeRuns  # noqa: E402
import sweep  # noqa: E402
import terminal  # noqa: E402
from weftlib import (Problem, binary, files, progress, summary,  # noqa: E402
                     sweepfile)

SWEEP = "rounds=1\nlatency=0\npattern=pipeline cap=0"
#: And the exit status of bad input to each.
COMMANDS = {"sweep.py": 2, "plot.py": 2, "report.py": 2, "peers.py": 2, "ratios.py": 2,
            "advise.py": 2, "compare.py": 1, "doctor.py": 2, "export.py": 2, "gate.py": 1,
            "gate-selftest.py": 1}
#: A run that is kept with its samples.
REFERENCE = next(SCRIPTS.parent.glob("results/reference/*/"))


class Runs(FakeRuns):
    def start(self, command, status, **how):
        """Runs it; what it says is one line, and no traceback."""
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
               "stderr": subprocess.PIPE, "env": self.env(), **how}
        done = subprocess.run(command, timeout=PATIENCE, **how)
        said = (done.stderr or b"").decode("utf-8", "replace")
        self.assertEqual(done.returncode, status, said)
        self.assertNotIn("Traceback", said)
        self.assertNotIn("Exception ignored", said)
        if status == 2:
            self.assertEqual(said.count("\n"), 1, said)
        return said

    def script(self, name, *args):
        return [sys.executable, "-S", str(SCRIPTS / name), *args]

    def plot(self, *args):
        return self.script("plot.py", str(REFERENCE), "--out", str(self.dir), *args)

    def whole_run(self):
        """The folder of the only run, all of whose files can be read."""
        folder = self.run_folder()
        self.assertFalse(folder.name.endswith(".partial"))
        lines = (folder / "samples.jsonl").read_bytes().split(b"\n")
        self.assertEqual(len([json.loads(line) for line in lines if line]), 3)
        for name in ("summary.json", "benchmark.json"):
            json.loads((folder / name).read_bytes())
        return folder


class Descriptors(Runs):
    def test_any_of_the_first_three_may_be_closed(self):
        for some in ((0,), (1,), (2,), (0, 1, 2)):
            with self.subTest(closed=some):
                self.start(self.command(SWEEP), 0,
                           preexec_fn=lambda: [os.close(fd) for fd in some])
                self.whole_run()
                shutil.rmtree(self.results)

    def test_a_quiet_sweep_without_a_standard_error(self):
        self.start(self.command(SWEEP, "--quiet"), 0, preexec_fn=lambda: os.close(2))
        self.whole_run()

    def test_bad_input_is_told_by_the_status_at_least(self):
        for name, status in COMMANDS.items():
            with self.subTest(command=name):
                self.assertEqual(subprocess.run(
                    self.script(name, "--nonsense"), stdout=subprocess.DEVNULL,
                    preexec_fn=lambda: os.close(2)).returncode, status)

    def test_a_full_standard_output_costs_no_measurement(self):
        with open("/dev/full", "w") as full:
            said = self.start(self.command(SWEEP, "--quiet"), 2, stdout=full)
            self.assertIn("cannot write the standard output", said)
            self.whole_run()

    def test_a_full_standard_output_is_an_error_of_every_command(self):
        with open("/dev/full", "w") as full:
            for command, status in [(self.script(name, "--help"), status)
                                    for name, status in COMMANDS.items()] + [
                    (self.plot(), 2), (self.command(SWEEP, "--list"), 2)]:
                with self.subTest(command=command):
                    self.assertIn("cannot write the standard output",
                                  self.start(command, status, stdout=full))

    def test_a_full_standard_error_changes_no_status(self):
        with open("/dev/full", "w") as full:
            for name, status in COMMANDS.items():
                self.assertEqual(subprocess.run(
                    self.script(name, "--nonsense"), stderr=full).returncode, status)

    def test_a_reader_that_has_gone_away_is_no_news(self):
        for command in (self.command(SWEEP, "--quiet"), self.plot(),
                        self.script("sweep.py", "--help")):
            with self.subTest(command=command):
                read, write = os.pipe()
                os.close(read)
                said = self.start(command, 128 + signal.SIGPIPE, stdout=write)
                os.close(write)
                self.assertNotIn("cannot write", said)
        self.whole_run()
        self.assertTrue(list(self.dir.glob("*.png")))


class Pythons(Runs):
    def test_python_may_be_told_not_to_look_beside_the_script(self):
        for name in COMMANDS:
            self.start([sys.executable, "-S", "-P", str(SCRIPTS / name), "--help"], 0)
        self.start(self.script("sweep.py", "--help"), 0,
                   env=self.env(PYTHONSAFEPATH="1"))

    def test_a_command_may_be_called_through_a_link(self):
        link = self.dir / "measure"
        link.symlink_to(SCRIPTS / "sweep.py")
        self.start([sys.executable, str(link), "--help"], 0)

    def test_python_may_drop_documentation_and_take_warnings_for_errors(self):
        for options in (["-OO"], ["-W", "error", "-X", "warn_default_encoding"]):
            for name in COMMANDS:
                self.start([sys.executable, "-S", *options, str(SCRIPTS / name),
                            "--help"], 0)
            self.start([sys.executable, "-S", *options, *self.command(
                SWEEP, "--filter", "alpha|[[a]")[2:]], 0)
            shutil.rmtree(self.results)

    def test_text_may_be_ascii(self):
        self.start(self.command(SWEEP), 0, env=self.env(
            LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
            PYTHONIOENCODING="ascii"))
        self.whole_run()


class Bytes(Runs):
    def test_a_folder_for_results_need_not_be_text(self):
        self.results = os.fsencode(self.dir) + b"/r\xe9"
        done = subprocess.run(
            [*self.script("sweep.py"), "--results", self.results, "--weft",
             str(self.weft), "--sweep", *self.command(SWEEP)[8:]],
            capture_output=True, env=self.env())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.results = Path(os.fsdecode(self.results))
        self.whole_run()
        self.assertIn(b"r\xe9/", done.stdout)

    def test_neither_need_a_sweep_a_filter_and_a_channel(self):
        odd = os.fsdecode(b"s\xe9")
        shutil.copy(SCRIPTS.parent / "bench/sweeps/quick", self.dir / odd)
        (self.dir / odd).write_text(SWEEP)
        self.start([*self.script("sweep.py"), "--weft", str(self.weft), "--results",
                    str(self.results), "--no-plot", "--sweep", str(self.dir / odd),
                    "--filter", os.fsdecode(b"alpha|beta|\xe9")], 0)
        self.whole_run()
        for option in ("--sweep", "--filter", "--load", "--rounds", "--weft"):
            with self.subTest(option=option):
                self.start(self.command(SWEEP, option, os.fsdecode(b"no\xe9")), 2)

    def test_only_a_line_feed_ends_a_line_of_samples(self):
        self.start(self.command(SWEEP, "--filter", "alpha|beta|\u2028|\x85|\x0c"), 0)
        folder = self.whole_run()
        (folder / "summary.json").unlink()
        self.start(self.script("plot.py", str(folder)), 0)
        self.start(self.script("report.py", str(folder)), 0)

    def test_what_is_wrong_is_one_line_whatever_is_in_it(self):
        for text in ("a\nb", "\x1b[2J", "\u2028", "a\rb", os.fsdecode(b"\xff")):
            with self.subTest(text=text):
                said = self.start(self.command(SWEEP, "--filter", text), 2)
                self.assertNotIn("\x1b", said)

    def test_numbers_and_names_without_end_are_bad_input(self):
        self.start(self.command(SWEEP, "--results", "n" * 5000), 2)
        self.start(self.command("pattern=pipeline workers=%s" % ("9" * 5000)), 2)
        for args in (["--rounds", "9" * 5000], ["--rounds", "\u0663"],
                     ["--rounds", "\u00b2"], ["--filter", "a{99999999999999999999}"],
                     ["--filter", "(" * 5000 + ")" * 5000]):
            with self.subTest(args=args), self.assertRaises(SystemExit) as caught:
                with contextlib.redirect_stderr(io.StringIO()) as said:
                    sweep.parse_arguments(args)
            self.assertEqual((caught.exception.code, said.getvalue().count("\n")), (2, 1))
        for refuses in (lambda name: sweepfile.find(name), lambda name: binary.Weft(name),
                        lambda name: binary.load_channels(None, [name], [], "p"),
                        lambda name: sweepfile.parse("rounds=" + "9" * len(name))):
            with self.assertRaises(Problem):
                refuses("n" * 5000)


class Foreign(Runs):
    """JSON that another program wrote."""

    NONSENSE = ("[]", "{}", "null", "3", '"x"', "[" * 100000, '{"a": 1e999}', "[{}]",
                '[{"name": 3}]', '{"verdict": "VERIFIED", "samples": [3]}',
                '{"verdict": ["VERIFIED"]}', '{"verdict": "VERIFIED", "params": []}',
                '{"verdict": "VERIFIED", "samples": [{"ns": "3"}]}',
                '{"verdict": "VERIFIED", "samples": [{"ns": 1e999, "messages": 1}]}',
                '{"verdict": "VERIFIED", "fairness": 3, "latency_ns": 3}')

    def test_lists_and_a_context_that_are_none_are_refused(self):
        for text in ("[]", "null", '[{"name": 3}]'):
            self.start(self.command(SWEEP), 2, env=self.env(FAKE_LIST=text))
        for text in ("[]", "[" * 100000):
            self.start(self.command(SWEEP), 2, env=self.env(FAKE_CONTEXT=text))
        for text in set(self.NONSENSE) - {"[]"}:
            with self.subTest(text=text[:60]), self.assertRaises(ValueError):
                binary.ENTRIES(files.loads(text), "it")

    def test_a_result_that_is_none_is_a_crash(self):
        for text in self.NONSENSE:
            with self.subTest(text=text[:60]):
                answer = binary.Answer(0, text, "", 0.0, False)
                verdict, _ = binary.judge(answer, 60)
                unbounded = "samples" in text and "1e999" in text
                self.assertEqual(verdict, "VERIFIED" if unbounded else "CRASHED")
        self.start(self.command(SWEEP), 1, env=self.env(
            "alpha,foreign", FAKE_RESULT='{"verdict": "VERIFIED", "samples": [3]}'))

    def test_a_run_that_is_none_is_refused(self):
        folder = self.dir / "run"
        folder.mkdir()
        run = ('{"schema": 1, "context": {"git": {"commit": "x"}, "started": ""}, '
               '"cells": [%s]}')
        for text in self.NONSENSE + ("", "\xff", '{"schema": 9}', '{"schema": "1"}',
                                     run % "3", run % "{}"):
            for name in ("summary.json", "samples.jsonl"):
                with self.subTest(text=text[:60], name=name):
                    (folder / name).write_text(text, encoding="latin-1")
                    with self.assertRaises(Problem):
                        summary.read(folder)
                    (folder / name).unlink()
        (folder / "summary.json").write_text(run % "{}")
        self.start(self.script("plot.py", str(folder)), 2)
        self.start(self.script("report.py", str(folder)), 2)
        self.start(self.script("ratios.py", str(folder)), 2)


class Status(Runs):
    def test_it_is_not_lost_where_children_are_ignored(self):
        self.start(self.command(SWEEP), 1, env=self.env("alpha,ends-badly"),
                   preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        verdicts = {c["chan"]: c["verdict"] for c in self.read()["cells"]}
        self.assertEqual(verdicts, {"alpha": "VERIFIED", "ends-badly": "CRASHED"})

    def test_an_ignored_hang_up_ends_nothing(self):
        child = subprocess.Popen(
            self.command("rounds=5\npattern=pipeline cap=0"),
            env=self.env("slow"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        log = self.dir / "log"
        while child.poll() is None and not (
                log.exists() and "\nrun " in log.read_text()):
            time.sleep(0.01)
        child.send_signal(signal.SIGHUP)
        _, said = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 0, said)


class FullDisk(Runs):
    """A limit on the size of files stands for it: a write fails half way."""

    def test_what_has_a_name_is_whole(self):
        seen = set()
        for limit in (300, 2500, 4000, 6000, 100000):
            with self.subTest(limit=limit):
                done = subprocess.run(
                    self.command(SWEEP, "--quiet"), capture_output=True,
                    text=True, env=self.env(), preexec_fn=lambda:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
                self.check_folder(done, limit)
                seen.add(done.returncode)
                shutil.rmtree(self.results)
        self.assertEqual(seen, {0, 2})

    def check_folder(self, done, limit):
        self.assertIn(done.returncode, (0, 2), done.stderr)
        if done.returncode == 0:
            self.whole_run()
            return
        self.assertRegex(done.stderr, r"\Asweep.py: cannot write '.*': File too "
                         r"large\n\Z")
        folder = self.run_folder()
        self.assertTrue(folder.name.endswith(".partial"))
        for file in folder.iterdir():
            self.assertFalse(file.name.endswith(".tmp"), file)
            if file.suffix == ".json":
                json.loads(file.read_bytes())
            if file.name == "samples.jsonl":
                self.assertLessEqual(file.stat().st_size, limit)

    def gnuplot(self, text):
        """A gnuplot that succeeds and draws this."""
        (self.dir / "bin").mkdir()
        fake = self.dir / "bin/gnuplot"
        fake.write_text("#!/bin/sh\ncat >/dev/null\nprintf '%s'\n" % text)
        fake.chmod(0o755)
        return self.env(PATH="%s:%s" % (fake.parent, os.environ["PATH"]))

    def test_half_a_picture_is_none(self):
        for text in ("", "<svg><g>"):
            env = self.gnuplot(text)
            self.assertIn("only part of", self.start(self.plot(), 2, env=env))
            said = self.start(self.command(SWEEP, "--quiet", plot=True), 2, env=env)
            self.assertIn("no pictures", said)
            self.whole_run()
            self.assertEqual(list(self.dir.glob("**/*.svg")), [])
            shutil.rmtree(self.results)
            shutil.rmtree(self.dir / "bin")

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_a_picture_that_does_not_fit_is_not_there(self):
        said = self.start(self.plot(), 2, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (20000, 20000)))
        self.assertIn("File too large", said)
        for file in self.dir.glob("*.svg"):
            self.assertTrue(file.read_text().rstrip().endswith("</svg>"))
        self.assertEqual(list(self.dir.glob(".*.tmp")), [])


class Terminals(Runs):
    def on_terminal(self, columns, **env):
        """What a sweep shows on a terminal of so many columns, while its standard
        output is a file."""
        status, shown = terminal.run(
            self.command("rounds=2\nlatency=0\npattern=pipeline cap=0"), columns,
            stdout=subprocess.DEVNULL, start_new_session=True,
            env=self.env("alpha,slow", **{"TERM": "xterm", **env}))
        self.assertEqual(status, 0, shown)
        return shown

    def bars(self, shown):
        return [line for line in shown.replace("\n", "\r").split("\r")
                if line.startswith("[")]

    def test_a_bar_is_as_wide_as_its_own_terminal(self):
        for columns in (24, 40, 200):
            bars = self.bars(self.on_terminal(columns, COLUMNS="120"))
            self.assertTrue(bars)
            self.assertEqual({len(bar) for bar in bars}, {columns - 1})

    def test_a_terminal_that_does_not_know_its_width_has_80_columns(self):
        self.assertEqual({len(bar) for bar in self.bars(self.on_terminal(0))}, {79})

    def test_a_dumb_terminal_gets_plain_lines(self):
        for term in ("dumb", ""):
            shown = self.on_terminal(80, TERM=term)
            self.assertEqual(self.bars(shown), [])
            self.assertNotIn("\r", shown.replace("\r\n", ""))

    def test_wide_characters_take_two_columns(self):
        self.assertEqual(progress.fill("\u7e54a", 2), "\u7e54")
        self.assertEqual(progress.fill("a\u7e54", 2), "a ")


if __name__ == "__main__":
    unittest.main()
