#!/usr/bin/env python3
"""Whole gates over fake_gated.c, and over `cat` for programs that are not weft.

The times are made up, so that no load on the machine can change a verdict.
"""

import gzip
import json
import os
import re
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
CMAKE = """\
cmake_minimum_required(VERSION 3.25)
project(fake LANGUAGES C)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
add_library(fake STATIC patterns.c channels.c)
add_executable(weft_cmd fake_gated.c)
set_target_properties(weft_cmd PROPERTIES OUTPUT_NAME weft)
target_link_libraries(weft_cmd PRIVATE fake)
"""
PATTERNS = [{"name": "ping_pong", "summary": "", "knobs": []}]
CHANNELS = [{"name": name, "summary": ""} for name in
            ("same", "alike", "slow", "wrong", "gone", "sleeps")]


def returning(function, data):
    return "const char *%s(void);\nconst char *%s(void)\n{\n\treturn %s;\n}\n" % (
        function, function, json.dumps(json.dumps(data)))


class Gates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="weft-gate-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.repository = cls.dir / "repository"
        cls.repository.mkdir()
        cls.git("init", "-q", "-b", "main")
        cls.write("CMakeLists.txt", CMAKE)
        cls.write("patterns.c", returning("fake_patterns", PATTERNS))
        cls.write("channels.c", returning("fake_channels", CHANNELS))
        cls.write("fake_gated.c", (SCRIPTS / "fake_gated.c").read_text())
        cls.base = cls.commit(("side.h", "#define HEAD 0\n"))
        cls.head = cls.commit(("side.h", "#define HEAD 1\n"))

    @classmethod
    def git(cls, *args):
        env = {key: value for key, value in os.environ.items()
               if not key.startswith("GIT_")}
        return subprocess.run(
            ["git", "-C", str(cls.repository), "-c", "user.name=t", "-c",
             "user.email=t@example.org", "-c", "commit.gpgsign=false", *args], check=True,
            env=env, capture_output=True, text=True).stdout.strip()

    @classmethod
    def write(cls, name, text):
        (cls.repository / name).write_text(text)

    @classmethod
    def commit(cls, *files):
        for name, text in files:
            cls.write(name, text)
        cls.git("add", "-A")
        cls.git("commit", "-q", "-m", "one")
        return cls.git("rev-parse", "HEAD")

    def at(self, commit, name):
        """A checkout of its own at that commit."""
        folder = self.dir / name
        if not folder.exists():
            self.git("clone", "-q", str(self.repository), str(folder))
            subprocess.run(["git", "-C", str(folder), "checkout", "-q", commit], check=True)
        return str(folder)

    def arguments(self, *args):
        # Python's own site would take longer to load than all of a command (-S).
        return [sys.executable, "-S", str(SCRIPTS / "gate.py"), "--out",
                str(self.dir / "out"), "--quiet", "--no-plot",
                *([] if "--base-cmd" in args else ["--no-exact"]),
                "--keep-disturbed", "--seed=3", *args]

    def gate(self, *args, status=0):
        done = subprocess.run(self.arguments(*args), capture_output=True, text=True,
                              timeout=300)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def complaint(self, *args, status=1):
        """The one line of a gate that could not be."""
        done = self.gate(*args, status=status)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def found(self):
        return json.loads((self.dir / "out" / "gate.json").read_text())


