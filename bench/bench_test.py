#!/usr/bin/env python3
"""`weft bench` and what every command writes, from outside.

    bench_test.py WEFT BROKEN_DIR [unittest arguments]
"""

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import weft_command
from weft_command import PATIENCE, SHORT, Answer, broken, sanitizer, strict, weft


class Bench(unittest.TestCase):
    #: One cell of each channel, the quickest, whatever else the machine does.
    FILTER = "--benchmark_filter=^pipeline/chan:%s/.*/batch:256/"

    def names(self, *args):
        answer = weft("bench", "--benchmark_list_tests", *args)
        self.assertEqual(answer.status, 0, answer.err)
        return answer.out.split()

    def test_the_cells(self):
        names = self.names()
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^[a-z_]+/chan:[a-z0-9_-]+(/[a-z_]+:\w+)*/"
                                   r"iterations:1/repeats:3/manual_time$")
        self.assertTrue(any(re.match("pipeline/chan:handoff/.*cap:0/", n)
                            for n in names))
        self.assertFalse(any(re.match("pipeline/chan:condvar/.*cap:0/", n)
                             for n in names))

    def test_json(self):
        answer = weft("bench", self.FILTER % "handoff", "--time=1",
                      "--benchmark_format=json", "--benchmark_repetitions=2")
        self.assertEqual(answer.status, 0, answer.err)
        document = strict(answer.out)
        self.assertIn("weft_version", document["context"])
        rows = [row for row in document["benchmarks"]
                if row["run_type"] == "iteration"]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual(row["repetitions"], 2)
            self.assertAlmostEqual(row["real_time"], row["ns_per_message"], 3)
            self.assertGreater(row["messages_per_second"], 0)
            self.assertGreater(row["latency_p50_ns"], 0)

    def test_one_that_fails_is_an_error_and_the_rest_is_measured(self):
        answer = weft("bench", broken("deaf"), "--timeout=5", "--time=1",
                      self.FILTER % "(deaf|handoff)",
                      "--benchmark_repetitions=1", "--benchmark_format=json")
        rows = strict(answer.out)["benchmarks"]
        self.assertEqual(answer.status, 1)
        failed = [row for row in rows if row.get("error_occurred")]
        self.assertTrue(failed)
        self.assertLess(len(failed), len(rows))
        for row in failed:
            self.assertIn("chan:deaf", row["name"])
            self.assertRegex(row["error_message"], "^HUNG: ")


class Moods(unittest.TestCase):
    """Repetitions of one cell that end in different ways, in any order."""

    CELL = ("--benchmark_filter=^producer_consumer/chan:moody/variant:plain/"
            "producers:1/consumers:1/cap:64/payload:8/prod_work:0/work:0/"
            "pause:0/batch:1/wait:adaptive/stats:0/")
    #: As moody.c knows them: what the error says.
    MOODS = {"g": None, "l": "^FAILED: ", "c": "^CRASHED: ", "h": "^HUNG: ",
             "n": "^N/A: "}

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def bench(self, moods, *args):
        path = self.folder / "moods"
        path.write_text(moods)
        return weft("bench", broken("moody"), self.CELL, "--time=1",
                    "--timeout=60", "--benchmark_repetitions=%d" % len(moods),
                    *args, WEFT_MOODS=str(path))

    def test_any_mix(self):
        out = self.folder / "out.json"
        for moods in ("gl", "lg", "gcg", "cgn", "ngg", "hg", "lcn", "glgch"):
            with self.subTest(moods=moods):
                answer = self.bench(moods, "--benchmark_format=json",
                                    "--benchmark_out=%s" % out)
                self.assertEqual(answer.status, 1, answer.err)
                for text in (answer.out, out.read_text()):
                    self.check_rows(strict(text)["benchmarks"], moods)

    def check_rows(self, rows, moods):
        single = [r for r in rows if r["run_type"] == "iteration"]
        # One that passed comes first.
        good = max(moods.find("g"), 0)
        moods = moods[good] + moods[:good] + moods[good + 1:]
        self.assertEqual(len(single), len(moods))
        for row, mood in zip(single, moods):
            self.assertEqual(row.get("error_occurred", False), mood != "g")
            if mood != "g":
                self.assertRegex(row["error_message"], self.MOODS[mood])
            else:
                self.assertGreater(row["ns_per_message"], 0)

    def test_all_of_them_in_the_table_for_people_and_as_csv(self):
        answer = self.bench("lg")
        self.assertEqual(answer.status, 1)
        self.assertIn("FAILED: ", answer.out)
        answer = self.bench("lg", "--benchmark_format=csv")
        self.assertEqual(answer.status, 1)
        rows = list(csv.DictReader(io.StringIO(answer.out)))
        self.assertGreater(float(rows[0]["ns_per_message"]), 0)
        self.assertIn("FAILED", rows[1]["error_message"])

    def test_a_rate_is_the_inverse_of_its_time_in_aggregates_too(self):
        answer = self.bench("gg", "--benchmark_format=json")
        for row in strict(answer.out)["benchmarks"]:
            if row.get("aggregate_name", "mean") in ("mean", "median"):
                self.assertAlmostEqual(row["messages_per_second"] *
                                       row["ns_per_message"] / 1e9, 1)


