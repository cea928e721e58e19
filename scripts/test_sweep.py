#!/usr/bin/env python3
"""Tests of sweep.py, plot.py and what they share, against fake_weft.py.

    python3 scripts/test_sweep.py
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

from fixture import PATIENCE, FakeRuns  # noqa: E402
from weftlib import (Problem, binary, cells, cgroup, child, context, figures,  # noqa: E402
                     plan, ratios, runner, stats, steady, summary, sweepfile, watch)

PATTERNS = [{"name": "pipeline", "knobs": [
    {"name": "workers", "unit": "tasks", "min": 1, "max": 64, "sweep": [1, 2, 4]},
    {"name": "cap", "unit": "messages", "min": 0, "max": 4096},
    {"name": "wait", "min": 0, "max": 0}]},
    {"name": "pc", "knobs": [{"name": "producers"}, {"name": "consumers"}]}]
CHANNELS = [{"name": "alpha"}, {"name": "beta"}]


def build(text, **more):
    return cells.build(sweepfile.parse(text, "s"), PATTERNS, CHANNELS, **more)


def build_own(name):
    """The lines of a sweep of ours, each as one cell of a pattern without knobs."""
    sweep = sweepfile.load(sweepfile.find(name))
    for line in sweep.lines:
        line.knobs, line.chans = [], ["alpha"]
        line.patterns = ["p%d" % line.number]
    return cells.build(sweep, [{"name": "p%d" % line.number} for line in sweep.lines],
                       CHANNELS)


class SweepFiles(unittest.TestCase):
    def refused(self, text, *parts):
        with self.assertRaises(Problem) as caught:
            build(text)
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_lists_multiply(self):
        found = build("rounds = 2 # twice\npattern = pipeline workers=1, 2 cap=0,64")
        self.assertEqual(len(found), 8)
        self.assertEqual(found[0].name, "pipeline/chan:alpha/workers:1/cap:0")
        self.assertEqual({cell.rounds for cell in found}, {2})

    def test_names_follow_the_patterns_order_of_knobs(self):
        self.assertEqual(build("pattern=pipeline chan=beta cap=0 workers=2")[0].name,
                         "pipeline/chan:beta/workers:2/cap:0")

    def test_coupled_knobs_are_equal(self):
        found = build("pattern=pc chan=alpha producers+consumers=1,4")
        self.assertEqual([cell.knobs for cell in found],
                         [(("producers", n), ("consumers", n)) for n in "14"])

    def test_star_takes_the_knobs_own_list(self):
        self.assertEqual(len(build("pattern=pipeline chan=alpha workers=*")), 3)

    def test_no_repetition_has_more_items_than_the_knob_allows(self):
        self.assertEqual(build("pattern=pipeline chan=alpha cap=1")[0].most_items, 1 << 25)
        knobs = [{"name": "items", "min": 0, "max": 70}]
        found, = cells.build(sweepfile.parse("pattern=p chan=a", "s"),
                             [{"name": "p", "knobs": knobs}], [{"name": "a"}])
        self.assertEqual(found.most_items, 70)

    def test_line_settings_and_overrides(self):
        text = "time=9\npattern=pipeline chan=alpha cap=1 time=60 rounds=3"
        self.assertEqual((build(text)[0].time_ms, build(text)[0].rounds), (60, 3))
        self.assertEqual(build(text, override={"time": 5})[0].time_ms, 5)

    def test_latency_may_have_a_length_of_its_own(self):
        text = "latency_time=700\npattern=pipeline chan=alpha cap=1 latency_items=9"
        self.assertEqual([(cell.latency_ms, cell.latency_items) for cell in build(text)],
                         [(700, 9)])
        plain, = build("pattern=pipeline chan=alpha cap=1")
        self.assertEqual((plain.latency_ms, plain.latency_items), (0, 0))
        self.refused("latency_time=0\n" + text[17:], "s:1", "latency_time=0", "1 to 60000")

    def test_the_default_tells_medians_of_latencies(self):
        self.assertGreaterEqual(min(cell.latency for cell in build_own("default")), 3)

    def test_the_full_one_measures_latency_for_long(self):
        for cell in build_own("full"):
            self.assertGreaterEqual(cell.latency * cell.latency_ms, 2000)
            self.assertGreaterEqual(cell.latency * cell.latency_items, 100000)

    def test_loaded_channels_join_every_line(self):
        found = build("pattern=pipeline chan=beta cap=1", loaded=[("mine", "m.so")])
        self.assertEqual([(cell.chan, cell.load) for cell in found],
                         [("beta", ""), ("mine", "m.so")])

    def test_bad_lines_name_place_value_and_what_is_allowed(self):
        line = "pattern=pipeline "
        self.refused("\n" + line + "workers=0", "s:2", "workers=0", "from 1 to 64")
        self.refused(line + "workers=x", "s:1", "workers=x")
        self.refused(line + "sides=1", "s:1", "sides", "workers, cap")
        self.refused(line + "chan=gamma", "s:1", "gamma", "alpha, beta")
        self.refused("pattern=nope", "s:1", "nope", "pipeline, pc")
        self.refused(line + "workers", "s:1", "'workers'", "key=value")
        self.refused(line + "workers=1,,2", "s:1", "workers=1,,2")
        self.refused(line + "workers=1,1", "s:1", "twice")
        self.refused(line + "workers=1 workers=2", "s:1", "twice")
        self.refused(line + "budget=5", "s:1", "budget")
        self.refused("rounds=0\n" + line, "s:1", "rounds=0", "1 to 1000")
        self.refused("round=3\n" + line, "s:1", "round", "rounds, most, time")
        self.refused(line + "seed=3", "s:1", "--seed")
        self.refused(line + "cap=*", "s:1", "cap=*")
        self.refused(line + "cap=1\n" + line + "cap=1,2", "s:2", "s:1")
        self.refused("# nothing\n", "pattern=NAME")

    def test_words_are_not_checked_as_numbers(self):
        self.assertEqual(len(build("pattern=pipeline chan=alpha wait=spin,park")), 2)

    def test_own_sweeps_parse_and_state_a_budget(self):
        for name, limit in (("quick", 30), ("default", 300), ("full", 21601)):
            sweep = sweepfile.load(sweepfile.find(name))
            self.assertLess(sweep.settings["budget"], limit)


class Scales(unittest.TestCase):
    """Values that depend on the number of CPUs."""

    def values(self, text, cpus):
        return [cell.knobs[0][1] for cell in build(
            "pattern=pipeline chan=alpha workers=" + text, cpus=cpus)]

    def test_a_range_doubles_up_to_its_end(self):
        self.assertEqual(self.values("1..4cpus", 2), ["1", "2", "4", "8"])
        self.assertEqual(self.values("1..4cpus", 3), ["1", "2", "4", "8", "12"])
        self.assertEqual(self.values("2..2,cpus,16cpus", 4), ["2", "4", "64"])
        self.assertEqual(self.values("1..4cpus,4", 1), ["1", "2", "4"])

    def test_many_cpus_ask_for_no_more_than_there_can_be(self):
        self.assertEqual(self.values("16cpus", 8), ["64"])
        self.assertEqual(self.values("1..4cpus,16cpus", 24),
                         ["1", "2", "4", "8", "16", "32", "64"])

    def test_what_is_too_large_is_refused(self):
        for value in ("128", "1..128"):
            with self.assertRaisesRegex(Problem, "workers=128: must be a whole number"):
                self.values(value, 8)
        with self.assertRaisesRegex(Problem, "workers=1..4gpus"):
            self.values("1..4gpus", 8)

    def test_lists_that_meet_share_their_cells(self):
        text = "pattern=pipeline chan=alpha workers=2\npattern=pipeline chan=alpha workers=%s"
        self.assertEqual(len(build(text % "1..cpus", cpus=2)), 2)
        with self.assertRaisesRegex(Problem, "stands there already"):
            build(text % "1,2", cpus=2)


class Plans(unittest.TestCase):
    def cells(self, count, **more):
        values = dict(time_ms=50, rounds=7, latency=2, where="s:1")
        values.update(more)
        return [cells.Cell("p", "c%d" % i, (), **values) for i in range(count)]

    def parts(self, by_turns, some, seed=42):
        """The names in each part of seven rounds."""
        found = runner.Runner(unittest.mock.Mock(asleep=0), some, seed, 60, None, None,
                              None, None)
        found.by_turns = by_turns
        return [[[cell.name for cell in part] for part in found.parts(turn)]
                for turn in range(7)]

    def test_order_is_seeded_balanced_and_differs_between_rounds(self):
        some = self.cells(20)
        for by_turns in (False, True):
            orders = [sum(parts, []) for parts in self.parts(by_turns, some)]
            self.assertEqual(orders, [sum(p, []) for p in self.parts(by_turns, some)])
            self.assertNotEqual(orders[0], sum(self.parts(by_turns, some, 43)[0], []))
            self.assertNotEqual(orders[0], orders[1])
            for order in orders:
                self.assertCountEqual(order, [cell.name for cell in some])

    def test_cells_with_fewer_rounds_leave_earlier(self):
        some = self.cells(3) + self.cells(1, rounds=2, where="s:2")
        for by_turns in (False, True):
            self.assertEqual([len(sum(parts, [])) for parts in self.parts(by_turns, some)],
                             [4, 4, 3, 3, 3, 3, 3])

    def test_only_turns_put_cells_together(self):
        some = self.cells(3)
        self.assertEqual([len(parts) for parts in self.parts(False, some)], [3] * 7)
        self.assertEqual([len(parts) for parts in self.parts(True, some)],
                         [1] * 7)

    def test_budget_shrinks_slices_then_rounds_but_not_below_three(self):
        easy, _ = plan.fit(self.cells(10), 1000)
        self.assertEqual((easy[0].time_ms, easy[0].rounds), (50, 7))
        shorter, _ = plan.fit(self.cells(100), 50)
        self.assertLess(shorter[0].time_ms, 50)
        self.assertLessEqual(plan.estimate(shorter), 50)
        fewer, _ = plan.fit(self.cells(100), 20)
        self.assertLessEqual(plan.estimate(fewer), 20)
        self.assertLess(fewer[0].rounds, 7)
        least, _ = plan.fit(self.cells(100), 1)
        self.assertEqual((least[0].time_ms, least[0].rounds), (plan.SHORTEST_MS, 3))

    def test_with_a_shortest_slice_the_last_of_the_highest_rank_are_left_out(self):
        first, second, third = ([cells.Cell("p", chan, (("cap", str(cap)),), 50, 7, 2,
                                            "s:%d" % rank, rank=rank)
                                 for cap in range(5) for chan in "abcd"]
                                for rank in (0, 2, 1))
        some = first + second + third
        kept, left_out = plan.fit(some, 40, 50)
        self.assertEqual(kept[0].time_ms, 50)
        self.assertLessEqual(plan.estimate(kept), 40)
        self.assertGreater(plan.estimate(some[:len(kept) + 4]), 40)
        self.assertEqual(kept, [cell for cell in some if cell in kept])
        self.assertEqual(left_out, [cell.name for cell in some if cell not in kept])
        self.assertTrue(set(first) <= set(kept))
        self.assertTrue(set(third) <= set(kept) or not set(second) & set(kept))
        # A row is there with all its channels, or not at all.
        rows = {}
        for cell in kept:
            rows.setdefault((cell.rank, cell.knobs), set()).add(cell.chan)
        self.assertEqual(set(map(len, rows.values())), {4})
        self.assertLess(5, len(rows))
        self.assertLess(len(rows), 15)

    def test_rank_0_is_never_left_out(self):
        kept, left_out = plan.fit(self.cells(100), 20, 50)
        self.assertEqual((len(kept), left_out), (100, []))
        self.assertLessEqual(plan.estimate(kept), 20)

    def test_a_part_of_the_budget_is_kept_for_what_is_not_steady(self):
        kept, _ = plan.fit(self.cells(100, most=21), 50)
        self.assertLessEqual(plan.estimate(kept), 50 * (1 - plan.RESERVE))

    def test_latency_of_its_own_length_is_counted_and_does_not_shrink(self):
        short, long = self.cells(1)[0], self.cells(1, latency_ms=700)[0]
        self.assertAlmostEqual(
            plan.slice_seconds(long, 0) - plan.slice_seconds(short, 0), 0.65 * plan.STRETCH)
        self.assertEqual(plan.slice_seconds(long, 1), plan.slice_seconds(short, 1))
        some = self.cells(10, latency_ms=700)
        budget = 0.8 * plan.estimate(some)
        fitted, _ = plan.fit(some, budget)
        self.assertLessEqual(plan.estimate(fitted), budget)
        self.assertLess(fitted[0].time_ms, 50)
        self.assertEqual(fitted[0].latency_ms, 700)

    def test_latency_rounds_are_spread_and_start_with_the_first(self):
        cell = self.cells(1)[0]
        self.assertEqual([t for t in range(7) if cell.measures_latency(t)], [0, 3])
        silent = self.cells(1, latency=0)[0]
        self.assertFalse(any(silent.measures_latency(t) for t in range(7)))


class MoreRounds(unittest.TestCase):
    """Which cells get more rounds than their own."""

    def five_rounds(self, seconds, most=61, **scatter):
        """One after five rounds of a cell for each channel, whose times scatter so far,
        with time for so much more."""
        made = [cells.Cell("p", chan, (), 50, 5, 0, "x:1", most=most) for chan in scatter]
        found = runner.Runner(unittest.mock.Mock(asleep=0), made, 1, 60, 0, None, None,
                              None)
        found.cost = sum(plan.slice_seconds(cell, 1) for cell in made) * 5
        found.begun = found.now() - found.cost
        found.budget = found.cost + seconds
        for cell in made:
            spread = scatter[cell.chan]
            found.told[cell.name] = [
                {"round": turn, "times": [100 * (1 + spread * part)]}
                for turn, part in enumerate((-1, 0, 0.1, -0.1, 1))]
        return found

    def chosen(self, *args, **more):
        return [cell.chan for cell in self.five_rounds(*args, **more).wanted(5)]

    def test_what_is_known_gets_none(self):
        self.assertEqual(self.chosen(60, calm=0.01, wild=0.1), ["wild"])

    def test_those_that_time_makes_known_come_first(self):
        self.assertEqual(self.chosen(2, near=0.1, far=0.2), ["near"])
        self.assertEqual(self.chosen(4, near=0.1, far=0.2), ["near", "far"])

    def test_then_those_that_it_makes_steady(self):
        # 0.11 and 0.15 take 8 and 18 rounds to be known, 2 and 7 to be steady.
        self.assertEqual(self.chosen(0.35, near=0.11, far=0.15), ["near"])

    def test_and_then_all(self):
        self.assertEqual(self.chosen(0.1, near=0.11, far=0.15), ["near", "far"])
        self.assertEqual(self.chosen(60, most=6, near=0.11, far=0.15), ["near", "far"])

    def test_a_round_from_before_an_interruption_has_what_it_had(self):
        found = self.five_rounds(60, near=0.1, far=0.1)
        near, far = found.cells
        found.done, found.last_done = {(far.name, 5): {}, (far.name, 6): {}}, 6
        self.assertEqual(found.wanted(5), [far])
        self.assertEqual(found.wanted(6), [near, far])
        self.assertTrue(found.another_fits(5))

    def test_the_last_round_says_how_long_the_next_one_takes(self):
        """The first takes several times as long."""
        found = self.five_rounds(0, near=0.1)
        found.begun, found.budget = found.now() - 100, 110
        for took, fits in ((5, True), (15, False), (None, False)):
            found.round_took = took
            self.assertEqual(found.another_fits(5), fits)

    def test_what_can_not_be_told_any_more_gets_none(self):
        """Its reference hung."""
        found = self.five_rounds(60, condvar=0.01, wild=0.2)
        reference, wild = found.cells
        self.assertEqual(found.wanted(5), [reference, wild])
        found.over.add(reference.name)
        self.assertEqual(found.wanted(5), [])


class Limits(unittest.TestCase):
    """How long a slice may take, and which time counts."""

    def limit(self, text, patience=60):
        patterns = [{"name": "p", "knobs": [
            {"name": name, "unit": unit, "default": default} for name, unit, default in (
                ("stages", "", 3), ("slow", "", 1), ("work", "ns", 0),
                ("prod_work", "ns", 0))]}]
        cell, = cells.build(sweepfile.parse(text, "s"), patterns, [{"name": "ring"}])
        return plan.slice_limit(cell, patience)

    def test_it_is_patience_beyond_what_was_asked(self):
        self.assertLess(self.limit("pattern=p time=1"), 61)
        minute = self.limit("pattern=p time=60000")
        self.assertGreater(minute, 60 + 3 * 60)  # a search, a run and latency
        self.assertGreater(self.limit("pattern=p time=60000 utilization=10"), 2 * minute)

    def test_latency_may_take_far_longer(self):
        self.assertGreater(self.limit("latency_time=700\npattern=p time=1"), 60 + 3 * 1.4)
        self.assertGreater(self.limit(
            "latency_time=700\nlatency_items=9\npattern=p time=1"), 60 + 3 * 14)

    def test_it_grows_with_the_work(self):
        # 2,000 items of a millisecond, in each of three stages
        self.assertGreater(self.limit("pattern=p work=1000000"), 60 + 3 * 6)
        self.assertGreater(self.limit("pattern=p work=1000000 slow=10"), 60 + 3 * 60)
        self.assertGreater(self.limit("pattern=p prod_work=1000000 stages=1"), 60 + 3 * 2)
        self.assertGreater(self.limit("pattern=p work=1000 items=1000000"), 60 + 3 * 3)

    def talk(self, looks, seconds):
        """What `child.talk` makes of a child that is looked at once for each of
        `looks`: the seconds that passed, and whether it had ended."""
        now, looks = [0.0], iter(looks)

        class Child:
            def communicate(self, text=None, timeout=None):
                took, ended = next(looks)
                now[0] += timeout if took is None else took
                if ended:
                    return "out", "err"
                raise subprocess.TimeoutExpired("child", timeout)
        with unittest.mock.patch.object(child.time, "monotonic", lambda: now[0]):
            return child.talk(Child(), seconds)

    def test_a_child_that_reads_late_gets_all_it_is_told(self):
        text = b"x" * 1000000  # more than a pipe holds
        with subprocess.Popen(["sh", "-c", "sleep %g; wc -c" % (2 * child.LOOK_SECONDS)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as slow:
            try:
                out, _, _ = child.talk(slow, PATIENCE, text)
            finally:
                slow.kill()
        self.assertEqual(out.strip(), b"1000000")

    def test_a_child_that_reads_nothing_may_end(self):
        with subprocess.Popen(["sh", "-c", "echo no"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as deaf:
            self.assertEqual(child.talk(deaf, PATIENCE, b"x" * 1000000)[0], b"no\n")

    def test_a_child_that_does_not_end_is_given_up(self):
        with self.assertRaises(subprocess.TimeoutExpired):
            self.talk([(None, False)] * 4, 1.5)

    def test_a_stop_counts_as_one_look(self):
        self.assertEqual(self.talk([(None, False), (3600, False), (None, True)], 1.5),
                         ("out", "err", 3600 - child.LOOK_SECONDS))

    def test_an_answer_by_the_last_look_counts(self):
        self.assertEqual(self.talk([(None, False), (60, False), (0, True)], 1.0)[:2],
                         ("out", "err"))


class Disturbed(unittest.TestCase):
    """Slices beside which others had the CPUs."""

    def seen(self, **ticks):
        """What is seen of 100 ticks on 2 CPUs."""
        before = watch.Times(1000, 50, 300, 2000)
        after = watch.Times(*(old + ticks.get(key, 0) for key, old in
                              zip(watch.Times._fields, before)))._replace(all=2100)
        looks = iter((before, after))
        found = watch.Watch(lambda: next(looks), 2)
        found.begin()
        return found.end()

    def test_what_was_busy_and_not_ours_is_foreign(self):
        found = self.seen(busy=90, own=60)
        self.assertEqual((found.foreign, found.steal), (0.3, 0))
        self.assertEqual(found.why, "other processes had 30 % of the CPU time")
        found = self.seen(busy=60, own=60, steal=20)
        self.assertEqual((found.foreign, found.steal), (0, 0.2))
        self.assertEqual(found.why, "the hypervisor kept 20 % of the CPU time")

    def test_what_the_counters_may_be_off_by_spoils_nothing(self):
        self.assertEqual(self.seen(busy=74, own=60).why, "")
        self.assertNotEqual(self.seen(busy=75, own=60).why, "")
        self.assertEqual(self.seen(steal=7).why, "")
        self.assertNotEqual(self.seen(steal=8).why, "")
        self.assertEqual(self.seen(busy=60, own=70).foreign, 0)

    def test_what_cannot_be_seen_is_not_known(self):
        for looks in ([None, None], [watch.Times(1, 1, 1, 1), None],
                      [watch.Times(1, 1, 1, 1)] * 2):
            looks = iter(looks)
            blind = watch.Watch(lambda: next(looks), 2)
            blind.begin()
            self.assertIsNone(blind.end())

    def run_(self, spoilt, done=(), **more):
        """The records of a cell of five rounds; those in `spoilt` are disturbed."""
        class Fake:
            asleep = 0

            def run(self, args, _limit):
                latency = None if "--latency=0" in args else {"p50": 1, "max": 2}
                return binary.Answer(0, json.dumps({
                    "verdict": "VERIFIED", "params": {"items": 5}, "latency_ns": latency,
                    "samples": [{"ns": 1000, "messages": 5}],
                    "messages_per_second": 5e6}), "", 0.1, False)

        class Seen:
            turn = len(done) - 1

            def begin(self):
                self.turn += 1

            def end(self):
                return watch.Disturbance(0.5, 0, "x" * (self.turn in spoilt))
        cell = cells.Cell("p", "ring", (), 50, 5, 1, "s:1", **more)
        records, progress = list(done), unittest.mock.Mock()
        runner.Runner(Fake(), [cell], 1, 60, None, records.append, progress,
                      unittest.mock.Mock(signal=None), done, Seen()).run()
        return records

    def told(self, records):
        cell, = summary.build({}, records)["cells"]
        return cell["rounds"], cell["rejected"], cell["disturbed"]

    def test_a_disturbed_slice_is_not_used_but_kept(self):
        records = self.run_({2})
        self.assertEqual(self.told(records), (4, 1, 0))
        self.assertEqual(records[2]["samples"], [])
        self.assertIsNone(records[2]["messages_per_second"])
        self.assertEqual(records[2]["rejected"], {
            "why": "x", "samples": [{"ns": 1000, "messages": 5}],
            "messages_per_second": 5e6})
        self.assertEqual(figures.rejected(records), 1)
        self.assertEqual(figures.rejected(self.run_(set())), 0)
        self.assertIsNone(figures.rejected([{}]))

    def test_three_of_the_first_rounds_are_used_at_least(self):
        self.assertEqual(self.told(self.run_(set(range(5)))), (3, 2, 3))

    def test_another_round_takes_its_place(self):
        self.assertEqual(self.told(self.run_({0, 3}, most=21)), (5, 2, 0))
        self.assertEqual(self.told(self.run_({0, 1, *range(5, 20)}, most=21)), (4, 17, 0))

    def test_latency_is_measured_again(self):
        records = self.run_({0})
        self.assertEqual([bool(entry["latency_ns"]) for entry in records],
                         [False, True, False, False, False])
        records = self.run_({0, 1, 2, 3, 4})
        self.assertEqual([bool(entry["latency_ns"]) for entry in records],
                         [False, False, True, False, False])

    def test_a_resumed_run_knows_what_was_rejected(self):
        for cut in range(5):
            before = self.run_(set(range(5)))
            records = self.run_(set(range(5)), before[:cut])
            self.assertEqual([bool(entry.get("rejected")) for entry in records],
                             [True, True, False, False, False])
            self.assertEqual([bool(entry["latency_ns"]) for entry in records],
                             [False, False, True, False, False])

    def test_this_machine_tells_its_times(self):
        before = watch.now()
        if before is None:
            self.skipTest("this system does not tell its CPU times")
        self.assertGreater(before.busy, 0)
        self.assertLessEqual(before.busy, watch.now().busy)


class Statistics(unittest.TestCase):
    def test_quantiles(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 2, 3]), 2.5)
        self.assertEqual(stats.quantile([1, 2, 3, 4, 5], 0.25), 2)

    def test_ranks_match_the_binomial_tables(self):
        ranks = [(stats.sign_test_rank(n, level) or (0, 0))[0] for n, level in (
            (5, .95), (6, .95), (7, .99), (8, .99), (11, .999), (21, .95),
            (21, .98), (31, .95), (31, .98), (41, .95), (41, .98), (41, .99))]
        self.assertEqual(ranks, [0, 1, 0, 1, 1, 6, 5, 10, 9, 14, 13, 12])
        self.assertAlmostEqual(stats.sign_test_rank(6)[1], 1 - 2 / 64)

    def test_steady_is_a_median_that_is_known(self):
        self.assertIsNone(steady.is_steady([100] * 4))
        self.assertIs(steady.is_steady([100, 101, 104, 96, 99]), True)
        self.assertIs(steady.is_steady([100, 101, 112, 96, 99]), True)
        self.assertIs(steady.is_steady([100, 101, 112, 96, 99], steady.KNOWN), False)
        self.assertIs(steady.is_steady([100, 101, 119, 96, 99]), False)
        # Of 21, the 7th and the 15th count, whatever the others are.
        self.assertIs(steady.is_steady([1] * 3 + [100 + i / 10 for i in range(15)]
                                      + [900] * 3), True)

    def test_how_many_more_rounds_it_takes(self):
        self.assertEqual(steady.further([100] * 2, 0.07), 3)
        calm = [98, 99, 100, 101, 102] * 4
        self.assertEqual(steady.further(calm, 0.07), 1)
        # 20 of them reach 1 % to either side; a quarter of that takes 16 times as many.
        self.assertAlmostEqual(steady.known_to(calm), 0.01)
        self.assertEqual(steady.further(calm, 0.0025), 15 * 20)
        with_modes = [{"round": turn, "times": [100 + 100 * (turn % 2)]}
                      for turn in range(12)]
        self.assertIsNone(figures.further(with_modes, [], 0.07))

    def test_what_can_be_known_in_the_time_is_seen_to_first(self):
        needs = [plan.Need("far", 50, 1.0), plan.Need("near", 3, 1.0),
                 plan.Need("dear", 4, 10.0), plan.Need("next", 5, 1.0)]
        self.assertEqual(plan.affordable(needs, 10), {"near", "next"})
        self.assertEqual(plan.affordable(needs, 7), {"near"})
        self.assertEqual(plan.affordable(needs, 2), set())
        self.assertEqual(plan.affordable(needs, 48), {"near", "next", "dear"})

    def test_a_reference_serves_all_that_are_told_against_it(self):
        needs = [plan.Need(name, 4, 1.0, "it") for name in "abc"]
        self.assertEqual(plan.affordable(needs, 8), {"a"})  # 4 and 4, then 4 each
        self.assertEqual(plan.affordable(needs, 12), {"a", "b"})
        # Nor does it need rounds of its own beside these, nor they beside its own.
        needs.append(plan.Need("it", 3, 1.0))
        self.assertEqual(plan.affordable(needs, 16), {"a", "b", "c", "it"})
        self.assertEqual(plan.affordable(needs, 15), {"a", "b", "it"})

    def test_two_modes_are_told_with_their_shares(self):
        fast, slow = [100, 101, 103, 99, 102, 100], [300, 305, 298]
        found = steady.modes(fast + slow)
        self.assertEqual([(mode["median"], mode["n"]) for mode in found],
                         [(100.5, 6), (300, 3)])
        self.assertAlmostEqual(found[0]["share"], 6 / 9)
        self.assertIs(steady.is_steady([100] * 20 + [300] * 4), False)

    def test_a_few_outliers_are_no_mode(self):
        self.assertIsNone(steady.modes([100, 101, 103, 99, 102, 100, 98, 104, 300, 305]))
        self.assertIsNone(steady.modes([100] * 5 + [108] * 5))  # nor is what is near
        self.assertIsNone(steady.modes([100, 300] * 3))  # nor are so few

    def test_samples_of_one_mode_are_rarely_taken_for_two(self):
        rng = random.Random(20)
        for draw in (lambda: rng.lognormvariate(0, 0.1), lambda: rng.uniform(1, 2),
                     lambda: 1 + rng.expovariate(2), lambda: rng.lognormvariate(0, 0.5)):
            for n in (8, 21):
                alarms = sum(bool(steady.modes([draw() for _ in range(n)]))
                             for _ in range(500))
                self.assertLess(alarms / 500, 0.03)
        found = sum(bool(steady.modes([rng.lognormvariate(0, 0.03) * (1 + i % 2)
                                      for i in range(12)])) for _ in range(200))
        self.assertGreater(found / 200, 0.9)

    def test_description(self):
        found = stats.describe([10, 12, 11, 9, 13, 30])
        self.assertEqual((found["median"], found["min"], found["max"]), (11.5, 9, 30))
        self.assertEqual((found["ci_low"], found["ci_high"]), (9, 30))
        self.assertIsNone(stats.describe([1, 2])["ci_low"])
        self.assertIsNone(stats.describe([]))

    def test_an_inverse_never_contradicts_what_it_is_of(self):
        for times in ([81.0, 16e6], [1, 2, 3, 40], [5, 6, 7], list(range(1, 9))):
            time, rate = stats.describe(times), stats.inverse(stats.describe(times), 1e9)
            for one, other in (("median", "median"), ("min", "max"), ("q1", "q3"),
                               ("ci_low", "ci_high")):
                for a, b in ((time[one], rate[other]), (time[other], rate[one])):
                    self.assertEqual(b, a and 1e9 / a)
        self.assertIsNone(stats.inverse(None, 1))

    def test_three_digits(self):
        self.assertEqual([stats.three_digits(v) for v in (
            0.08123, 0.9996, 1.234, 12.34, 99.96, 1234.5, 0, None)],
            ["0.0812", "1.00", "1.23", "12.3", "100", "1234", "0", "-"])


class Context(unittest.TestCase):
    def test_cpu_names_become_slugs(self):
        for cpu, slug in (("Intel(R) Xeon(R) CPU E5-2676 v3 @ 2.40GHz",
                           "intel-xeon-e5-2676-v3-4c"),
                          ("AMD EPYC 7763 64-Core Processor", "amd-epyc-7763-4c"),
                          ("", "unknown-4c")):
            self.assertEqual(context.cpu_slug({"cpu": cpu, "cpus_online": 4}), slug)

    def test_steal_is_a_share_of_busy_time_and_never_negative(self):
        before = {"busy": 100, "idle": 0, "steal": 5}
        after = {"busy": 190, "idle": 900, "steal": 15}
        self.assertEqual(context.steal(before, after)["share_of_busy"], 0.1)
        self.assertEqual(context.steal(after, before)["jiffies"], 0)
        self.assertEqual(context.steal(None, after), "unknown")


class Commits(unittest.TestCase):
    """Which repository's commit a run is said to be of."""

    def setUp(self):
        self.dir = Path(os.path.realpath(tempfile.mkdtemp(prefix="weft-test-")))
        self.addCleanup(shutil.rmtree, self.dir)
        self.tree = self.dir / "tree"
        shutil.copytree(SCRIPTS, self.tree / "scripts",
                        ignore=shutil.ignore_patterns("__pycache__"))

    def git(self, folder, *args):
        env = {key: value for key, value in os.environ.items() if key[:4] != "GIT_"}
        done = subprocess.run(
            ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@x", *args],
            check=True, capture_output=True, text=True, env=env)
        return done.stdout.strip()

    def repository(self, folder, *files):
        """A new one with a commit of these files, whose name is returned."""
        self.git(folder, "init", "-q")
        self.git(folder, "add", "--", ".gitignore" if not files else files[0])
        self.git(folder, "commit", "-q", "-m", "x")
        return self.git(folder, "rev-parse", "--short=7", "HEAD")

    def other(self, folder):
        (folder / ".gitignore").write_text("")
        return self.repository(folder)

    def state(self, **env):
        """What the scripts in the tree say."""
        done = subprocess.run(
            [sys.executable, "-c", "import json; from weftlib import context; "
             "print(json.dumps(context.git_state()))"], cwd=self.dir,
            capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(self.tree / "scripts"), **env})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    UNKNOWN = {"commit": "unknown", "dirty": "unknown"}

    def test_a_repository_around_the_tree_is_another(self):
        self.other(self.dir)
        self.assertEqual(self.state(), self.UNKNOWN)

    def test_a_repository_that_does_not_have_the_scripts_is_another(self):
        self.other(self.tree)
        self.assertEqual(self.state(), self.UNKNOWN)

    def test_the_environment_names_no_repository(self):
        (self.dir / "other").mkdir()
        self.other(self.dir / "other")
        hook = {"GIT_DIR": str(self.dir / "other/.git"), "GIT_WORK_TREE": str(self.tree),
                "GIT_INDEX_FILE": str(self.dir / "other/.git/index")}
        self.assertEqual(self.state(**hook), self.UNKNOWN)
        own = {"commit": self.repository(self.tree, "scripts"), "dirty": False}
        self.assertEqual(self.state(**hook), own)
        self.assertEqual(self.state(GIT_CEILING_DIRECTORIES="/", GIT_PREFIX="x/"), own)

    def test_changes_show_whatever_they_are_called(self):
        odd = self.tree / os.fsdecode(b"scripts/\xe9")
        odd.write_text("a")
        commit = self.repository(self.tree, "scripts")
        self.git(self.tree, "config", "core.quotePath", "false")
        self.assertEqual(self.state(), {"commit": commit, "dirty": False})
        odd.write_text("b")
        self.assertEqual(self.state(), {"commit": commit, "dirty": True})


