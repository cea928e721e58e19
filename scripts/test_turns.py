#!/usr/bin/env python3
"""Tests of measuring by turns: the processes, what a round says, and whole sweeps.

    python3 scripts/test_turns.py
"""

import json
import os
import random
import signal
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

from fixture import FakeRuns  # noqa: E402
from weftlib import binary, cells, compare, figures, plan, report, runner, summary  # noqa: E402
from weftlib import turns, watch  # noqa: E402

#: Speaks as `weft run --turns` does; its arguments are its name and what is odd of it.
SPEAKER = """#!/bin/sh
name=$1 kind=$2 i=0
case $kind in
early) echo gone; exit 3 ;;
loud) head -c 300000 /dev/zero >&2 ;;
silent) exec >&- 2>&-; exec sleep 100 ;;
deaf) exec <&- ;;
esac
while :; do
	echo ready
	read -r word || break
	echo "$name$word" >>"$0.log"
	[ "$word" = end ] && [ "$kind" != old ] && break
	i=$((i + 1))
	case $kind$i in
	stuck2) exec sleep 100 ;;
	dies2) kill -9 $$ ;;
	old5) break ;;
	esac
done
echo "$name had $i"
"""


class Processes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weft-test-")
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "speaker")
        path.write_text(SPEAKER)
        path.chmod(0o755)
        self.log = Path(folder.name, "speaker.log")
        self.weft = binary.Weft(path)

    def run_(self, *kinds, count=4, limit=60, order=None, **more):
        """The answers of processes a, b, ... of these kinds, after so many turns."""
        members = [turns.Member(self.weft, ["abc"[i], kind], more.get(kind, limit))
                   for i, kind in enumerate(kinds)]
        found = turns.run(members, count, order or (
            lambda turn: plan.rotated(list(range(len(kinds))), turn)))
        self.assertEqual(self.weft.children, [])
        return found

    def said(self, found):
        return [(answer.stdout, answer.status, answer.timed_out) for answer in found]

    def test_one_at_a_time_and_then_each_to_its_end(self):
        found = self.run_("plain", "plain")
        self.assertEqual(self.said(found), [("a had 4\n", 0, False), ("b had 4\n", 0, False)])
        self.assertEqual(self.log.read_text().split(), [*"abbabaab", "aend", "bend"])

    def test_an_end_before_the_first_turn_is_an_answer(self):
        found = self.run_("early", "plain")
        self.assertEqual(self.said(found), [("gone\n", 3, False), ("b had 4\n", 0, False)])

    def test_a_death_in_a_turn_leaves_the_others_theirs(self):
        found = self.run_("plain", "dies")
        self.assertEqual(self.said(found), [("a had 4\n", 0, False),
                                            ("", -signal.SIGKILL, False)])

    def test_what_does_not_listen_stops_nothing(self):
        self.assertEqual(self.said(self.run_("deaf", "plain")),
                         [("a had 0\n", 0, False), ("b had 4\n", 0, False)])

    def test_waiting_for_others_is_no_time_of_its_own(self):
        found = self.run_("plain", "stuck", limit=2, stuck=3)
        self.assertEqual(self.said(found), [("a had 4\n", 0, False),
                                            ("", -signal.SIGKILL, True)])

    def test_what_says_no_more_has_to_end(self):
        found = self.run_("silent", "plain", silent=0.5)
        self.assertEqual([answer.timed_out for answer in found], [True, False])

    def test_much_that_is_said_on_stderr_stops_nothing(self):
        self.assertEqual([len(answer.stderr) for answer in self.run_("loud", "plain")],
                         [300000, 0])

    def test_what_knows_no_end_makes_its_repetitions(self):
        self.assertEqual(self.said(self.run_("old", "plain", count=3)),
                         [("a had 5\n", 0, False), ("b had 3\n", 0, False)])

    def test_nothing_outlives_an_exception(self):
        pids = []

        def order(turn):
            pids.extend(child.pid for child in self.weft.children)
            if turn:
                raise RuntimeError("x")
            return [0, 1]
        with self.assertRaises(RuntimeError):
            self.run_("plain", "plain", order=order)
        self.assertEqual(self.weft.children, [])
        for pid in pids:
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)

    def test_what_cannot_be_started_says_so(self):
        os.unlink(self.weft.path)
        self.assertEqual(self.run_("plain")[0].status, 127)

    def test_three_turns_unless_they_take_twice_what_they_should(self):
        def wants(count, seconds):
            running = unittest.mock.Mock(get_map=lambda: {1: 1})
            return turns.Process(turns.Member(None, [], 60, enough=0.050), None, running,
                                 turns=count, measured=seconds).wants_more
        self.assertTrue(wants(9, 0.049))
        self.assertFalse(wants(9, 0.050))
        self.assertTrue(wants(2, 0.099))
        self.assertFalse(wants(2, 0.100))