class Builds(Gates):
    def sides(self, chans, *more, base=None, head=None, cache="cache", status=0):
        sweep = self.dir / "sweep"
        sweep.write_text("time = 1\npattern=ping_pong chan=%s\n" % chans)
        return self.gate("--base", base or self.at(self.base, "b"), "--head",
                         head or self.at(self.head, "h"), "--cache",
                         str(self.dir / cache), "--links=2", "--sweep", str(sweep), *more,
                         status=status)

    def test_what_is_slower_is_found_and_nothing_else(self):
        done = self.sides("same,slow", status=2)
        self.assertIn("REGRESSED    ping_pong/chan:slow", done.stdout)
        self.assertIn("+30.0 %", done.stdout)
        self.assertIn("11 of 11 pairs agree in sign", done.stdout)
        self.assertIn("2 of 2 cells executed: 1 REGRESSED, 1 EQUIVALENT", done.stdout)
        self.assertIn("gate: REGRESSED: 1 of 2 cells, confirmed", done.stdout)
        cells = {cell["cell"]: cell for cell in self.found()["cells"]}
        self.assertEqual(cells["ping_pong/chan:slow"]["fresh"]["rounds"], 21)
        self.assertIn("REGRESSED", (self.dir / "out" / "gate.md").read_text())

    def test_the_verdict_does_not_depend_on_the_length_of_a_path(self):
        """Neither on that of a checkout nor on that of the cache; the fake is slower
        where its own name is longer."""
        far = self.at(self.base, "a-checkout-whose-path-is-so-long-that-it-shows" * 3)
        near = self.at(self.base, "b")
        for base, head in ((near, far), (far, near)):
            self.sides("same", base=base, head=head)
            self.assertEqual(self.found()["cells"][0]["effect"], 0)
        self.sides("same,slow", base=far, status=2)
        first = self.found()["cells"]
        self.sides("same,slow", cache="another-cache-with-a-longer-path", status=2)
        for one, other in zip(first, self.found()["cells"]):
            self.assertEqual((one["cell"], one["verdict"]), (other["cell"], other["verdict"]))
            self.assertAlmostEqual(one["effect"], other["effect"])

    def test_the_links_of_a_build_differ(self):
        sys.path.insert(0, str(SCRIPTS))
        from weftlib.gate import builds
        with builds.Builds(self.dir / "cache") as made:
            folder = made.build(builds.side("--base", self.at(self.base, "b")))
            linked = made.link_all(folder, folder, 3, 0)
            all_of_them = sum(linked.values(), [])
            self.assertEqual(len({weft.sha256() for weft in all_of_them}), 12)
            self.assertEqual(len({len(str(weft.path)) for weft in all_of_them}), 1)

    def test_a_head_that_fails_its_check_fails_the_gate_whatever_its_speed(self):
        done = self.sides("slow,wrong", status=1)
        self.assertIn("FAILED: ping_pong/chan:wrong: head: FAILED", done.stdout)

    def test_a_cell_that_the_head_has_not_is_named(self):
        done = self.sides("same,gone", status=3)
        self.assertIn("not executed: ping_pong/chan:gone: head: weft: no channel 'gone'",
                      done.stdout)
        self.assertIn("1 of 2 cells executed", done.stdout)
        self.sides("gone", status=1)

    def test_what_is_injected_is_found(self):
        self.sides("same,alike", "--inject=20@alike", status=2)
        effects = {cell["cell"]: cell["effect"] for cell in self.found()["cells"]}
        self.assertEqual(effects["ping_pong/chan:same"], 0)
        self.assertAlmostEqual(effects["ping_pong/chan:alike"], 0.2, 2)

    def selftest(self, *args, status=0):
        done = subprocess.run(
            [sys.executable, "-S", str(SCRIPTS / "gate-selftest.py"), *args, "--records",
             str(self.dir / "records"), "--document", str(self.dir / "gate.md")],
            capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def test_the_selftest_goes_on_where_it_stopped_and_writes_its_tables(self):
        (self.dir / "sweep").write_text("time = 1\npattern=ping_pong chan=same,alike\n")
        arguments = ["record", "--base", self.at(self.base, "b"), "--cache",
                     str(self.dir / "cache"), "--sweep", str(self.dir / "sweep"),
                     "--keep-disturbed", "--slower=20=2", "--twins=1", "--kinds"]
        done = self.selftest(*arguments, "loop=1,slower-20=1")
        self.assertRegex(done.stdout, "loop-000: .*, 32 rounds, 0 rejected\n"
                         "  relinked: OK: nothing got slower\n"
                         "  relinked: OK: nothing got slower\n"
                         "  slower-20: REGRESSED: 1 of 2 cells, confirmed; it is in .*same\n"
                         "  slower-20: REGRESSED: 1 of 2 cells, confirmed; it is in .*alike\n")
        self.assertIn("  slower-20: REGRESSED: 1 of 2 cells, confirmed", done.stdout)
        done = self.selftest(*arguments, "loop=1,full=1,slower-20=1,same=1")
        self.assertEqual(done.stdout.count("-000: "), 2)
        self.assertRegex(done.stdout, "full-000: .*, 41 rounds, 0 rejected\n"
                         "  relinked: OK: nothing got slower\n")
        self.assertIn("  same: OK: nothing got slower", done.stdout)
        shutil.copy(SCRIPTS.parent / "docs" / "gate.md", self.dir)
        self.selftest("report", "--replays=4")
        text = (self.dir / "gate.md").read_text()
        self.assertIn("3 of 3: 100.0 % (29.2 to 100.0 %)", text)
        self.assertIn("no round was rejected for that", text)
        self.assertIn("Cruder rules on the same rounds", text)
        self.assertIn("## What it cannot do", text)
        self.assertNotIn("The rule has changed", text)
        path = self.dir / "records" / "same-000.jsonl.gz"
        whole = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(whole.replace(b'"verdict": "OK"',
                                                     b'"verdict": "REGRESSED"')))
        self.selftest("report", "--replays=1")
        self.assertIn("of 1 of these runs (same) it now says something else",
                      (self.dir / "gate.md").read_text())
        path.write_bytes(gzip.compress(re.sub(b'"cpu": "[^"]*"', b'"cpu": "Z80"', whole)))
        for other in path.parent.glob("[!s]*.gz"):
            other.unlink()
        line = self.selftest(*arguments, "loop=1", status=4).stderr
        self.assertIn("is of another host: Z80 with", line)
        self.assertEqual(line.count("\n"), 1)
        if shutil.which("gnuplot"):
            self.assertIn("](records/power.svg)", text)
            self.assertIn("</svg>", (self.dir / "records" / "power.svg").read_text())
        line = self.selftest("record", "--kinds=other=1", status=1).stderr
        self.assertIn("no kind 'other'", line)

    def test_a_signal_leaves_no_process_and_no_links(self):
        self.sides("same")  # so that there is nothing to build
        (self.dir / "sweep").write_text("time = 1\npattern=ping_pong chan=sleeps\n")
        self.interrupted("--base", self.at(self.base, "b"), "--head",
                         self.at(self.base, "b"), "--sweep", str(self.dir / "sweep"))

    def test_a_signal_while_it_configures_leaves_no_process_and_no_half_of_a_build(self):
        self.interrupted_at("configured", (
            "file(TOUCH $ENV{FAKE_GATED_MARK})\n"
            "execute_process(COMMAND sh -c \"sleep 100\")\n"))

    def test_a_signal_while_it_builds_leaves_neither(self):
        """A build gives its jobs groups of their own, and does not end with them."""
        self.interrupted_at("built", (
            "add_custom_target(stuck sh -c \"touch $FAKE_GATED_MARK; sleep 100; : ${"
            "PROJECT_BINARY_DIR}\" VERBATIM)\nadd_dependencies(weft_cmd stuck)\n"))

    def interrupted_at(self, name, more):
        stuck = self.commit(("CMakeLists.txt", CMAKE + more))
        self.interrupted("--base", self.at(stuck, name), "--head", self.at(self.base, "b"))
        self.assertEqual(list((self.dir / "cache" / stuck[:12]).iterdir()),
                         [self.dir / "cache" / stuck[:12] / "log"])

    def test_a_signal_while_it_records_keeps_nothing_of_the_run(self):
        self.sides("same")
        (self.dir / "sweep").write_text("time = 1\npattern=ping_pong chan=sleeps\n")
        folder = self.dir / "interrupted"
        self.interrupted(command=[
            sys.executable, "-S", str(SCRIPTS / "gate-selftest.py"), "record", "--base",
            self.at(self.base, "b"), "--sweep", str(self.dir / "sweep"), "--records",
            str(folder), "--kinds=load=1", "--cache", str(self.dir / "cache")])
        self.assertEqual(list(folder.iterdir()), [])

    def interrupted(self, *args, command=None):
        """A gate that is told to end once its mark is there."""
        mark = self.dir / "mark"
        mark.unlink(missing_ok=True)
        with subprocess.Popen(
                command or self.arguments(*args, "--cache", str(self.dir / "cache"),
                                          "--links=2"),
                env={**os.environ, "FAKE_GATED_MARK": str(mark)},
                stdout=subprocess.DEVNULL) as child:
            while not mark.exists():
                self.assertIs(child.poll(), None)
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
            self.assertEqual(child.wait(300), 130)
        self.assertEqual(list((self.dir / "cache").glob("links-*")), [])
        self.assertEqual(self.git("worktree", "list").count("\n"), 0)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            self.assertNotIn(str(self.dir / "cache").encode(), words)

    def test_bad_sides_are_one_line_each(self):
        here, cache = self.at(self.base, "b"), ["--cache", str(self.dir / "cache")]
        self.assertIn("neither a folder nor a commit",
                      self.complaint("--base", "no-such-ref", *cache))
        self.assertIn("not the top of a git checkout",
                      self.complaint("--base", str(self.dir), *cache))
        dirty = self.at(self.base, "dirty")
        Path(dirty, "side.h").write_text("#define HEAD 2\n")
        self.assertIn("changes that are in no commit (M side.h)",
                      self.complaint("--base", here, "--head", dirty, *cache))

    def test_a_base_that_does_not_build_is_one_line(self):
        broken = self.commit(("CMakeLists.txt", CMAKE.replace("fake_gated.c", "none.c")))
        line = self.complaint("--base", self.at(broken, "broken"), "--head",
                              self.at(self.head, "h"), "--cache", str(self.dir / "cache"))
        self.assertIn("does not build", line)
        self.assertIn("rror", line)

    def test_two_gates_at_a_time_are_refused(self):
        import fcntl
        (self.dir / "busy").mkdir()
        with open(self.dir / "busy" / "lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("another gate is at work", self.complaint(
                "--base", self.at(self.base, "b"), "--head", self.at(self.base, "b"),
                "--cache", str(self.dir / "busy")))