class Cgroups(unittest.TestCase):
    """Quotas in a made-up /proc and /sys."""

    V1 = "36 32 0:31 %s /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    V2 = "30 25 0:26 %s /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"

    def root(self, mounts, own, **files):
        root = tempfile.mkdtemp(prefix="weft-test-")
        self.addCleanup(shutil.rmtree, root)
        files = {"proc/self/mountinfo": mounts, "proc/self/cgroup": own, **{
            "sys/fs/cgroup/" + name: text for name, text in files.items()}}
        for name, text in files.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    def both(self, *args, **files):
        root = self.root(*args, **files)
        return cgroup.quota(root), cgroup.throttled(root)

    def test_the_least_on_the_way_up_is_the_quota(self):
        files = {"a/cpu.max": "50000 100000\n", "a/cpu.stat": "nr_throttled 3\n",
                 "a/b/cpu.max": "max 100000\n", "a/b/cpu.stat": "x 1\nnr_throttled 4\n",
                 "a/b/c/cpu.max": "200000 100000\n", "z/cpu.max": "1 100000\n"}
        own = "1:name=systemd:/\n0::/a/b/c\n"
        self.assertEqual(self.both(self.V2 % "/", own, **files), (0.5, 7))
        self.assertEqual(self.both(self.V2 % "/", "0::/z\n", **files)[0], 1e-5)
        self.assertEqual(self.both(self.V2 % "/", "0::/\n", **files), (None, None))

    def test_both_versions_count(self):
        files = {"cpu/a/cpu.cfs_quota_us": "150000\n", "cpu/a/cpu.cfs_period_us":
                 "100000\n", "cpu/a/b/cpu.cfs_quota_us": "-1\n",
                 "cpu/a/b/cpu.cfs_period_us": "100000\n",
                 "cpu/a/cpu.stat": "nr_throttled 2\n", "g/cpu.max": "300000 100000"}
        own = "5:cpuset:/x\n4:cpu,cpuacct:/a/b\n0::/g\n"
        self.assertEqual(self.both(self.V1 % "/" + self.V2 % "/", own, **files), (1.5, 2))
        files["g/cpu.max"] = "100000 100000"
        self.assertEqual(self.both(self.V1 % "/" + self.V2 % "/", own, **files), (1.0, 2))

    def test_what_is_mounted_may_be_a_group_or_not_hold_ours(self):
        files = {"cpu.max": "50000 100000\n", "b/cpu.max": "20000 100000\n"}
        for own, quota in (("/a/b", 0.2), ("/a", 0.5), ("/ab", 0.5), ("/../x", 0.5)):
            self.assertEqual(self.both(self.V2 % "/a", "0::%s\n" % own, **files)[0], quota)

    def test_nothing_there_is_no_quota(self):
        self.assertEqual(self.both("", ""), (None, None))
        self.assertEqual(self.both("x\n- -\n" + self.V2 % "/", "junk\n0::/\n",
                                   **{"cpu.max": "junk 0\n"}), (None, None))