def runner_of(cell, by_turns=True, done=()):
    """One of that cell, which starts nothing."""
    found = runner.Runner(unittest.mock.Mock(asleep=0), [cell], 7, 60, None, None,
                          unittest.mock.Mock(), None, done)
    found.by_turns = by_turns
    return found


class Learning(unittest.TestCase):
    """What the first slice of a cell says of the later ones."""

    def arguments(self, ms=50, knobs=(), turns_ms=(), most=1 << 25, **entry):
        """What the next slice is asked, after a first one that lasted so long, and
        perhaps one whose turns did."""
        cell = Plans().cell(50, knobs=knobs, most_items=most)
        found = runner_of(cell)
        found.work_rate = entry.pop("rate", None)
        found.keep(cell, {"verdict": "VERIFIED", "round": 0, "tasks": 2, "cpus": 2,
                          "params": {"items": 3000}, "items_searched": True,
                          "samples": [{"ns": int(ms * 1e6), "messages": 3000}], **entry}, 0)
        asked = self.options(found.arguments(cell, 1))
        if turns_ms:
            messages = int(asked["items"])
            found.keep(cell, {"verdict": "VERIFIED", "round": 1, "params": {"items": messages},
                              "samples": [{"ns": int(each * 1e6), "messages": messages}
                                          for each in turns_ms]}, 1)
            asked = self.options(found.arguments(cell, 2))
        return asked

    def options(self, args):
        return dict(word[2:].partition("=")[::2] for word in args if word.startswith("--"))

    def check(self, asked, **wanted):
        self.assertEqual({key: asked.get(key.replace("_", "-")) for key in wanted}, wanted)

    def test_a_turn_has_what_takes_as_long(self):
        self.check(self.arguments(), items="300", reps="10", time="5")
        self.check(self.arguments(12), items="1250", reps="10", time="5")

    def test_as_many_as_the_pattern_wants_are_not_changed(self):
        for ms in (12, 50):
            for searched in (False, None):  # older ones do not say
                self.check(self.arguments(ms, items_searched=searched), items="3000",
                           reps="10")
        self.check(self.arguments(knobs=(("items", "70"),)), items="70")

    def test_what_took_far_too_little_or_much_is_not_divided(self):
        for ms in (3, 200):
            self.check(self.arguments(ms), items="3000", reps="10")

    def test_turns_that_are_too_short_or_long_are_corrected_once(self):
        self.check(self.arguments(turns_ms=(5, 5, 5)), items="300", reps="10")
        self.check(self.arguments(turns_ms=(2, 2.5, 9)), items="600", reps="10")
        self.check(self.arguments(turns_ms=(10, 10, 2)), items="150", reps="10")
        self.check(self.arguments(tasks=8, turns_ms=(20, 20)), items="1875", reps="2")

    def test_a_correction_has_its_limits(self):
        self.check(self.arguments(turns_ms=(0.1, 0.1)), items="900")
        self.check(self.arguments(turns_ms=(500, 500)), items="100")
        self.check(self.arguments(3, turns_ms=(2, 2)), items="3000")  # not divided

    def test_a_single_turn_is_corrected_too(self):
        self.check(self.arguments(tasks=32, turns_ms=(17,)), items="8824", reps="1")

    def test_no_repetition_has_more_than_it_may(self):
        self.check(self.arguments(tasks=32, most=2000), items="2000", reps="1")
        self.check(self.arguments(tasks=32, turns_ms=(17,), most=5000), items="5000")
        self.check(self.arguments(turns_ms=(5, 5), most=200), items="200")

    def test_what_is_resumed_goes_on_as_it_would_have(self):
        cell = Plans().cell(50)
        entries = [{"cell": cell.name, "verdict": "VERIFIED", "round": turn, "tasks": 8,
                    "cpus": 2, "params": {"items": items}, "items_searched": not turn,
                    "samples": [{"ns": int(ms * 1e6), "messages": items}], "wall_seconds": 0}
                   for turn, items, ms in ((0, 3000, 20), (1, 3750, 10))]
        asked = []
        for kept, done in ((entries, ()), ((), entries)):
            found = runner_of(cell, done=done)
            for turn, entry in enumerate(kept):
                found.keep(cell, entry, turn)
            for turn in range(2 if done else 0):
                self.assertTrue(found.take_done(cell, turn))
            asked.append(self.options(found.arguments(cell, 2)))
        self.assertEqual(asked[0], asked[1])
        self.check(asked[0], items="9375", reps="2")

    def test_what_was_rejected_teaches_as_much(self):
        aside = {"why": "x", "samples": [{"ns": 50_000_000, "messages": 3000}]}
        self.check(self.arguments(samples=[], rejected=aside), items="300", reps="10")

    def test_a_crowd_has_longer_turns(self):
        self.check(self.arguments(tasks=8), items="1500", reps="2", time="25")
        self.check(self.arguments(tasks=3), items="600", reps="5", time="10")
        self.check(self.arguments(tasks=3, cpus=1), items="1000", reps="3", time="16")

    def test_work_is_the_same_in_all_processes(self):
        self.check(self.arguments(), work_rate=None)
        self.check(self.arguments(rate=812), work_rate="812")