class Output(unittest.TestCase):
    """What is written, where it cannot be, and when it ends early."""

    ONE = ["--benchmark_filter=^ping_pong/chan:ring/pairs:1/cap:1/payload:8/"
           "work:0/wait:adaptive/", "--time=1", "--benchmark_repetitions=1",
           "--timeout=%d" % (PATIENCE // 2)]

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "out.json"

    def shell(self, redirections, *args):
        """`weft ARGS REDIRECTIONS`, as a shell runs it."""
        line = 'exec "$0" "$@" ' + redirections
        done = subprocess.run(["sh", "-c", line, weft_command.WEFT, *args],
                              timeout=PATIENCE, capture_output=True, text=True)
        return Answer(done.returncode, done.stdout, done.stderr)

    def test_csv_has_every_row_and_every_counter(self):
        # Of closed and open loops, of one consumer and of two, and without
        # any data: whichever of them comes first.
        answer = weft("bench", "--benchmark_format=csv", "--time=1",
                      "--benchmark_repetitions=1", "--benchmark_filter="
                      "/chan:(null|ring)/(.*producers:1/consumers:[12]/cap:64/"
                      "payload:8/prod_work:0/work:0/pause:0/batch:1/wait:adaptive|"
                      "pairs:1/cap:1/payload:8/work:0/wait:adaptive)")
        self.assertEqual(answer.status, 0, answer.err)
        rows = list(csv.DictReader(io.StringIO(answer.out)))
        self.assertGreater(len(rows), 4)
        for row in rows:
            self.assertNotIn(None, row)
            self.assertNotIn(None, row.values())
            untimed = re.search("chan:null|variant:preproduced", row["name"])
            self.assertEqual(row["latency_max_ns"] == "", bool(untimed))
            for counter in ("messages_per_second", "fairness_jain", "cpus"):
                self.assertGreater(float(row[counter]), 0)

    def test_a_file_that_cannot_be_written_is_an_error(self):
        for path, words in (("/dev/full", "No space left"),
                            ("/no/such/folder/x", "No such file"),
                            (str(self.folder), "Is a directory")):
            for form in ("json", "csv", "console"):
                answer = weft("bench", *self.ONE, "--benchmark_out=" + path,
                              "--benchmark_out_format=" + form)
                self.assertEqual(answer.status, 2, (path, form))
                self.assertIn("--benchmark_out=" + path, answer.err)
                self.assertIn(words, answer.err)

    def test_nor_is_anything_measured_or_shown_for_it(self):
        answer = weft("bench", "--benchmark_out=/no/such/folder/x",
                      "--benchmark_format=json")  # hours, all of them
        self.assertEqual((answer.status, answer.out), (2, ""))

    def test_a_stdout_that_cannot_be_written_is_an_error(self):
        for args in (self.ONE, [*self.ONE, "--benchmark_format=json"]):
            answer = self.shell(">/dev/full", "bench", *args)
            self.assertEqual(answer.status, 2)
            self.assertIn("cannot write the output: No space", answer.err)

    def test_a_file_is_left_alone_where_nothing_is_measured(self):
        self.file.write_text("precious")
        weft("bench", "--benchmark_list_tests", *self.ONE,
             "--benchmark_out=%s" % self.file)
        weft("bench", "--benchmark_filter=no_such_name",
             "--benchmark_out=%s" % self.file)
        self.assertEqual(self.file.read_text(), "precious")

    def interrupted(self, number, *args):
        """Status and stdout of a bench that goes on for ever, ended when its
        file has some rows. Where it is whole at any time, it is so then."""
        child = subprocess.Popen(
            [weft_command.WEFT, "bench", "--time=1", "--benchmark_repetitions=1",
             "--benchmark_out=%s" % self.file, *args],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        rows = 0
        while rows < 2 and child.poll() is None:
            time.sleep(0.05)
            text = self.file.read_text() if self.file.exists() else ""
            rows = text.count("messages_per_second")
        child.send_signal(number)
        out = child.communicate(timeout=PATIENCE)[0]
        return Answer(child.returncode, out, "")

    def test_what_was_measured_is_kept_when_it_is_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            answer = self.interrupted(number, "--benchmark_format=json")
            self.assertEqual(answer.status, 128 + number)
            for text in (answer.out, self.file.read_text()):
                document = strict(text)
                self.assertIs(document["context"]["weft_partial"], True)
                self.assertGreaterEqual(len(document["benchmarks"]), 2)
                for row in document["benchmarks"]:
                    self.assertNotIn("error_occurred", row)
            self.file.unlink()

    def test_the_file_is_whole_even_when_it_is_killed(self):
        self.interrupted(signal.SIGKILL)
        document = strict(self.file.read_text())
        self.assertIs(document["context"]["weft_partial"], True)
        self.assertTrue(document["benchmarks"])

    def test_what_is_complete_says_so(self):
        answer = weft("bench", *self.ONE, "--benchmark_format=json",
                      "--benchmark_out=%s" % self.file)
        self.assertEqual(answer.status, 0, answer.err)
        for text in (answer.out, self.file.read_text()):
            document = strict(text)
            self.assertIs(document["context"]["weft_partial"], False)
            self.assertEqual(len(document["benchmarks"]), 1)

    def test_bytes_that_are_no_text_do_no_harm_to_json(self):
        path = self.folder.joinpath(os.fsdecode(b"c\xe9.so"))
        shutil.copy("%s/foreign.so" % weft_command.BROKEN, path)
        run = [os.fsencode(weft_command.WEFT), b"bench", b"--load=" + os.fsencode(path),
               b"--benchmark_context=k\x01=v\xe9\xe2\x82",
               b"--benchmark_out=" + os.fsencode(self.file),
               b"--benchmark_format=json",
               *[os.fsencode(arg) for arg in self.ONE[1:]],
               os.fsencode(self.ONE[0]) + b"|\xe9"]
        done = subprocess.run(run, capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in (done.stdout, self.file.read_bytes()):
            context = strict(text.decode())["context"]
            self.assertEqual(context["k\x01"], "v\ufffd\ufffd\ufffd")

    def test_without_proc_the_cpus_are_counted_all_the_same(self):
        hidden = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /proc && "
                  'exec "$0" "$@"', weft_command.WEFT]
        if subprocess.run([*hidden[:-1], "true"],
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no /proc can be hidden here")
        if sanitizer():
            self.skipTest("a sanitizer itself needs /proc")
        done = subprocess.run([*hidden, "bench", *self.ONE,
                               "--benchmark_format=json"], timeout=PATIENCE,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(strict(done.stdout)["context"]["num_cpus"], 0)

    def test_closed_descriptors(self):
        out = "--benchmark_out=%s" % self.file
        answer = self.shell(">&-", "bench", *self.ONE, out)
        self.assertEqual(answer.status, 0, answer.err)
        self.assertEqual(len(strict(self.file.read_text())["benchmarks"]), 1)
        for redirections in ("<&- 2>&-", "<&- >&- 2>&-"):
            self.file.unlink()
            answer = self.shell(redirections, "bench", *self.ONE, out)
            self.assertEqual(answer.status, 0, answer.err)
            strict(self.file.read_text())

    def test_a_closed_stdout_that_is_needed_is_bad_input(self):
        for args in (["bench", *self.ONE], ["list"], ["help"], ["--version"],
                     ["context", "--json"], ["run", "pipeline", *SHORT],
                     ["check", "--list"], ["stress", "--help"],
                     ["bench", "--benchmark_list_tests",
                      "--benchmark_out=%s" % self.file]):
            answer = self.shell(">&-", *args)
            self.assertEqual(answer.status, 2, args)
            self.assertRegex(answer.err, r"\Aweft: [^\n]*stdout[^\n]*\n\Z")


class Flags(unittest.TestCase):
    """Bad input is exit 2 before anything is measured, and never exit 0."""

    #: The flag or variable, and what the one line must name.
    BAD = [
        ("benchmark_repetitions=0", "from 1 to"),
        ("benchmark_repetitions=-1", "from 1 to"),
        ("benchmark_repetitions=1.5", "from 1 to"),
        ("benchmark_repetitions=99999999999999999999", "from 1 to"),
        ("benchmark_time_unit=xx", "ns, us, ms, s"),
        ("benchmark_format=xml", "console, json, csv"),
        ("benchmark_out_format=foo", "console, json, csv"),
        ("benchmark_color=green", "auto, true, false"),
        ("benchmark_list_tests=maybe", "true or false"),
        ("benchmark_counters_tabular=2", "true or false"),
        ("benchmark_report_aggregates_only=x", "true or false"),
        ("benchmark_display_aggregates_only=x", "true or false"),
        ("benchmark_enable_random_interleaving=x", "true or false"),
        ("benchmark_context=alone", "KEY=VALUE"),
        ("benchmark_context=a=b=c", "KEY=VALUE"),
        ("benchmark_context=a=b,", "KEY=VALUE"),
        ("benchmark_context==b", "KEY=VALUE"),
        ("benchmark_min_time=0.5", "--time"),
        ("benchmark_perf_counters=CYCLES", "no place"),
    ]

    def is_refused(self, answer, *words):
        self.assertEqual((answer.status, answer.out), (2, ""), answer.err)
        for word in words:
            self.assertIn(word, answer.err)

    def test_from_the_command_line(self):
        for text, words in self.BAD:
            with self.subTest(flag=text):
                answer = weft("bench", "--" + text)
                self.is_refused(answer, "--" + text.split("=")[0], words)
                self.assertRegex(answer.err, r"\A[^\n]+\n\Z")

    def test_from_the_environment(self):
        for text, words in self.BAD:
            name, value = text.split("=", 1)
            with self.subTest(variable=name):
                answer = weft("bench", **{name.upper(): value})
                self.is_refused(answer, name.upper(), words)

    def test_what_takes_a_value_and_has_none(self):
        for name in ("filter", "repetitions", "format", "out", "context"):
            self.is_refused(weft("bench", "--benchmark_" + name), "VALUE")
        self.is_refused(weft("bench", "--benchmark_out="), "needs a value")

    def test_what_is_no_flag(self):
        self.is_refused(weft("bench", "--benchmark_fliter=x"),
                        "did you mean '--benchmark_filter'")
        self.is_refused(weft("bench", "producer_consumer"),
                        "'producer_consumer'")

    def test_good_ones(self):
        one = Output.ONE
        for text in ("benchmark_time_unit=ms", "benchmark_color=false",
                     "benchmark_counters_tabular=YES",
                     "benchmark_enable_random_interleaving=1",
                     "benchmark_report_aggregates_only=off",
                     "benchmark_context=a=b,c=d"):
            name, value = text.split("=", 1)
            self.assertEqual(weft("bench", *one, "--" + text).status, 0, text)
            answer = weft("bench", *one, **{name.upper(): value})
            self.assertEqual(answer.status, 0, text)
        # An empty variable is none, and V is not meant for us.
        answer = weft("bench", *one, BENCHMARK_LIST_TESTS="", V="1",
                      BENCHMARK_OUT="", BENCHMARK_FORMAT="",
                      BENCHMARK_PERF_COUNTERS="")
        self.assertEqual(answer.status, 0, answer.err)
        self.assertIn("messages_per_second", answer.out)

    def test_the_time_unit(self):
        row = strict(weft("bench", *Output.ONE, "--benchmark_format=json",
                          "--benchmark_time_unit=us").out)["benchmarks"][0]
        self.assertEqual(row["time_unit"], "us")
        self.assertAlmostEqual(row["real_time"], row["ns_per_message"] / 1e3)


class Locale(unittest.TestCase):
    """A plug-in sets a locale in which 1.5 is 1,5."""

    SOURCE = """comment_char %
escape_char /
LC_NUMERIC
decimal_point ","
thousands_sep "."
grouping 3;3
END LC_NUMERIC
"""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "source").write_text(self.SOURCE)
        (self.folder / "ascii").write_text(
            "<code_set_name> ANSI_X3.4-1968\n<comment_char> %%\n"
            "<escape_char> /\nCHARMAP\n%sEND CHARMAP\n" % "".join(
                "<U%04X> /x%02x\n" % (c, c) for c in range(128)))
        subprocess.run(["localedef", "-c", "-i", "./source", "-f", "./ascii",
                        "./comma"], cwd=self.folder, timeout=PATIENCE,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not (self.folder / "comma/LC_NUMERIC").exists():
            self.skipTest("no locale can be made here")
        self.env = {"LC_ALL": "comma", "LOCPATH": str(self.folder)}

    def test_json(self):
        for args in (["run", "producer_consumer", "--reps=2", "--time=1"],
                     ["list", "channels"], ["context"],
                     ["check", "--only=^create_and_destroy$|^a_.*closed"]):
            load = [] if args[0] == "context" else [broken("foreign")]
            answer = weft(*args, "--json", *load, **self.env)
            with self.subTest(args=args):
                self.assertEqual(answer.status, 0, answer.err)
                strict(answer.out)

    def test_text(self):
        for args in (["run", "producer_consumer", "--time=1"],
                     ["check", "--only=batch"]):
            answer = weft(*args, broken("foreign"), **self.env)
            self.assertNotRegex(answer.out, r"[0-9],[0-9]")
            self.assertRegex(answer.out, r"[0-9][.][0-9]")

    def test_the_watchdog(self):
        moods = self.folder / "moods"
        moods.write_text("h")
        answer = weft("run", "producer_consumer", broken("moody"),
                      "--timeout=60", WEFT_MOODS=str(moods), **self.env)
        self.assertIn("HUNG", answer.out)
        self.assertNotRegex(answer.err, r"[0-9],[0-9]+ ms")
        self.assertRegex(answer.err, r"[0-9][.][0-9]+ ms")

    def test_bench(self):
        for form in ("json", "csv", "console"):
            answer = weft("bench", broken("foreign"), "--time=1",
                          "--timeout=%d" % (PATIENCE // 2),
                          "--benchmark_repetitions=2", "--benchmark_filter="
                          "^ping_pong/chan:foreign/pairs:1/cap:1/payload:8/"
                          "work:0/wait:adaptive/", "--benchmark_format=" + form,
                          **self.env)
            self.assertEqual(answer.status, 0, answer.err)
            if form == "json":
                strict(answer.out)
            elif form == "csv":
                for row in csv.reader(io.StringIO(answer.out)):
                    self.assertEqual(len(row), 10 + 18)
            else:
                self.assertNotRegex(answer.out, r"[0-9],[0-9]")


if __name__ == "__main__":
    weft_command.main()