class Runs(FakeRuns):
    """Whole sweeps over the fake."""

    def test_a_good_run_leaves_everything(self):
        done = self.sweep("rounds=6\npattern=pipeline workers=1,2 cap=0", "--seed=7")
        self.assertRegex(self.run_folder().name,
                         r"^\d{8}T\d{6}Z-(nogit|[0-9a-f]{7,}(-dirty)?)-fake-9000-2c$")
        summary = self.read()
        self.assertEqual(summary["verdicts"], {"VERIFIED": 4})
        cell = summary["cells"][0]
        self.assertEqual(cell["messages_per_second"]["median"], 1e7)
        self.assertEqual(cell["messages_per_second"]["ci_low"], 1e7)
        self.assertEqual(cell["latency_ns"]["p50"], 500)
        self.assertEqual(cell["voluntary_switches_per_message"], 0.01)
        self.assertIsNone(cell["involuntary_switches_per_message"])
        self.assertIn("weft run pipeline --chan=alpha", cell["command"])
        self.assertIn("10.0 ±0%", done.stdout)
        self.assertIn("* more tasks than the 2 CPUs", done.stdout)
        self.assertIn("pipeline", (self.run_folder() / "summary.md").read_text())
        self.assertTrue(all(len(line) <= 100 for line in done.stdout.splitlines()
                            if not line.startswith("results")))

    def test_samples_begin_with_the_context_and_follow_the_seeded_order(self):
        self.sweep("rounds=2\npattern=pipeline workers=1,2 cap=0,1", "--seed=7")
        text = (self.run_folder() / "samples.jsonl").read_text()
        self.assertNotIn(str(self.dir), text)
        first, *rest = map(json.loads, text.splitlines())
        self.assertEqual((first["schema"], first["partial"], first["seed"]),
                         (1, False, 7))
        for key in ("cpu", "kernel", "compiler", "flags", "git", "governor",
                    "steal", "load_before", "load_after", "argv", "started"):
            self.assertIn(key, first)
        self.assertEqual(len(rest), 16)
        some = build("pattern=pipeline workers=1,2 cap=0,1")
        for turn in (0, 1):
            self.assertEqual(
                [entry["cell"] for entry in rest if entry["round"] == turn],
                [cell.name for group in plan.group_order(some, turn, 7) for cell in group])

    def test_latency_of_its_own_length_is_asked_for_where_it_is_measured(self):
        self.sweep("rounds=3\nlatency_time=70\nlatency_items=9\npattern=pipeline cap=0",
                   channels="alpha")
        runs = [line for line in (self.dir / "log").read_text().splitlines()
                if line.startswith("run ")]
        asked = ["--latency-time=70 --latency-items=9" in line for line in runs]
        self.assertEqual(asked, [True, False, False])

    def test_what_else_the_machine_did_is_kept_with_each_slice(self):
        done = subprocess.run(self.command("rounds=3\npattern=pipeline cap=0", watched=True),
                              text=True, capture_output=True, env=self.env(), timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        if watch.now() is None:
            self.skipTest("this system does not tell its CPU times")
        lines = (self.run_folder() / "samples.jsonl").read_text().splitlines()
        for line in lines[1:]:
            self.assertLessEqual({"foreign", "steal", "why"},
                                 set(json.loads(line)["disturbed"]))
        rejected = self.read()["context"]["rejected"]
        self.assertEqual(rejected, sum(cell["rejected"] for cell in self.read()["cells"]))
        shutil.rmtree(self.results)
        self.sweep("rounds=3\npattern=pipeline cap=0")
        self.assertEqual(self.read()["context"]["rejected"], "unknown")

    def test_later_slices_do_the_work_the_first_one_chose(self):
        self.sweep("rounds=3\nlatency=1\npattern=pipeline chan=alpha workers=4")
        runs = [line for line in (self.dir / "log").read_text().splitlines()
                if line.startswith("run")]
        self.assertNotIn("--items", runs[0])
        self.assertTrue(all("--items=4000" in line for line in runs[1:]))
        self.assertEqual(["--latency=0" in line for line in runs],
                         [False, True, True])

    def test_bad_cells_are_reported_once_and_the_rest_measured(self):
        done = self.sweep("rounds=3\npattern=pipeline cap=0", status=1,
                          channels="alpha,drops,hangs,crashes,picky,mute")
        cell = {c["chan"]: c for c in self.read()["cells"]}
        found = {name: (c["verdict"], c["slices"]) for name, c in cell.items()}
        self.assertEqual(found,
                         {"alpha": ("VERIFIED", 3), "drops": ("FAILED", 1),
                          "hangs": ("HUNG", 1), "crashes": ("CRASHED", 1),
                          "picky": ("N/A", 1), "mute": ("CRASHED", 1)})
        self.assertIn("SIGABRT", cell["crashes"]["why"])
        self.assertIsNone(cell["drops"]["messages_per_second"])
        self.assertIn("FAIL      FAILED pipeline/chan:drops/cap:0: 999 of 1000 arrived",
                      done.stdout)
        self.assertIn("CHECK failed: 1 == 2",
                      (self.run_folder() / "samples.jsonl").read_text())
        self.assertNotIn("FAIL      N/A", done.stdout)
        text = (self.run_folder() / "summary.md").read_text()
        for verdict in ("FAILED", "HUNG", "CRASHED"):  # in each table, and on top
            self.assertGreaterEqual(text.count("| %s |" % verdict), 3)
            self.assertIn("- %s " % verdict, text)

    def test_impossible_cells_alone_are_no_failure(self):
        self.sweep("pattern=pipeline cap=0 rounds=1", channels="alpha,picky")

    def test_rounds_are_where_they_are_needed(self):
        done = self.sweep("rounds=5\nmost=12\nlatency=0\npattern=pipeline cap=0,1",
                          "--seed=3", channels="condvar,alpha,jumpy", status=0)
        cells = {(cell["chan"], cell["knobs"]["cap"]): cell
                 for cell in self.read()["cells"]}
        for cap in (0, 1):
            calm, jumpy = cells["alpha", cap], cells["jumpy", cap]
            self.assertEqual((calm["rounds"], calm["steady"]), (5, True))
            self.assertEqual((jumpy["rounds"], jumpy["steady"]), (12, False))
            # What it is compared with is measured beside it.
            self.assertEqual(cells["condvar", cap]["rounds"], 12)
            self.assertEqual(jumpy["ratio"]["n"], 12)
            self.assertIsNone(cells["condvar", cap]["ratio"])
        self.assertIn("~ not steady", done.stdout)
        self.assertIn("of 5, and up to 12", (self.run_folder() / "summary.md").read_text())

    def test_more_rounds_end_with_the_budget(self):
        begun = time.monotonic()
        self.sweep("rounds=5\nmost=1000\nlatency=0\nbudget=5\npattern=pipeline cap=0",
                   channels="jumpy")
        self.assertLess(time.monotonic() - begun, 200)
        cell, = self.read()["cells"]
        self.assertLess(cell["rounds"], 1000)
        self.assertFalse(self.read()["context"]["partial"])

    def test_two_modes_are_never_one_figure(self):
        done = self.sweep("rounds=12\nlatency=0\npattern=pipeline cap=0",
                          channels="alpha,twofold")
        cell = {cell["chan"]: cell for cell in self.read()["cells"]}
        self.assertIsNone(cell["alpha"]["modes"])
        fast, slow = cell["twofold"]["modes"]
        self.assertEqual((fast["n"], slow["n"], fast["share"]), (6, 6, 0.5))
        self.assertAlmostEqual(fast["ns_per_message"] / 50, 2, 1)
        self.assertAlmostEqual(slow["ns_per_message"] / 50, 4, 1)
        self.assertIs(cell["twofold"]["steady"], False)
        self.assertIn("9.99 (50%) | 4.99 (50%)", done.stdout)
        self.assertIn("9.99 (50%) \\| 4.99 (50%)",
                      (self.run_folder() / "summary.md").read_text())

    def test_a_cell_near_the_floor_is_marked(self):
        done = self.sweep("rounds=5\nlatency=0\npattern=pipeline cap=0",
                          channels="alpha,beta,null",
                          FAKE_NS=json.dumps({"alpha": 90, "beta": 200, "null": 60}))
        cell = {cell["chan"]: cell for cell in self.read()["cells"]}
        self.assertEqual([cell[chan]["near_floor"] for chan in ("alpha", "beta")],
                         [True, False])
        self.assertEqual(cell["beta"]["floor"], {"chan": "null", "ns_per_message": 60})
        self.assertIn("11.1 ±0%≈", done.stdout)

    RESUMED = "rounds=4\nlatency=1\npattern=pipeline workers=1,2 cap=0"

    def interrupted(self, after, *more):
        """A run that was killed, or told to end, after so many slices."""
        child = subprocess.Popen(
            self.command(self.RESUMED, "--seed=3", *more),
            env=self.env("alpha,slow"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for_runs(after)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=PATIENCE)
        return self.run_folder()

    def test_a_resumed_run_is_as_one_that_was_not_interrupted(self):
        partial = self.interrupted(6)
        with open(partial / "samples.jsonl", "a") as samples:
            samples.write('{"cell": "torn')
        before = [json.loads(line)["utc"] for line in
                  (partial / "samples.jsonl").read_text().splitlines()[1:-1]]
        (self.dir / "log").unlink()
        self.sweep(self.RESUMED, "--resume", channels="alpha,slow")
        resumed = self.read()
        self.assertEqual(self.run_folder().name, partial.name[:-len(".partial")])
        self.assertEqual(len(resumed["context"]["resumed"]), 1)
        self.assertEqual((resumed["context"]["seed"], resumed["context"]["partial"]),
                         (3, False))
        records = [json.loads(line) for line in
                   (self.run_folder() / "samples.jsonl").read_text().splitlines()[1:]]
        self.assertEqual([entry["utc"] for entry in records[:len(before)]], before)
        runs = (self.dir / "log").read_text().count("\nrun ")
        self.assertEqual(runs, 16 - len(before))
        shutil.rmtree(self.results)
        self.sweep(self.RESUMED, "--seed=3", channels="alpha,slow")
        fresh = self.read()
        self.assertEqual([cell["name"] for cell in resumed["cells"]],
                         [cell["name"] for cell in fresh["cells"]])
        self.assertEqual([cell["messages_per_second"] for cell in resumed["cells"]],
                         [cell["messages_per_second"] for cell in fresh["cells"]])
        order = [json.loads(line)["cell"] for line in
                 (self.run_folder() / "samples.jsonl").read_text().splitlines()[1:]]
        self.assertEqual([entry["cell"] for entry in records], order)

    def test_only_the_same_run_can_be_resumed(self):
        partial = self.interrupted(3)
        self.assertIn("no interrupted run of these cells", self.sweep(
            "rounds=9\npattern=pipeline cap=0", "--resume", status=2).stderr)
        self.assertIn("other cells", self.sweep(
            "rounds=9\npattern=pipeline cap=0", "--resume=%s" % partial,
            status=2).stderr)
        self.assertIn("seed 3", self.sweep(
            self.RESUMED, "--resume", "--seed=4", status=2, channels="alpha,slow").stderr)
        self.assertIn(".partial", self.sweep(
            self.RESUMED, "--resume=%s" % self.dir, status=2, channels="alpha,slow").stderr)

    def test_two_runs_agree_or_not(self):
        text = "rounds=5\nlatency=0\npattern=pipeline cap=0,1"
        for speed, status in ((200, 0), (205, 0), (300, 1)):
            self.sweep(text, channels="condvar,beta", FAKE_NS=json.dumps({"beta": speed}))
            runs = sorted(map(str, self.results.iterdir()))
            done = self.sweep(text, "--agree", runs[0], runs[-1], status=status)
            self.assertIn("100 % and 100 % of the cells are steady", done.stdout)
        self.assertIn("1.50 times the ratio  pipeline/chan:beta", done.stdout)

    def test_a_machine_that_is_faster_changes_rates_but_no_ratios(self):
        text = "rounds=5\nlatency=0\npattern=pipeline cap=0,1"
        for speed in (200, 300):
            self.sweep(text, channels="condvar,beta",
                       FAKE_NS=json.dumps({"condvar": speed, "beta": speed}))
        runs = sorted(map(str, self.results.iterdir()))
        done = self.sweep(text, "--agree", *runs)
        self.assertIn("1.50 times the rate  pipeline/chan:condvar", done.stdout)
        self.assertIn("100 % of the 2 ratios of cells that are steady in both agree within "
                      "10 %; at least 90 % are wanted", done.stdout)
        self.assertIn("0 % of the 2 rates without a ratio of cells", done.stdout)

    def test_a_silent_slice_is_hung(self):
        self.sweep("rounds=3\npattern=pipeline cap=0", "--slice-timeout=6", status=1,
                   channels="alpha,sleeps")
        self.assertEqual(self.read()["verdicts"], {"VERIFIED": 1, "HUNG": 1})

    def test_the_rate_and_the_time_of_two_samples_agree(self):
        self.sweep("rounds=2\nlatency=1\npattern=pipeline cap=0", channels="uneven")
        cell, = self.read()["cells"]
        self.assertEqual(cell["ns_per_message"]["median"], 50050)
        self.assertEqual(cell["messages_per_second"]["median"], 1e9 / 50050)
        median = self.read("benchmark.json")["benchmarks"][-1]
        self.assertEqual((median["real_time"], median["items_per_second"]),
                         (50050, 1e9 / 50050))

    def test_patience_begins_after_what_was_asked(self):
        self.sweep("rounds=1\npattern=pipeline cap=0 time=4000", "--slice-timeout=1",
                   channels="works")
        self.sweep("rounds=1\npattern=pipeline cap=0 time=1", "--slice-timeout=1",
                   channels="works", status=1)

    def test_a_sweep_that_was_stopped_for_a_while_goes_on(self):
        child = subprocess.Popen(
            self.command("rounds=1\npattern=pipeline cap=0 time=1", "--slice-timeout=6"),
            env=self.env("works"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for_runs(1)
        child.send_signal(signal.SIGSTOP)
        time.sleep(6.5)  # longer than the limit
        child.send_signal(signal.SIGCONT)
        out, _ = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 0, out)

    def wait_for_runs(self, count):
        log, deadline = self.dir / "log", time.monotonic() + PATIENCE
        while not (log.exists() and log.read_text().count("\nrun ") >= count):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def test_an_interrupted_run_is_kept_and_marked(self):
        child = subprocess.Popen(
            self.command("rounds=50\npattern=pipeline workers=1,2 cap=0"),
            env=self.env("alpha,slow"), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.wait_for_runs(7)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 130, err)
        self.assertIn("PARTIAL   interrupted in round", out)
        self.assertIn("--resume measures what is missing", out)
        self.assertTrue(self.run_folder().name.endswith(".partial"))
        summary = self.read()
        self.assertTrue(summary["context"]["partial"])
        self.assertEqual(summary["verdicts"], {"VERIFIED": 4})
        # What takes turns is there as a whole, or not at all.
        lines = (self.run_folder() / "samples.jsonl").read_text().splitlines()[1:]
        groups = [json.loads(line)["group"] for line in lines]
        self.assertEqual({groups.count(group) for group in groups}, {2})
        self.assertTrue(self.read("benchmark.json")["context"]["weft_partial"])
        self.assertIn("PARTIAL", (self.run_folder() / "summary.md").read_text())

    def test_google_benchmark_json(self):
        self.sweep("rounds=3\npattern=pipeline cap=0", status=1,
                   channels="alpha,drops,picky")
        document = self.read("benchmark.json")
        for key in ("date", "host_name", "executable", "num_cpus", "mhz_per_cpu",
                    "cpu_scaling_enabled", "caches", "load_avg",
                    "library_build_type"):
            self.assertIn(key, document["context"])
        rows = document["benchmarks"]
        self.assertEqual([row["run_type"] for row in rows],
                         ["iteration"] * 3 + ["aggregate", "iteration"])
        self.assertEqual(rows[0]["name"], "pipeline/chan:alpha/cap:0")
        self.assertEqual((rows[3]["real_time"], rows[3]["time_unit"]), (100.0, "ns"))
        self.assertEqual(rows[3]["aggregate_name"], "median")
        self.assertTrue(rows[4]["error_occurred"])
        self.assertIn("999 of 1000", rows[4]["error_message"])

    def test_a_closed_loop_is_labelled(self):
        self.sweep("rounds=3\npattern=ping_pong\npattern=pipeline cap=0",
                   channels="alpha")
        text = (self.run_folder() / "summary.md").read_text()
        self.assertIn("Latency (closed-loop round trip), µs", text)
        self.assertIn("Latency (open-loop sojourn at load 0.5 of what each cell does "
                      "with every message timed), µs", text)
        labels = {row["name"].split("/")[0]: row.get("label")
                  for row in self.read("benchmark.json")["benchmarks"]
                  if row["run_type"] == "aggregate"}
        self.assertEqual(labels, {"ping_pong": "latency: closed-loop round trip",
                                  "pipeline": None})

    def test_a_saturated_loop_is_marked_as_one(self):
        self.sweep("rounds=3\npattern=ping_pong\npattern=pipeline cap=0",
                   channels="alpha,saturates")
        cells = {(cell["pattern"], cell["chan"]): cell["latency_ns"]
                 for cell in self.read()["cells"]}
        self.assertIs(cells["pipeline", "alpha"]["kept_up"], True)
        self.assertIsNone(cells["ping_pong", "alpha"]["kept_up"])
        found = cells["pipeline", "saturates"]
        self.assertIs(found["kept_up"], False)
        self.assertEqual((found["offered_per_second"], found["achieved_per_second"]),
                         (5e6, 4e6))
        text = (self.run_folder() / "summary.md").read_text()
        self.assertIn("| 0.500 / 2.00 | 0.500 / 2.00† |", text)
        self.assertIn("† saturated", text)
        rows = {row["name"]: row.get("latency_kept_up")
                for row in self.read("benchmark.json")["benchmarks"]
                if row["run_type"] == "aggregate"}
        self.assertEqual(rows["pipeline/chan:saturates/cap:0_median"], 0)
        self.assertEqual(rows["pipeline/chan:alpha/cap:0_median"], 1)

    def test_loops_that_all_kept_up_need_no_mark(self):
        self.sweep("rounds=3\npattern=pipeline cap=0", channels="alpha")
        self.assertNotIn("†", (self.run_folder() / "summary.md").read_text())

    def test_arrivals_are_swept_like_a_knob(self):
        self.sweep("rounds=3\npattern=pipeline cap=0 arrivals=poisson "
                   "utilization=50,95", channels="alpha")
        text = (self.run_folder() / "summary.md").read_text()
        self.assertIn("load 0.95 of what each cell does with every message timed, "
                      "poisson arrivals", text)
        self.assertEqual([cell["knobs"] for cell in self.read("summary.json")["cells"]],
                         [{"cap": 0, "arrivals": "poisson", "utilization": load}
                          for load in (50, 95)])

    def test_filter_list_and_load(self):
        (self.dir / "mine.so").write_text("")
        done = self.sweep("pattern=pipeline cap=0,64", "--list", "--filter=cap:64",
                          "--load=" + str(self.dir / "mine.so"))
        self.assertEqual(done.stdout.splitlines()[:3], [
            "pipeline/chan:%s/cap:64" % name for name in ("alpha", "beta", "mine")])
        self.assertFalse(self.results.exists())

    PEERS = {"FAKE_PEERS": json.dumps({"weft": [
        {"name": "gone", "why_not": "not built: libgone"},
        {"name": "peer", "why_not": "", "library": "Lib 1.2", "adapter": "spins_only"},
        {"name": "plain", "why_not": "", "library": "Plain 3", "adapter": ""}]})}

    def test_peers_take_part_when_asked_for(self):
        text = "pattern=pipeline cap=0 rounds=1"
        self.assertNotIn("peer", self.sweep(text, "--list", **self.PEERS).stdout)
        done = self.sweep(text, "--list", "--peers=all", **self.PEERS)
        self.assertEqual(done.stdout.splitlines()[:4], [
            "pipeline/chan:%s/cap:0" % name
            for name in ("alpha", "beta", "peer", "plain")])
        done = self.sweep(text, "--peers=peer", **self.PEERS)
        self.assertIn("peer: Lib 1.2; added: spins_only", done.stdout)
        self.assertIn("peer: Lib 1.2; added: spins\\_only", (self.run_folder() / "summary.md").read_text())
        summary = self.read("summary.json")
        self.assertEqual({cell["chan"] for cell in summary["cells"]},
                         {"alpha", "beta", "peer"})
        self.assertEqual([peer["name"] for peer in summary["context"]["peers"]],
                         ["peer"])
        self.assertIn("--chan=peer", (self.dir / "log").read_text())

    def test_peers_that_cannot_take_part(self):
        text = "pattern=pipeline cap=0 rounds=1"
        self.refused(text, "libgone", args=["--peers=gone"], **self.PEERS)
        self.refused(text, "no peer 'nope'", "peer, plain", args=["--peers=peer,nope"],
                     **self.PEERS)
        self.refused(text, "no peer 'alpha'", args=["--peers=alpha"], **self.PEERS)
        self.refused(text, "this weft has none", args=["--peers=all"])

    def test_bad_input_is_one_line_and_nothing_is_written(self):
        good = "pattern=pipeline cap=0 rounds=1"
        self.refused("pattern=pipeline cap=9999", "sweep:1", "cap=9999", "0 to 4096")
        self.refused(good, "nothing", args=["--filter=nothing"])
        self.refused(good, "no such thing", channels="refuses", args=["--quiet"])
        self.refused(good, "nope.so", args=["--load=nope.so"])
        self.refused(good, "address", FAKE_SANITIZE="address")
        self.weft.unlink()
        self.refused(good, "weft", "`make`")

    def test_an_unwritable_results_folder_is_named_before_measuring(self):
        self.results.write_text("a file, not a folder")
        done = self.sweep("pattern=pipeline cap=0", status=2)
        self.assertIn(str(self.results), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertNotIn("\nrun ", (self.dir / "log").read_text())

    def test_a_missing_gnuplot_is_named_before_measuring(self):
        empty = self.dir / "empty"
        empty.mkdir()
        self.refused("pattern=pipeline cap=0", "gnuplot", "scripts/setup.sh",
                     "--no-plot", plot=True, PATH=str(empty))

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_pictures(self):
        self.sweep("rounds=3\npattern=pipeline workers=1,2 cap=0,64\n"
                   "pattern=producer_consumer producers+consumers=1,2 cap=0",
                   plot=True, channels="alpha,my_own^{chan},picky", status=0)
        names = {file.name for file in self.run_folder().iterdir()}
        for kind in ("throughput", "latency"):
            for pattern in ("pipeline", "producer_consumer"):
                for suffix in ("svg", "png"):
                    self.assertIn("%s-%s.%s" % (kind, pattern, suffix), names)
        svg = (self.run_folder() / "throughput-pipeline.svg").read_text()
        self.assertIn("my_own^{chan}", svg)
        self.assertIn("higher is better", svg)
        self.assertIn("more tasks than CPUs (2)", re.sub(r"<[^>]*>", "", svg))
        self.assertNotIn("saturated", (self.run_folder() / "latency-pipeline.svg")
                         .read_text())

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_a_saturated_loop_is_drawn_as_one(self):
        self.sweep("rounds=3\npattern=pipeline cap=0", plot=True,
                   channels="alpha,saturates")
        svg = (self.run_folder() / "latency-pipeline.svg").read_text()
        words = " ".join(re.sub("<[^>]*>", " ", svg).split())  # the note is in lines
        self.assertIn("Dotted: saturated", words)
        self.assertIn("stroke-dasharray", svg)


class Ratios(unittest.TestCase):
    """Rates in millions: a hop, four stages, and one and two workers."""

    def summary(self, hop=40, stages=10, one=0.1, two=0.18, cpus=2, **other):
        def cell(pattern, rate, **knobs):
            knobs = {"cap": 256, "work": 0, "batch": 1, **knobs}
            return {"pattern": pattern, "chan": "ring", "knobs": knobs,
                    "params": {}, "verdict": "VERIFIED" if rate else "FAILED",
                    "messages_per_second": rate and dict.fromkeys(
                        ("median", "min", "max"), rate * 1e6), "name": pattern}
        fan = {"variant": "shared", "work": 10000, "batch": 32}
        return {"schema": 1, "cells": [
            cell("producer_consumer", hop, producers=1, consumers=1),
            cell("pipeline", stages, stages=4, variant="parallel"),
            cell("pipeline", 1, stages=4, variant="parallel", work=2000),
            cell("pipeline", 100, stages=4, variant="fused"),
            cell("fan", 0.1, variant="serial", work=10000),
            cell("fan", one, workers=1, **fan), cell("fan", two, workers=2, **fan)],
            "context": {"cpus_allowed": cpus, "sweep": {"name": "patterns"},
                        "git": {"commit": "unknown"}, "started": "", **other}}

    def verdicts(self, **values):
        return [verdict for _, _, verdict in ratios.judge(self.summary(**values))]

    def test_what_must_hold(self):
        self.assertEqual(self.verdicts(), ["pass", "-", "pass", "-"])
        self.assertEqual(self.verdicts(stages=5)[0], "pass")
        self.assertEqual(self.verdicts(stages=4.9)[0], "FAIL")
        self.assertEqual(self.verdicts(two=0.159)[2], "FAIL")

    def test_two_workers_need_two_cpus(self):
        self.assertEqual(self.verdicts(two=0.1, cpus=1)[2], "N/A")

    def test_a_cell_that_is_missing_or_failed_is_named(self):
        for summary in (self.summary(hop=None), self.summary()):
            summary["cells"] = [cell for cell in summary["cells"] if not (
                cell["pattern"] == "fan" and cell["knobs"].get("workers") == 2)]
            with self.assertRaises(Problem) as caught:
                ratios.judge(summary)
            self.assertRegex(str(caught.exception),
                             "no rate of producer_consumer.*FAILED|"
                             "no cell of fan.*workers=2")

    def run_script(self, *summaries):
        with tempfile.TemporaryDirectory() as results:
            for i, summary in enumerate(summaries):
                folder = Path(results) / ("run%d" % i)
                folder.mkdir()
                (folder / "summary.json").write_text(json.dumps(summary))
            done = subprocess.run(
                [sys.executable, str(SCRIPTS / "ratios.py"), "--results", results],
                capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_the_exit_status_says_whether_all_hold(self):
        self.assertEqual(self.run_script(self.summary())[0], 0)
        status, text = self.run_script(self.summary(), self.summary(stages=1))
        self.assertEqual(status, 1)
        self.assertIn("FAIL", text)

    def test_a_run_of_another_sweep_or_half_a_run_is_passed_over(self):
        good = self.summary()
        self.assertEqual(self.run_script(
            good, self.summary(sweep={"name": "quick"}, stages=1),
            self.summary(partial=True, stages=1))[0], 0)
        self.assertEqual(self.run_script(self.summary(partial=True))[0], 2)


if __name__ == "__main__":
    unittest.main()