class FirstSlice(unittest.TestCase):
    def asked(self, by_turns=True, **more):
        cell = Plans().cell(**{"time_ms": 100, **more})
        return [word for word in runner_of(cell, by_turns).arguments(cell, 0)
                if word.startswith(("--time=", "--latency"))]

    def test_it_is_shorter(self):
        self.assertEqual(self.asked(), ["--time=25", "--latency=0"])
        self.assertEqual(self.asked(time_ms=16), ["--time=5", "--latency=0"])
        self.assertEqual(self.asked(time_ms=4), ["--time=4", "--latency=0"])

    def test_its_latency_is_not(self):
        self.assertEqual(self.asked(latency=1), ["--time=25", "--latency-time=100"])
        self.assertEqual(self.asked(latency=1, latency_ms=16),
                         ["--time=25", "--latency-time=16"])

    def test_its_estimate_has_the_search_in_it(self):
        cell = Plans().cell(100)
        first, second = (plan.slice_seconds(cell, turn) for turn in (0, 1))
        self.assertEqual(round(first, 3), round(0.020 + 0.0008 + 1.15 * 4.4 * 0.025, 3))
        self.assertEqual(round(second, 3), round(0.020 + 10 * 0.0008 + 1.15 * 10.4 * 0.010, 3))

    def test_without_turns_it_is_as_the_others(self):
        self.assertEqual(self.asked(False), ["--time=100", "--latency=0"])


class Plans(unittest.TestCase):
    def cell(self, time_ms, **more):
        return cells.Cell(**{**dict(pattern="p", chan="ring", knobs=(), time_ms=time_ms,
                                    rounds=5, latency=0, where="s:1"), **more})

    def test_a_slice_is_divided(self):
        self.assertEqual([plan.turns(self.cell(ms)) for ms in (1, 5, 16, 50, 100, 250)],
                         [(1, 1), (1, 5), (3, 5), (10, 5), (10, 10), (10, 25)])
        self.assertEqual([plan.turns(self.cell(50), crowd) for crowd in (1, 2, 4, 16)],
                         [(10, 5), (5, 10), (2, 25), (1, 50)])

    def test_each_is_as_early_as_it_is_late(self):
        for count in (1, 2, 3, 9):
            names = list(range(count))
            orders = [plan.rotated(names, turn) for turn in range(2 * count)]
            for name in names:
                self.assertEqual(sum(order.index(name) for order in orders),
                                 count * (count - 1))
            self.assertEqual({order[0] for order in orders}, set(names))

    def test_what_differs_in_its_channel_only_is_a_group(self):
        some = [self.cell(50, chan=chan, knobs=(("cap", cap),)) for cap in "01"
                for chan in "abc"] + [self.cell(20, chan="d", knobs=(("cap", "0"),))]
        orders = [plan.group_order(some, turn, 7) for turn in range(9)]
        self.assertEqual(orders, [plan.group_order(some, turn, 7) for turn in range(9)])
        for order in orders:
            self.assertEqual({frozenset(cell.name for cell in group) for group in order},
                             {frozenset(cell.name for cell in group)
                              for group in (some[:3], some[3:6], some[6:])})
        self.assertGreater(len({str(order) for order in orders}), 4)
        self.assertGreater(len({str(group) for order in orders for group in order}), 7)


