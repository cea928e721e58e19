#!/usr/bin/env python3
"""Tests of peers.py and what it alone uses, against fake_weft.py.

    python3 scripts/test_peers.py
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

from fixture import PATIENCE, FakeRuns  # noqa: E402
from weftlib import Problem, peers, plan, summary, versus  # noqa: E402
from weftlib.peers import Participant, Row  # noqa: E402

RING = Participant("ring", "weft", "ours")
HANDOFF = Participant("handoff", "weft", "ours", patterns=(
    peers.PATTERN, *peers.COMPONENTS))
SYNC = Participant("golang_sync", "peer_go", "peer", "golang_sync 1",
                   patterns=peers.COMPONENTS)
CONDVAR = Participant("condvar", "weft", "scale")
GO = Participant("go", "peer_go", "peer", "go 1.2", tasks="goroutines")
KANAL = Participant("kanal", "peer_rust", "peer", "kanal 0.1")
RTRB = Participant("rtrb", "peer_rust", "peer", "rtrb 0.4", "spins only",
                   min_cap=1, max_senders=1, max_receivers=1)
MOODY = Participant("moody", "weft", "peer", "m 1", unbounded=True, min_cap=1)
ROW = Row(4, 1, 64, False)


def entry(who, *rates):
    return versus.Entry(who, "VERIFIED", "", dict(enumerate(rates)))


class Ratios(unittest.TestCase):
    def test_a_ratio_is_that_of_the_medians(self):
        found = versus.ratio(entry(RING, 10, 40, 30), entry(GO, 10, 10, 20))
        self.assertEqual(found.value, 3)

    def test_drift_that_falls_on_both_sides_does_not_widen_the_interval(self):
        drift = (1, 10, 3, 7, 2, 5)
        found = versus.ratio(entry(RING, *(2 * rate for rate in drift)),
                             entry(GO, *drift))
        self.assertEqual((found.low, found.value, found.high), (2, 2, 2))

    def test_few_rounds_give_all_there_is_and_say_how_sure_that_is(self):
        found = versus.ratio(entry(RING, 10, 20, 30), entry(GO, 10, 10, 10))
        self.assertEqual((found.low, found.high, found.level), (1, 3, 0.75))

    def test_enough_rounds_are_95_percent_sure(self):
        ours = entry(RING, 1, 2, 3, 4, 5, 6, 7, 8, 90)
        found = versus.ratio(ours, entry(GO, *[1] * 9))
        self.assertEqual((found.low, found.high), (2, 8))
        self.assertGreaterEqual(found.level, 0.95)

    def test_rounds_that_only_one_side_has_do_not_count(self):
        ours = versus.Entry(RING, "VERIFIED", "", {0: 10, 1: 99})
        found = versus.ratio(ours, versus.Entry(GO, "VERIFIED", "", {0: 5}))
        self.assertEqual((found.low, found.value, found.high), (2, 2, 2))

    def test_the_interval_holds_the_ratio(self):
        chance = random.Random(1)
        for _ in range(2000):
            rates = [[chance.lognormvariate(0, 1) for _ in range(9)] for _ in "ab"]
            found = versus.ratio(entry(RING, *rates[0]), entry(GO, *rates[1]))
            self.assertLessEqual(found.low, found.value)
            self.assertLessEqual(found.value, found.high)

    def test_turns_are_compared_one_by_one(self):
        def by_turns(who, *rounds, group="g"):
            records = [{"round": turn, "group": group, "samples": [
                {"ns": ns, "messages": 1} for ns in times]}
                for turn, times in enumerate(rounds)]
            rates = {one["round"]: 1e9 / sorted(one["samples"][k]["ns"] for k in range(3))[1]
                     for one in records}
            return versus.Entry(who, "VERIFIED", "", rates, records)
        ring = by_turns(RING, (10, 90, 20), (30, 10, 10))
        go = by_turns(GO, (20, 20, 40), (60, 20, 20))
        self.assertEqual(versus.ratio(ring, go).value, 2)
        alone = by_turns(GO, (20, 20, 40), (60, 20, 20), group=None)
        self.assertNotEqual(versus.ratio(ring, alone).value, 2)

    def test_a_round_has_the_rate_that_the_summary_says(self):
        record = {"cell": "c", "pattern": "p", "chan": "go", "knobs": {}, "round": 0,
                  "verdict": "VERIFIED", "samples": [{"ns": ns, "messages": 1}
                                                     for ns in (10, 30)]}
        told, = summary.build({}, [record])["cells"]
        self.assertEqual(peers.rate(record), told["messages_per_second"]["median"])

    def test_one_side_missing_is_no_ratio(self):
        self.assertIsNone(versus.ratio(entry(RING, 1), None))
        self.assertIsNone(versus.ratio(None, entry(RING, 1)))


class Tables(unittest.TestCase):
    def line(self, *all_of_it):
        table = versus.comparison({ROW: list(all_of_it)})
        return dict(zip(range(len(table.header)), table.rows[0]))

    def test_our_best_stands_against_the_best_peer(self):
        line = self.line(entry(RING, 3e6), entry(HANDOFF, 4e6), entry(KANAL, 2e6),
                         entry(GO, 1e6))
        self.assertEqual([line[i] for i in range(5)], [
            "4:1 cap 64", "handoff 4.00", "kanal 2.00", "2.00", "-"])
        self.assertEqual([line[i] for i in range(5, 9)], [""] * 4)

    def test_what_is_for_scale_is_neither(self):
        line = self.line(entry(RING, 3e6), entry(CONDVAR, 9e6), entry(GO, 1e6))
        self.assertEqual((line[1], line[2]), ("ring 3.00", "go 1.00"))

    def test_a_best_peer_of_other_tasks_has_the_best_of_threads_beside_it(self):
        line = self.line(entry(RING, 2e6), entry(GO, 4e6), entry(KANAL, 1e6))
        self.assertEqual([line[i] for i in (2, 3, 5, 6)],
                         ["go 4.00", "0.500", "kanal 1.00", "2.00"])

    def test_one_that_only_spins_stands_apart_where_it_is_faster(self):
        line = self.line(entry(RING, 2e6), entry(RTRB, 8e6), entry(KANAL, 1e6))
        self.assertEqual([line[i] for i in (2, 7, 8)],
                         ["kanal 1.00", "rtrb† 8.00", "0.250"])
        slow = self.line(entry(RING, 2e6), entry(RTRB, 5e5), entry(KANAL, 1e6))
        self.assertEqual(slow[7], "")

    def test_one_without_a_bound_stands_apart(self):
        line = self.line(entry(RING, 2e6), entry(MOODY, 8e6), entry(KANAL, 1e6))
        self.assertEqual([line[i] for i in (2, 7)], ["kanal 1.00", "moody∞ 8.00"])

    def test_what_is_of_fewer_rounds_is_marked(self):
        row = {ROW: [entry(RING, 2e6, 2e6, 2e6), entry(KANAL, 1e6, 1e6)]}
        self.assertEqual(versus.medians(row, [RING, KANAL]).rows,
                         [["4:1 cap 64", "2.00", "1.00~"]])
        self.assertTrue(versus.has(row, versus.FEW))
        self.assertFalse(versus.has(row, versus.SPINS))

    def slices(self, cell, *figures):
        return [{"cell": cell.name, "verdict": "VERIFIED", "round": turn,
                 "samples": [{"ns": 100_000, "messages": 5, "cpu_seconds": 5e-6}],
                 "fairness": {"jain": value / 1e4},
                 "figures": {"idle_p50": {"value": value}} if cell.row.pause else {}}
                for turn, value in enumerate(figures)]

    def test_a_receiver_that_waits_has_its_own_table(self):
        ring, kanal = peers.build([RING, KANAL], re.compile("^idle receiver, cap 1$"), 1, 3)
        found = versus.entries([ring, kanal], self.slices(ring, 4000, 9000, 5000))
        self.assertEqual(versus.idle(found, [RING, KANAL]).rows, [
            ["idle receiver, cap 1, µs", "5.00", ""],
            ["idle receiver, cap 1, % of a CPU", "5.00", ""]])
        for table in (versus.comparison(found), versus.medians(found, [RING])):
            self.assertEqual(table.rows, [])
        self.assertEqual(versus.as_data(found), [])

    def test_fairness_is_said_where_there_are_several_receivers(self):
        cells = peers.build([RING], re.compile("^4:[14] cap 64$"), 1, 3)
        found = versus.entries(cells, [one for cell in cells for one in
                                       self.slices(cell, 9000, 2000, 8000)])
        self.assertEqual(versus.fairness(found, [RING]).rows, [["4:4 cap 64", "0.800"]])

    def test_without_a_peer_there_is_no_ratio(self):
        line = self.line(entry(RING, 2e6))
        self.assertEqual([line[i] for i in (2, 3, 4)], ["-", "-", "-"])

    def test_one_bad_round_takes_all_rates(self):
        cell, = peers.build([KANAL], re.compile("^4:1 cap 64"), 1, 3)
        good = {"cell": cell.name, "verdict": "VERIFIED",
                "samples": [{"ns": 1000, "messages": 5}]}
        found = versus.entry(cell, [dict(good, round=0), {
            "cell": cell.name, "verdict": "FAILED", "why": "lost 1", "round": 1}])
        self.assertEqual((found.verdict, found.why, found.rate),
                         ("FAILED", "lost 1", None))
        row = {ROW: [found, entry(RING, 1e6)]}
        self.assertEqual(versus.medians(row, [RING, KANAL]).rows,
                         [["4:1 cap 64", "1.00", "FAILED"]])
        self.assertEqual(versus.bad(row), ["FAILED 4:1 cap 64: kanal: lost 1"])
        self.assertEqual(versus.comparison(row).rows[0][2], "-")


class Plans(unittest.TestCase):
    def build(self, *who, cells=None, rounds=7):
        return peers.build(list(who), cells and re.compile(cells), 250, rounds)

    def test_the_cells_are_those_that_are_to_be_compared(self):
        names = [row.name for row in peers.rows()]
        self.assertEqual(len(names), 38 + len(peers.OF_COMPONENTS))
        for name in ("1:1 cap 0", "4:1 cap 1024", "16:16 cap 1",
                     "one CPU, 1:4 cap 64", "one CPU, 16:16 cap 1024",
                     "semaphore workers 4 permits 2 work 0",
                     "idle receiver, cap 1", "idle receiver, cap 64"):
            self.assertIn(name, names)
        self.assertNotIn("one CPU, 1:1 cap 0", names)

    def test_what_a_channel_cannot_do_is_not_asked_of_it(self):
        found = {cell.row.name for cell in self.build(RTRB)}
        self.assertEqual(found, {"1:1 cap 1", "1:1 cap 64", "1:1 cap 1024",
                                 "one CPU, 1:1 cap 64", "one CPU, 1:1 cap 1024",
                                 "idle receiver, cap 1", "idle receiver, cap 64"})

    def test_one_of_ours_stands_for_what_needs_no_channel(self):
        cells = self.build(RING, HANDOFF, KANAL, SYNC)
        found = [cell for cell in cells if cell.who == SYNC]
        self.assertEqual({cell.pattern for cell in found}, set(peers.COMPONENTS))
        self.assertEqual({cell.row for cell in found}, {
            cell.row for cell in cells if cell.pattern != peers.PATTERN})
        for cell in found:
            self.assertEqual([other.who for other in cells if other.row == cell.row],
                             [HANDOFF, SYNC])

    def test_what_a_binary_says_of_its_patterns_counts(self):
        told = {"name": "handoff", "patterns": ["semaphore"]}
        self.assertEqual(peers.participant(told, "peer_go", "peer").patterns,
                         ("semaphore",))
        self.assertEqual(peers.participant({"name": "handoff"}, "weft", "ours"), HANDOFF)
        self.assertEqual(peers.participant({"name": "kanal"}, "weft", "peer").patterns,
                         (peers.PATTERN,))

    def test_nor_what_is_more_than_it_has_room_for(self):
        few = Participant("few", "weft", "peer", max_cap=10)
        none = Participant("none", "weft", "peer", max_cap=0)
        self.assertEqual({cell.row.cap for cell in self.build(few)}, {0, 1})
        self.assertEqual({cell.row.cap for cell in self.build(none)}, {0})

    def left_out(self, **rates):
        """The names of those that are, of peers with such rates in two rounds."""
        who = [Participant(name, "weft", "peer", tasks="threads",
                           adapter="spins only" if name.startswith("spins") else "")
               for name in rates if name not in ("ring", "go")]
        runner = self.runner(self.build(RING, GO, *who, cells="^4:1 cap 64"))
        runner.rates = {ROW: {cell.name: rates[cell.who.name]
                              for cell in runner.cells}}
        runner.round_ends(0)
        self.assertEqual(runner.left_out, [])
        runner.round_ends(1)
        return [cell.who.name for cell in runner.left_out]

    def test_one_slow_round_leaves_nobody_out(self):
        self.assertEqual(self.left_out(ring=[9, 100], go=[1, 3], a=[1, 40], b=[10, 30],
                                       c=[1, 5]), ["c"])

    def test_the_best_peer_of_a_kind_stays(self):
        self.assertEqual(self.left_out(ring=[99, 99], go=[1, 1], a=[1, 4], b=[4, 3],
                                       spins=[1, 1]), [])
        self.assertEqual(self.left_out(ring=[99, 99], go=[1, 1], a=[6, 7], b=[2, 3]),
                         ["b"])

    def test_one_that_spins_is_no_measure_for_those_that_wait(self):
        self.assertEqual(self.left_out(ring=[9, 9], go=[9, 9], a=[5, 5], b=[4, 4],
                                       spins=[99, 99]), [])

    def runner(self, cells, by_turns=True):
        fleet = SimpleNamespace(asleep=0, takes_turns=lambda: by_turns)
        return peers.PeerRunner(peers.APART, fleet, cells, 5, 1, None, None,
                                None, None)

    def test_all_of_a_row_run_one_after_the_other_and_take_turns(self):
        cells = self.build(RING, GO, KANAL)
        runner = self.runner(cells)
        orders = [[cell for row in runner.parts(turn) for cell in row]
                  for turn in range(6)]
        self.assertEqual(orders[2], [cell for row in runner.parts(2) for cell in row])
        self.assertEqual({len(row) for row in runner.parts(2)}, {3})
        alone = self.runner(cells, by_turns=False).parts(2)
        self.assertEqual([[cell] for cell in orders[2]], alone)
        firsts = set()
        for order in orders:
            self.assertCountEqual(order, cells)
            for start in range(0, len(order), 3):
                self.assertEqual(len({cell.row for cell in order[start:start + 3]}), 1)
            firsts.add(next(cell.who.name for cell in order if cell.row == ROW))
        self.assertEqual(firsts, {"ring", "go", "kanal"})
        self.assertNotEqual([cell.row for cell in orders[0]],
                            [cell.row for cell in orders[1]])

    def test_slices_shrink_to_what_is_comfortable_and_only_then_rounds_go(self):
        few = peers.fit(self.build(RING, GO), 540)
        self.assertEqual((few[0].time_ms, few[0].rounds), (250, 7))
        many = [Participant("p%d" % i, "weft", "peer") for i in range(27)]
        shorter = peers.fit(self.build(*many[:14]), 540)
        self.assertEqual(shorter[0].rounds, 7)
        self.assertTrue(peers.COMFORTABLE_MS <= shorter[0].time_ms < 250)
        fewer = peers.fit(self.build(*many), 540)
        self.assertEqual(fewer[0].time_ms, peers.COMFORTABLE_MS)
        self.assertLess(fewer[0].rounds, 7)
        self.assertLessEqual(peers.estimate(fewer), 540)
        least = peers.fit(self.build(*many), 1)
        self.assertEqual((least[0].time_ms, least[0].rounds),
                         (plan.COMFORTABLE_MS, plan.FEWEST_ROUNDS))

    def test_an_estimate_expects_that_some_do_not_stay(self):
        cell, = self.build(RING, cells="^4:1 cap 64", rounds=3)
        first, later = plan.slice_seconds(cell, 0), plan.slice_seconds(cell, 1)
        self.assertAlmostEqual(peers.estimate([cell]),
                               first + later + peers.STAY * later)

    def test_a_name_that_is_not_there_is_refused_with_those_that_are(self):
        with self.assertRaisesRegex(Problem, "'nope'; there are ring, go"):
            peers.choose([RING, GO], ["ring", "nope"])
        self.assertEqual(peers.choose([RING, GO], ["go"]), [GO])


class Runs(FakeRuns):
    NS = {"ring": 50, "handoff": 100, "spsc": 400, "go": 100, "kanal": 200,
          "far": 400, "near": 195, "condvar": 900}
    PEERS = {"peer_go": [{"name": "go", "why_not": "", "tasks": "goroutines",
                          "library": "go 1.2", "adapter": ""}],
             "peer_rust": [{"name": "kanal", "library": "kanal 0.1", "adapter": ""}]}

    def setUp(self):
        super().setUp()
        self.peers = self.dir / "peers"
        self.peers.mkdir()
        for name in peers.LANGUAGES:
            self.fake(name).rename(self.peers / name)

    def words(self, *more):
        return [sys.executable, "-S", str(SCRIPTS / "peers.py"), "--weft",
                str(self.weft), "--peers", str(self.peers), "--results",
                str(self.results), *more]

    def fakes(self, **more):
        listed = {**self.PEERS, **more.pop("listed", {})}
        turns = more.pop("turns", None)
        env = self.env(more.pop("channels", "ring,handoff,spsc,condvar,list"),
                       FAKE_PEERS=json.dumps(listed), FAKE_NS=json.dumps(self.NS))
        return env if turns is None else {**env, "FAKE_TURNS": turns}

    def run_peers(self, *more, status=0, **env):
        done = subprocess.run(self.words(*more), text=True, capture_output=True,
                              env=self.fakes(**env), timeout=PATIENCE)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def refusal(self, *more, **env):
        done = self.run_peers(*more, status=2, **env)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertFalse(self.results.exists() and list(self.results.iterdir()))
        return done.stderr

    def text(self):
        return (self.run_folder() / "summary.md").read_text()

    def test_the_table_has_the_ratio_of_the_best(self):
        done = self.run_peers("--rounds=3", "--cells=^2:2 cap 64")
        self.assertRegex(done.stdout, r"2:2 cap 64 +ring 20\.0 +go 10\.0 +2\.00 +"
                                      r"2\.00 to 2\.00 +kanal 5\.00 +4\.00")
        self.assertIn("| 2:2 cap 64 | ring 20.0 | go 10.0 | 2.00 |", self.text())
        self.assertIn("75.0 % sure", done.stdout)
        compared, = self.read()["comparison"]
        self.assertEqual(compared["against_best"]["ratio"], 2)
        self.assertEqual(compared["against_threads"]["peer"], "kanal")

    def test_raw_work_is_asked_of_all_alike(self):
        row = Row(4, 1, 64, False)
        count, each = plan.turns(peers.PeerCell("p", "c", (), 30, 2, 0, "s", row=row),
                                 row.crowd())
        whole = "--time=30 --reps=1"
        for turns, all_of_it in (
                ("turns", {"--time=7 --reps=1", "--time=%d --reps=%d" % (each, count)}),
                ("", {whole})):
            with self.subTest(turns):
                self.check_what_is_asked(turns, all_of_it)

    def check_what_is_asked(self, turns, repetitions):
        (self.dir / "log").unlink(missing_ok=True)
        self.run_peers("--rounds=2", "--cells=^4:1 cap 64", "--seed=7", "--time=30",
                       turns=turns and str(self.dir / turns))
        asked = {re.sub(r"--(chan|items)=\S+ ", "", line)
                 for line in (self.dir / "log").read_text().splitlines()
                 if line.startswith("run ")}
        self.assertEqual(asked, {
            "run producer_consumer --producers=4 --consumers=1 --cap=64 "
            "--variant=bare %s --seed=7 --json --latency=0 %s--timeout=8%s" % (
                how, ours, " --turns" * bool(turns))
            for how in repetitions for ours in (
                "", "--placement=apart ", "--cost=0 --placement=apart ")})

    def test_threads_are_placed_as_is_asked(self):
        for words, cells, placed in (((), "^2:2 cap 64", "apart"),
                                     (("--placement=free",), "^2:2 cap 64", "free"),
                                     ((), "one CPU, 2:2 cap 64", "free")):
            with self.subTest(words + (cells,)):
                (self.dir / "log").unlink(missing_ok=True)
                done = self.run_peers("--rounds=1", "--cells=" + cells, "--time=30", *words)
                runs = {re.search("--chan=([a-z]+)", line)[1]: line
                        for line in (self.dir / "log").read_text().splitlines()
                        if line.startswith("run ")}
                self.assertEqual({name: "--placement=%s " % placed in line
                                  for name, line in runs.items()},
                                 {name: name != "go" for name in runs})
        self.assertIn("goroutines where its runtime puts them", done.stdout)

    def test_all_of_a_row_have_turns_of_one_length(self):
        cpus = len(os.sched_getaffinity(0))
        self.assertEqual(Row(cpus, cpus, 64, False).crowd(), 2)
        self.assertEqual(Row(1, 1, 64, True).crowd(), 2)
        self.assertEqual(Row(0, 0, 0, False, "semaphore", (("workers", "1"),)).crowd(), 1)

    def test_one_cpu_is_one_cpu(self):
        self.run_peers("--rounds=1", "--cells=2:2 cap 64")
        cpus = {(cell["name"].endswith("/cpus:1"), cell["cpus"])
                for cell in self.read()["cells"]}
        self.assertEqual(cpus, {(True, 1), (False, len(os.sched_getaffinity(0)))})
        alone = [cell for cell in self.read()["cells"] if cell["cpus"] == 1
                 and cell["chan"] == "go"][0]
        self.assertRegex(alone["command"], r"^taskset -c \d+ peer_go run producer_con")

    def test_a_failed_peer_is_said_and_the_others_are_compared(self):
        listed = {"weft": [{"name": "drops", "library": "d 1", "adapter": "a flag"}]}
        done = self.run_peers("--rounds=2", "--cells=^2:2 cap 64", status=1,
                              listed=listed)
        self.assertIn("FAIL      FAILED 2:2 cap 64: drops: 999 of 1000", done.stdout)
        self.assertRegex(done.stdout, r"2:2 cap 64 +ring 20\.0 +go 10\.0 +2\.00")
        self.assertIn("FAILED 2:2 cap 64", done.stdout)
        self.assertIn("drops: a flag", self.text())
        self.assertRegex(self.text(), r"\| FAILED \|")

    def test_a_peer_far_behind_is_not_run_in_every_round(self):
        listed = {"weft": [{"name": "far"}, {"name": "near"}]}
        done = self.run_peers("--rounds=4", "--cells=^2:2 cap 64", listed=listed)
        runs = (self.dir / "log").read_text().splitlines()
        count = {name: sum("--chan=%s " % name in line for line in runs)
                 for name in ("far", "near", "go", "condvar", "spsc")}
        self.assertEqual(count, {"far": 2, "near": 4, "go": 4, "condvar": 4, "spsc": 4})
        self.assertRegex(self.text(), r"\| 2\.50\\?~ \|")
        self.assertIn("not run there again", done.stdout)
        self.assertEqual(len(self.read()["context"]["left_out"]), 1)

    def test_a_peer_without_a_bound_is_marked(self):
        listed = {"weft": [{"name": "glib", "caps": ["unbounded", "len"]}]}
        done = self.run_peers("--rounds=1", "--cells=^2:2 cap 64", listed=listed)
        self.assertIn("glib∞", done.stdout)
        self.assertIn("∞ unbounded", self.text())

    def test_a_peer_that_hangs_everywhere_does_not_take_all_the_time(self):
        listed = {"weft": [{"name": "hangs"}]}
        done = self.run_peers("--rounds=2", "--cells=^2:2", status=1, listed=listed)
        runs = [line for line in (self.dir / "log").read_text().splitlines()
                if "--chan=hangs " in line]
        self.assertEqual(len(runs), 2)
        self.assertEqual(done.stdout.count("FAIL      HUNG"), 2)

    def test_a_peer_that_cannot_do_a_cell_is_no_failure(self):
        listed = {"weft": [{"name": "picky"}]}
        done = self.run_peers("--rounds=2", "--cells=^2:2 cap 0", listed=listed)
        self.assertRegex(done.stdout, r"N/A")

    def test_what_is_missing_is_said_and_is_no_failure(self):
        (self.peers / "peer_rust").unlink()
        listed = {"weft": [{"name": "ck", "why_not": "not built: ck"}]}
        done = self.run_peers("--rounds=1", "--cells=^2:2 cap 64", listed=listed)
        self.assertIn("without Rust: no peer_rust in", done.stdout)
        self.assertIn("without ck: not built: ck", done.stdout)
        self.assertNotIn("kanal", done.stdout)

    def test_the_run_names_its_machine_and_binaries(self):
        done = self.run_peers("--rounds=1", "--cells=^2:2 cap 64")
        self.assertIn("Fake CPU (R) 9000", done.stdout)
        self.assertIn("load before", done.stdout)
        info = self.read()["context"]
        self.assertEqual(set(info["binaries_sha256"]), {"weft", "peer_go", "peer_rust"})
        self.assertEqual(info["sweep"]["name"], "peers")
        self.assertNotIn(str(self.dir), json.dumps(info) + self.text())

    def test_list_measures_nothing(self):
        done = self.run_peers("--list", "--cells=^2:2")
        self.assertRegex(done.stdout, r"channel go +peer; go 1\.2; tasks are goroutines")
        self.assertRegex(done.stdout, r"cell +2:2 cap 1024\n")
        self.assertNotIn("spsc4", done.stdout)
        self.assertFalse(self.results.exists())
        self.assertNotIn("run ", (self.dir / "log").read_text())

    def test_bad_input_is_one_line_and_nothing_is_written(self):
        self.assertRegex(self.refusal("--chans=ring,gone"),
                         "'gone'; there are ring, handoff, spsc, condvar, go, kanal")
        self.assertIn("--cells '9:9' matches none", self.refusal("--cells=9:9"))
        alone = {"weft": [{"name": "alone", "max_senders": 1}]}
        self.assertIn("none of the channels (alone) can do any of the cells",
                      self.refusal("--chans=alone", "--cells=^4:4", listed=alone))
        self.assertIn("'0' must be a whole number from 1 to 1000",
                      self.refusal("--rounds=0"))
        self.assertIn("1 to 60000", self.refusal("--time=x"))
        self.assertIn("no weft command", self.refusal("--weft=/nowhere"))
        twice = {"weft": [{"name": "go"}]}
        self.assertIn("two channels are called 'go': one of weft, one of peer_go",
                      self.refusal(listed=twice))

    def test_two_runs_agree_or_say_where_they_do_not(self):
        runs = [self.dir / "one", self.dir / "two"]
        rates = ([("ring", "a", 100.0), ("ring", "b", 100.0), ("go", "c", 1.0),
                  ("go", "d", 5.0), ("go", "e", 6.0), ("ring", "paused", 1.0)],
                 [("ring", "a", 114.0), ("ring", "b", 87.0), ("go", "c", 9.0),
                  ("go", "d", 5.0), ("go", "e", 6.0), ("ring", "paused", 9.0)])
        for run, cells in zip(runs, rates):
            run.mkdir()
            (run / "summary.json").write_text(json.dumps({
                "schema": 1, "context": {"git": {"commit": "x"}, "started": "now"},
                "cells": [{"name": name, "pattern": "p", "chan": chan,
                           "knobs": {"pause": 9} if name == "paused" else {},
                           "verdict": "VERIFIED", "messages_per_second": {
                               "median": rate, "min": rate, "max": rate}}
                          for chan, name, rate in cells]}))
        found = self.run_peers("--agree", str(runs[0]), str(runs[0]))
        self.assertIn("2 of our 2 cells are within 15 %: 100 %", found.stdout)
        found = self.run_peers("--agree", *map(str, runs))
        self.assertIn("2 of our 2", found.stdout)
        (runs[1] / "summary.json").write_text((runs[1] / "summary.json").read_text()
                                              .replace("87.0", "86.0"))
        found = self.run_peers("--agree", *map(str, runs), status=1)
        self.assertRegex(found.stdout, r"\A1\.16 times  b\nthe machine was 1\.00 times .*\n"
                         r"1 of our 2 .*50 %")
        self.assertIn("no run", self.refusal("--agree", str(runs[0]), "/nowhere"))

    def test_two_runs_agree_in_what_does_not_depend_on_the_machine(self):
        def told(**rates):
            return {"cells": [{"name": name, "chan": "ring" if name < "c" else "go",
                               "knobs": {}, "messages_per_second": {"median": rate}}
                              for name, rate in rates.items()]}
        # Peers tell how fast it is as well; what only one run has tells nothing.
        machine, found = versus.agreement(told(a=10, b=10, c=10, d=10, x=1),
                                          told(a=20, b=50, c=20, d=20, y=1))
        self.assertEqual((machine, found), (2, [(2.5, "b"), (1, "a")]))
        self.assertEqual(versus.agreement(told(a=1), told(b=1)), (1, []))

    def test_one_cpu_is_compared_with_one_cpu(self):
        def record(chan, ns, **cpu):
            return {"cell": "p/chan:%s%s" % (chan, cpu or ""), "pattern": "p", "chan": chan,
                    "knobs": {}, "verdict": "VERIFIED", "round": 0,
                    "samples": [{"ns": ns, "messages": 1}], **cpu}
        built = summary.build({}, [record("condvar", 60), record("ring", 20),
                                   record("condvar", 90, cpu=0), record("ring", 10, cpu=0)])
        self.assertEqual({cell.get("cpu"): cell["ratio"]["median"]
                          for cell in built["cells"] if cell["chan"] == "ring"},
                         {None: 3, 0: 9})

    def test_an_interrupted_run_keeps_what_it_has(self):
        child = subprocess.Popen(
            self.words("--rounds=500", "--cells=^2:2 cap 64"), env=self.fakes(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait_for_log("run ", 12)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 130, err)
        self.assertIn("PARTIAL", out)
        self.assertTrue(self.run_folder().name.endswith(".partial"))
        self.assertTrue(self.read()["context"]["partial"])

    def wait_for_log(self, start, count):
        log = self.dir / "log"
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            lines = log.read_text().splitlines() if log.exists() else []
            if sum(line.startswith(start) for line in lines) >= count:
                return
            time.sleep(0.01)
        self.fail("no %d runs in %d s" % (count, PATIENCE))


if __name__ == "__main__":
    unittest.main()