class Commands(Gates):
    @classmethod
    def setUpClass(cls):
        cls.dir = Path(tempfile.mkdtemp(prefix="weft-gate-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir)

    def program(self, name, **times):
        """A command that prints these benchmarks; a text is an error."""
        rows = [{"name": key, "run_type": "iteration", "real_time": ns, "time_unit": "us"}
                if not isinstance(ns, str) else
                {"name": key, "error_occurred": True, "error_message": ns}
                for key, ns in times.items()]
        (self.dir / name).write_text(json.dumps({"context": {}, "benchmarks": rows}))
        return "cat '%s'" % (self.dir / name)

    def pair(self, base, head, *more, status):
        return self.gate("--base-cmd", self.program("base", **base), "--head-cmd",
                         self.program("head", **head), *more, status=status)

    def test_any_program_can_be_gated(self):
        self.pair({"a": 1.0, "b": 2.0}, {"a": 1.01, "b": 2.0}, status=0)
        done = self.pair({"a": 1.0, "b": 2.0}, {"a": 1.3, "b": 2.0}, status=2)
        self.assertIn("REGRESSED    a", done.stdout)
        self.assertEqual(self.found()["cells"][0]["base_ns"], 1000)
        done = self.pair({"a": 1.0}, {"a": 0.7}, status=0)
        self.assertIn("IMPROVED     a", done.stdout)

    def test_an_error_of_a_benchmark_fails_the_gate(self):
        done = self.pair({"a": 1.0}, {"a": "lost 3"}, status=1)
        self.assertIn("FAILED: a: head: lost 3", done.stdout)

    def test_a_benchmark_that_one_side_has_not_is_status_3(self):
        done = self.pair({"a": 1.0, "b": 1.0}, {"a": 1.0}, status=3)
        self.assertIn("not executed: b: head: it prints no such benchmark", done.stdout)

    def test_a_control_that_differs_contaminates(self):
        done = self.pair({"a": 1.0}, {"a": 1.3}, "--control-cmd",
                         self.program("control", a=1.2), status=4)
        self.assertIn("gate: CONTAMINATED", done.stdout)

    def test_a_picture_is_drawn(self):
        if shutil.which("gnuplot") is None:
            self.skipTest("gnuplot is not here")
        arguments = [word for word in self.arguments(
            "--base-cmd", self.program("base", a_1=1.0, b=1.0), "--head-cmd",
            self.program("head", a_1=1.0, b=2.0)) if word != "--no-plot"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("a_1", (self.dir / "out" / "gate.svg").read_text())

    def test_bad_input_is_one_line_each(self):
        cat = self.program("base", a=1.0)
        for words, part in (
                ((), "give either --base REF or"),
                (("--base-cmd", cat), "belong together"),
                (("--base-cmd", cat, "--head-cmd", "no-such-program"), "no such program"),
                (("--base-cmd", "echo no", "--head-cmd", cat), "not Google Benchmark's JSON"),
                (("--base-cmd", "false", "--head-cmd", cat), "exit status 1"),
                (("--base-cmd", cat, "--head-cmd", cat, "--filter=zzz"), "match 'zzz'"),
                (("--base-cmd", cat, "--head-cmd", cat, "--floor=/none"), "cannot read"),
                (("--base", "x", "--inject=0@a"), "from 1 to 1000"),
                (("--base-cmd", "a \"b", "--head-cmd", cat), "no closing quotation"),
                (("--base-cmd", cat, "--head-cmd", cat, "--list"), "--list works with"),
                (("--base-cmd", cat, "--head-cmd", cat, "--links=2"), "--links works with"),
                (("--base-cmd", cat, "--head-cmd", cat, "--no-exact"), "--no-exact works with"),
                (("--base", "HEAD", "--timeout=9"), "--timeout belongs to"),
                (("--base-cmd", cat, "--head-cmd", cat, "--floor="), "cannot read"),
                (("--base", "HEAD", "--control-cmd", cat), "belongs to --base-cmd"),
                (("--base", "HEAD", "--sweep", "no-such-sweep"), "no-such-sweep"),
                (("--nonsense",), "unrecognized arguments")):
            self.assertIn(part, self.complaint(*words))

    def test_a_full_disk_is_one_line(self):
        """A limit on the size of files stands for it: the first of the rounds fits."""
        cat = self.program("base", a=1.0)
        for limit in (200, 600):
            done = subprocess.run(
                self.arguments("--base-cmd", cat, "--head-cmd", cat), capture_output=True,
                text=True, timeout=120, preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (limit, limit)))
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, r"\Agate.py: cannot write '.*': File too large\n\Z")

    def test_a_floor_of_another_host_is_status_4(self):
        floor = self.dir / "floor"
        floor.write_text(json.dumps({"host": {"cpu": "Z80", "cpus": 1}, "floor": {"a": 1}}))
        cat = self.program("base", a=1.0)
        line = self.complaint("--base-cmd", cat, "--head-cmd", cat, "--floor", str(floor),
                              status=4)
        self.assertIn("is of another host: Z80 with 1 CPUs", line)

    def test_a_floor_of_this_host_is_used(self):
        sys.path.insert(0, str(SCRIPTS))
        from weftlib.gate import host
        floor = self.dir / "floor"
        floor.write_text(json.dumps({"host": host.this(), "floor": {"a": 0.2}}))
        self.pair({"a": 1.0}, {"a": 1.15}, "--floor", str(floor), status=0)
        self.pair({"a": 1.0}, {"a": 1.15}, status=2)


if __name__ == "__main__":
    unittest.main()