def record(round_, times, group="", **more):
    """A slice that took so many ns for a message in each of its turns."""
    return {"cell": "p/chan:%s" % more.get("chan", "ring"), "pattern": "p", "chan": "ring",
            "knobs": {}, "verdict": "VERIFIED", "round": round_, "group": group,
            "samples": [{"ns": int(1000 * ns), "messages": 1000} for ns in times], **more}


class Figures(unittest.TestCase):
    def summary(self, *records):
        return {cell["chan"]: cell for cell in summary.build({}, records)["cells"]}

    def test_a_round_is_one_figure(self):
        found = self.summary(*(record(turn, [10 + turn] * 5 + [90] * 4)
                               for turn in range(6)))["ring"]
        times = found["ns_per_message"]
        self.assertEqual((times["n"], times["median"]), (6, 12.5))
        self.assertEqual((times["min"], times["max"]), (10, 15))
        self.assertEqual(found["rounds"], 6)

    def test_turns_are_compared_one_by_one(self):
        ours, theirs = [1, 2, 30], [2, 40, 3]
        for group, ratio in (("g", 2), ("h", 1.5), ("", 1.5)):
            found = self.summary(record(0, ours, "g"),
                                 record(0, theirs, group, chan="condvar"))
            self.assertEqual(found["ring"]["ratio"]["median"], ratio)
        # Turns that both had; medians, where one had fewer than half of the other's.
        for more, ratio in ((3, 2), (4, 3 / 5)):
            found = self.summary(record(0, ours + [5] * more, "g"),
                                 record(0, theirs, "g", chan="condvar"))
            self.assertEqual(found["ring"]["ratio"]["median"], ratio)

    def test_two_runs_are_compared_by_the_same_ratios(self):
        runs = []
        for ours in ([1, 2, 30], [30, 2, 1]):
            records = [entry for turn in range(9) for entry in (
                record(turn, ours, str(turn)),
                record(turn, [2, 40, 3], str(turn), chan="condvar"))]
            runs.append(report.facts.of(summary.build({}, records), records))
        changes = {change.name: change for change in compare.compare(*runs, 0.1).changes}
        self.assertEqual(changes["p/chan:ring"].basis, "condvar")
        self.assertEqual(changes["p/chan:ring"].ratio, 1.5)

    def test_steady_is_the_ratio_where_there_is_a_reference(self):
        machine = [1, 3, 2, 1.5, 2.5]  # how slow it is in each round
        rounds = [(turn, str(turn), slow) for turn, slow in enumerate(machine)]
        both = [record(turn, [10 * slow] * 3, group, chan=chan)
                for turn, group, slow in rounds for chan in ("ring", "condvar")]
        found = self.summary(*both)
        self.assertIs(found["ring"]["steady"], True)
        self.assertIs(found["condvar"]["steady"], False)
        alone = self.summary(*(entry for entry in both if entry["chan"] == "ring"))
        self.assertIs(alone["ring"]["steady"], False)
        other = [record(turn, [20 / slow] * 3, group, chan="other")
                 for turn, group, slow in rounds]
        self.assertIs(self.summary(*both, *other)["other"]["steady"], False)

    def test_turns_are_no_rounds(self):
        rounds = [record(turn, [10] * 10, chan=chan) for turn in range(4)
                  for chan in ("ring", "condvar")]
        self.assertEqual([cell["steady"] for cell in self.summary(*rounds).values()],
                         [None, None])
        self.assertIsNone(self.summary(*rounds)["ring"]["ns_per_message"]["ci_low"])
        rounds += [record(4, [10], chan=chan) for chan in ("ring", "condvar")]
        self.assertIs(self.summary(*rounds)["ring"]["steady"], True)

    def test_two_speeds_within_a_round_are_two_modes(self):
        times = [10, 10.1, 20, 20.1, 10.2, 20.2, 20, 10, 20.3, 10.1]
        found = self.summary(*(record(turn, times) for turn in range(5)))["ring"]
        self.assertEqual([mode["share"] for mode in found["modes"]], [0.5, 0.5])
        self.assertEqual([round(mode["ns_per_message"]) for mode in found["modes"]],
                         [10, 20])
        self.assertIs(found["steady"], False)

    def test_a_few_slow_rounds_are_no_mode(self):
        for slow, is_mode in ((1, False), (2, False), (3, True)):
            rounds = [record(turn, [(20 if turn < slow else 10) + turn / 100] * 10)
                      for turn in range(8)]
            self.assertEqual(bool(self.summary(*rounds)["ring"]["modes"]), is_mode)

    def test_rounds_that_differ_are_no_modes_of_their_turns(self):
        slow = [1, 1.2, 1.4, 1.8, 1.8, 1, 1.2, 1.8]
        self.assertIsNone(figures.modes([record(turn, [10 * one] * 10)
                                         for turn, one in enumerate(slow)]))

    def test_turns_of_one_mode_are_rarely_taken_for_two(self):
        rng = random.Random(21)
        for draw in (lambda: rng.lognormvariate(0, 0.1), lambda: rng.uniform(1, 2),
                     lambda: 1 + rng.expovariate(2), lambda: rng.lognormvariate(0, 0.5)):
            for rounds, spread in ((5, 0.0), (9, 0.1)):
                alarms = 0
                for _ in range(60):
                    slow = [rng.lognormvariate(0, spread) for _ in range(rounds)]
                    alarms += bool(figures.modes([
                        record(turn, [draw() * slow[turn] for _ in range(10)])
                        for turn in range(rounds)]))
                self.assertLess(alarms / 60, 0.06)

    def test_an_older_run_reads_as_before(self):
        rounds = [record(turn, [10 + turn]) for turn in range(6)]
        for entry in rounds:
            del entry["group"]
        self.assertEqual(self.summary(*rounds)["ring"]["ns_per_message"]["median"], 12.5)

    def test_costs_are_told_for_a_message_of_the_round(self):
        rounds = [record(turn, [10, 10]) for turn in range(3)]
        for entry in rounds:
            for i, sample in enumerate(entry["samples"]):
                sample.update(parks=500 + 500 * i, wakes=None)
        found = self.summary(*rounds)["ring"]
        self.assertEqual(found["parks_per_message"], 0.75)
        self.assertIsNone(found["wakes_per_message"])


class Rejected(unittest.TestCase):
    def test_a_group_is_disturbed_as_one(self):
        looks = []

        class Seen:
            def begin(self):
                looks.append("begin")

            def end(self):
                return watch.Disturbance(0.5, 0, "x" * (len(looks) == 2))
        some = [cells.Cell("p", chan, (), 50, 5, 0, "s:1") for chan in ("a", "b")]
        answer = binary.Answer(0, json.dumps({
            "verdict": "VERIFIED", "params": {"items": 5},
            "samples": [{"ns": 1000, "messages": 5}] * 10}), "", 0.1, False)
        records = []
        with unittest.mock.patch.object(turns, "run",
                                        lambda members, *_: [answer] * len(members)):
            found = runner.Runner(unittest.mock.Mock(asleep=0), some, 1, 60, None,
                                  records.append, unittest.mock.Mock(),
                                  unittest.mock.Mock(signal=None), (), Seen())
            found.by_turns = True
            found.run()
        self.assertEqual(looks, ["begin"] * 5)
        self.assertEqual([entry["round"] for entry in records if entry.get("rejected")],
                         [1, 1])
        self.assertEqual({len(entry["rejected"]["samples"]) for entry in records
                          if entry.get("rejected")}, {10})
        self.assertEqual({entry["rejected"] for entry in summary.build(
            {}, records)["cells"]}, {10})


class Runs(FakeRuns):
    """Whole sweeps over the fake."""

    TEXT = "rounds=2\nlatency=1\npattern=pipeline cap=0"

    def records(self):
        lines = (self.run_folder() / "samples.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines[1:]]

    def calls(self):
        return [line for line in (self.dir / "log").read_text().splitlines()
                if line.startswith("run ")]

    def test_the_channels_of_a_cell_take_turns(self):
        # So long a slice that it is not over before ten turns of the fake.
        self.sweep("time=9000\n" + self.TEXT, channels="condvar,alpha")
        words = (self.dir / "turns").read_text().split("\n")[:-1]
        # The first slice of a cell is one repetition.
        self.assertEqual([word.split()[1] for word in words[:4]], ["0", "0", "end", "end"])
        chans, told = zip(*(word.split() for word in words[4:]))
        self.assertEqual(told, (*(str(turn // 2) for turn in range(20)), "end", "end"))
        pairs = [chans[i:i + 2] for i in range(0, 20, 2)]
        self.assertEqual({frozenset(pair) for pair in pairs},
                         {frozenset(("condvar", "alpha"))})
        self.assertEqual(pairs.count(("condvar", "alpha")), 5)
        for call, how in zip(self.calls(), 2 * ["--time=2250 --reps=1 "]
                             + 2 * ["--time=900 --reps=10 "]):
            self.assertRegex(call, how + ".*--turns")
        records = self.records()
        self.assertEqual([len(entry["samples"]) for entry in records], [1, 1, 10, 10])
        self.assertEqual(len({entry["group"] for entry in records}), 2)
        for cell in self.read()["cells"]:
            self.assertEqual(cell["messages_per_second"]["n"], 2)
        rows = [row for row in self.read("benchmark.json")["benchmarks"]
                if row["run_type"] == "iteration"]
        self.assertEqual([(row["repetitions"], row["iterations"]) for row in rows],
                         [(2, 1000), (2, 10000)] * 2)

    def test_an_older_weft_measures_whole_slices(self):
        self.sweep(self.TEXT, channels="condvar,alpha", FAKE_TURNS="")
        for call in self.calls():
            self.assertIn("--time=50 --reps=1 ", call)
            self.assertNotIn("--turns", call)
        self.assertEqual([len(entry["samples"]) for entry in self.records()], [1] * 4)
        self.assertEqual({entry.get("group") for entry in self.records()}, {None})

    def test_the_others_go_on_when_one_hangs_or_crashes(self):
        self.sweep(self.TEXT, "--slice-timeout=2", status=1,
                   channels="alpha,stuck,quits,picky,beta")
        cells_ = {cell["chan"]: cell for cell in self.read()["cells"]}
        self.assertEqual({chan: cell["verdict"] for chan, cell in cells_.items()}, {
            "alpha": "VERIFIED", "beta": "VERIFIED", "stuck": "HUNG", "quits": "CRASHED",
            "picky": "N/A"})
        for chan in ("alpha", "beta"):
            slices = [entry for entry in self.records() if entry["chan"] == chan]
            self.assertEqual([bool(entry["samples"]) for entry in slices], [True, True])

    def test_of_a_group_that_was_cut_off_the_rest_is_measured(self):
        self.sweep(self.TEXT, "--seed=3", channels="condvar,alpha,beta")
        whole = self.run_folder()
        partial = whole.rename(whole.with_name(whole.name + ".partial"))
        lines = (partial / "samples.jsonl").read_text().splitlines(True)
        (partial / "samples.jsonl").write_text("".join(lines[:-2]))
        (self.dir / "log").unlink()
        self.sweep(self.TEXT, "--resume", channels="condvar,alpha,beta")
        self.assertEqual(len(self.calls()), 2)
        records = self.records()
        self.assertEqual([entry["cell"] for entry in records],
                         [json.loads(line)["cell"] for line in lines[1:]])
        self.assertEqual([len({entry["group"] for entry in records
                               if entry["round"] == turn}) for turn in (0, 1)], [1, 2])
        for cell in self.read()["cells"]:
            self.assertEqual(cell["rounds"], 2)
            if cell["chan"] != "condvar":
                self.assertEqual(cell["ratio"]["n"], 2)

    def test_a_chatty_one_is_heard_out(self):
        self.sweep(self.TEXT, channels="alpha,verbose")
        self.assertEqual(self.read()["verdicts"], {"VERIFIED": 2})


if __name__ == "__main__":
    unittest.main()
