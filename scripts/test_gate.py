#!/usr/bin/env python3
"""The rule of the gate, on made-up times: nothing is measured, no process started.

test_gate_mutants.py plants bugs in the rule, each of which has to fail here.
"""

import io
import os
import random
import re
import sys
import tempfile
import unittest
from fractions import Fraction
from math import comb, exp, expm1, inf, log, log1p, prod

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from weftlib import ROOT, Problem, exits, stats, sweepfile
from weftlib.binary import Answer
from weftlib.gate import (builds, evidence, exact, plan, power, records, report, rivals, rounds,
                          selftest, trial, verdict)
from weftlib.gate.evidence import Snapshot
from weftlib.gate.processes import STOP
from weftlib.gate.progress import GateProgress
from weftlib.gate.records import Record
from weftlib.gate.trial import CONFIRM, LOOKS, Disturbed, Trial
from weftlib.gate.verdict import (EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED, Limits,
                                  judge)


def samples(head=0.0, control=0.0, jitter=0.001, n=21, base=100.0, seed=1):
    """Rounds whose log-ratios scatter evenly around these, by `jitter` at most."""
    rng = random.Random(seed)
    return [(base, base * exp(head + rng.uniform(-jitter, jitter)),
             base * exp(control + rng.uniform(-jitter, jitter))) for _ in range(n)]


class MadeUp:
    """A source of rounds: {cell: function of (phase, turn) to (base, head, control)}."""

    def __init__(self, **cells):
        self.made = cells
        self.cells = list(cells)
        self.relinked = 0
        self.asked = []

    def relink(self):
        self.relinked += 1

    def round(self, phase, turn, cells):
        self.asked.append((phase, turn, tuple(cells)))
        found = {cell: self.made[cell](phase, turn) for cell in cells}
        return {cell: times for cell, times in found.items() if times}


def steady(head=0.0, control=0.0, jitter=0.002, seed=7):
    rng = random.Random(seed)
    return lambda phase, turn: (100.0, 100 * exp(head + rng.uniform(-jitter, jitter)),
                                100 * exp(control + rng.uniform(-jitter, jitter)))


class Interval(unittest.TestCase):
    """The sign test's interval: ranks against the binomial, coverage by simulation."""

    def level(self, n, k):
        """P(the k-th smallest and k-th largest of n enclose the median), exactly."""
        return 1 - 2 * sum((Fraction(comb(n, i), 2**n) for i in range(k)), Fraction())

    def test_ranks_are_the_narrowest_that_are_sure_enough(self):
        for n in range(1, 60):
            for confidence in (0.9, 0.95, 0.98, 0.9884, 0.9927, 0.999):
                enough = [k for k in range(1, n // 2 + 1)
                          if self.level(n, k) >= Fraction(confidence)]
                found = stats.sign_test_rank(n, confidence)
                self.assertEqual(found and found[0], enough[-1] if enough else None)
                if found:
                    self.assertAlmostEqual(found[1], float(self.level(n, found[0])), 12)

    def test_the_interval_is_made_of_those_ranks(self):
        values = [float(value) for value in range(1, 22)]
        random.Random(3).shuffle(values)
        self.assertEqual(stats.median_ci(values, 0.98)[:2], (5.0, 17.0))
        self.assertEqual(stats.median_ci(values[:3], 0.98), None)

    def coverage(self, draw, n, confidence, times=4000):
        """How often the interval holds 0, the median that `draw` gives."""
        rng = random.Random(20261128)
        hit = 0
        for _ in range(times):
            low, high, _ = stats.median_ci(draw(rng, n), confidence)
            hit += low <= 0 <= high
        return hit / times

    def test_it_covers_skewed_data(self):
        def draw(rng, n):
            return [rng.expovariate(1) - log(2) for _ in range(n)]
        for n, confidence in LOOKS:
            self.assertGreaterEqual(self.coverage(draw, n, confidence), confidence - 0.005)

    def test_it_covers_a_mixture_of_two_modes(self):
        def draw(rng, n):
            return [rng.gauss(0, 0.01) if rng.random() < 0.7 else rng.choice((-1, 1)) *
                    rng.expovariate(5) for _ in range(n)]
        for n, confidence in LOOKS:
            self.assertGreaterEqual(self.coverage(draw, n, confidence), confidence - 0.005)

    def test_pairs_take_autocorrelation_out_that_single_times_have(self):
        """Drift is in both arms of a round: the pair's ratio is free of it, and the
        interval covers; that of one arm's own times would not."""
        def drift(rng, n):
            state = rng.gauss(0, 1)
            for _ in range(n):
                state = 0.95 * state + rng.gauss(0, 0.3)
                yield state

        def pairs(rng, n):
            return [(d + rng.gauss(0, 0.1)) - (d + rng.gauss(0, 0.1)) for d in drift(rng, n)]

        def single(rng, n):
            return list(drift(rng, n))
        self.assertGreaterEqual(self.coverage(pairs, 21, 0.95), 0.95)
        self.assertLess(self.coverage(single, 21, 0.95), 0.8)

    def test_the_looks_together_keep_the_promised_error(self):
        spent = sum(1 - stats.sign_test_rank(*look)[1] for look in LOOKS)
        self.assertLessEqual(spent, 0.02)
        self.assertLessEqual(sum(1 - confidence for _, confidence in LOOKS), 0.02 + 1e-9)
        self.assertEqual([n for n, _ in LOOKS], [11, 21, 41])


class Plan(unittest.TestCase):
    def test_each_arm_stands_in_each_place_equally_often(self):
        for block in range(0, 60, 3):
            orders = [plan.arm_order(turn, 1) for turn in range(block, block + 3)]
            for place in range(3):
                self.assertEqual({order[place] for order in orders}, set(plan.ARMS))

    def test_each_arm_precedes_each_other_equally_often(self):
        for block in range(0, 60, 6):
            orders = {plan.arm_order(turn, 0) for turn in range(block, block + 6)}
            self.assertEqual(len(orders), 6)

    def test_the_direction_follows_thue_and_morse(self):
        forward = [plan.arm_order(3 * block, 0) in
                   [plan.ARMS[i:] + plan.ARMS[:i] for i in range(3)] for block in range(8)]
        self.assertEqual(forward, [True, False, False, True, False, True, True, False])

    def test_each_link_meets_each_link(self):
        for count in (1, 2, 3, 4):
            turns = [plan.links(turn, count) for turn in range(count * count)]
            for arm in plan.ARMS:
                self.assertEqual(len({turn[arm] for turn in turns[:count]}), count)
            for one, other in (("base", "head"), ("base", "control")):
                self.assertEqual(len({(t[one], t[other]) for t in turns}), count * count)

    def test_the_order_of_cells_is_that_of_the_seed(self):
        cells = ["a", "b", "c", "d", "e"]
        first = plan.cell_order(cells, "look", 1, 5)
        self.assertEqual(first, plan.cell_order(cells, "look", 1, 5))
        self.assertEqual(sorted(cell for cell, _ in first), cells)
        self.assertTrue(any(plan.cell_order(cells, "look", turn, 5) != first
                            for turn in range(2, 6)))
        self.assertEqual(dict(first), dict(plan.cell_order(cells, "look", 2, 5)))


class Verdict(unittest.TestCase):
    def test_a_slowdown_beyond_the_threshold_is_one(self):
        found = judge("c", samples(head=log(1.15)), 0.98)
        self.assertEqual((found.verdict, found.agree, found.rounds), (REGRESSED, 21, 21))
        self.assertEqual(found.agreement(), "21 of 21 pairs agree in sign")
        self.assertAlmostEqual(expm1(found.effect), 0.15, 2)
        self.assertLess(found.base_ns, found.head_ns)

    def test_a_speed_up_is_the_mirror_image(self):
        self.assertEqual(judge("c", samples(head=-log(1.15)), 0.98).verdict, IMPROVED)

    def test_a_change_below_the_least_effect_is_none(self):
        self.assertEqual(judge("c", samples(head=log(1.03)), 0.98).verdict, EQUIVALENT)
        self.assertEqual(judge("c", samples(head=log(1.03)), 0.98,
                               Limits(effect=0.02)).verdict, REGRESSED)

    def test_an_interval_that_touches_the_threshold_has_not_passed_it(self):
        edge = log1p(0.05)
        just = [(1.0, exp(edge), 1.0)] * 21
        limits = Limits(effect=0.05, floor_ns=0)
        exactly = verdict.Finding("c", "", "", 21, 1, 1, edge, edge, edge, 0.98, 0.05, 21,
                                  0, 0, 0, False, 0)
        self.assertEqual(verdict.decide(exactly, [edge] * 21, limits)[0], EQUIVALENT)
        self.assertEqual(judge("c", just, 0.98, Limits(effect=0.0499, floor_ns=0)).verdict,
                         REGRESSED)
        self.assertFalse(verdict.is_beyond(edge, edge, 0.05))
        self.assertFalse(verdict.is_beyond(-edge, -edge, 0.05))

    def test_what_overlaps_the_threshold_is_inconclusive(self):
        found = judge("c", samples(head=log(1.05), jitter=0.04), 0.98)
        self.assertEqual(found.verdict, INCONCLUSIVE)
        self.assertTrue(found.why)

    def test_the_controls_own_spread_raises_the_threshold(self):
        apart = samples(head=log(1.10), control=log(1.12))
        found = judge("c", apart, 0.98)
        self.assertNotEqual(found.verdict, REGRESSED)
        self.assertGreater(found.threshold, 0.11)
        self.assertTrue(found.control_flags)
        self.assertEqual(judge("c", samples(head=log(1.10)), 0.98).verdict, REGRESSED)

    def test_a_stored_floor_raises_the_threshold(self):
        self.assertEqual(judge("c", samples(head=log(1.10)), 0.98, stored=0.12).verdict,
                         EQUIVALENT)

    def test_a_change_of_less_than_the_absolute_floor_is_none(self):
        quick = samples(head=log(1.15), base=2.0)
        self.assertEqual(judge("c", quick, 0.98, Limits(most=1)).verdict, EQUIVALENT)
        self.assertEqual(judge("c", quick, 0.98, Limits(floor_ns=0)).verdict, REGRESSED)

    def test_a_cell_whose_control_scatters_too_much_is_not_gated(self):
        found = judge("c", samples(head=1.0, control=0.5), 0.98)
        self.assertEqual(found.verdict, INCONCLUSIVE)
        self.assertIn("not gated", found.why)

    def test_too_few_rounds_say_nothing(self):
        found = judge("c", samples(head=1.0, n=3), 0.98)
        self.assertEqual((found.verdict, found.threshold), (INCONCLUSIVE, inf))

    def test_pairs_that_agree_are_counted_on_the_medians_side(self):
        mixed = [(1.0, exp(value), 1.0) for value in (-1, -1, 1, -1, 0)]
        self.assertEqual(judge("c", mixed, 0.9).agree, 3)


class Looks(unittest.TestCase):
    def test_what_has_not_changed_is_decided_at_the_first_look(self):
        source = MadeUp(a=steady(), b=steady(seed=8))
        outcome = Trial(source).run()
        self.assertEqual(outcome.conclude()[0], exits.OK)
        self.assertEqual(len(source.asked), 11)
        self.assertEqual([one.rounds for one in outcome.findings], [11, 11])

    def test_only_undecided_cells_go_on(self):
        source = MadeUp(a=steady(), noisy=steady(jitter=0.2))
        outcome = Trial(source).run()
        self.assertEqual(len(source.asked), 41)
        self.assertEqual({cells for _, turn, cells in source.asked if turn >= 11},
                         {("noisy",)})
        self.assertEqual([one.rounds for one in outcome.findings], [11, 41])

    def test_a_flag_counts_when_fresh_rounds_with_fresh_links_repeat_it(self):
        source = MadeUp(a=steady(), slow=steady(head=log(1.15)))
        outcome = Trial(source).run()
        self.assertEqual(outcome.conclude()[:2], (exits.REGRESSION, REGRESSED))
        self.assertEqual(source.relinked, 1)
        fresh = [asked for asked in source.asked if asked[0] == "confirm"]
        self.assertEqual([(turn, cells) for _, turn, cells in fresh],
                         [(turn, ("slow",)) for turn in range(CONFIRM[0][0])])
        self.assertEqual(outcome.confirmed["slow"].verdict, REGRESSED)

    def test_fresh_rounds_have_a_second_look(self):
        """They begin in another state than the first ones, and go on until they tell."""
        slow, odd = steady(head=log(1.15)), (100.0, 100.0, 100.0)
        outcome = Trial(MadeUp(a=lambda phase, turn: (
            odd if phase == "confirm" and turn in range(7) else slow(phase, turn)))).run()
        self.assertEqual(outcome.findings[0].verdict, REGRESSED)
        self.assertEqual(outcome.confirmed["a"].rounds, CONFIRM[1][0])
        spent = [1 - stats.sign_test_rank(*look)[1] for look in CONFIRM]
        self.assertLessEqual(sum(spent) / 2, 0.03)

    def test_a_flag_that_is_not_repeated_does_not(self):
        slow, same = steady(head=log(1.15)), steady()
        outcome = Trial(MadeUp(a=lambda phase, turn: (
            slow if phase == "look" else same)(phase, turn))).run()
        found, = outcome.findings
        self.assertEqual((found.verdict, outcome.conclude()[0]), (INCONCLUSIVE, exits.OK))
        self.assertIn("did not confirm", found.why)

    def test_fresh_rounds_that_flag_the_other_way_do_not_confirm(self):
        slow, fast = steady(head=log(1.15)), steady(head=-log(1.15))
        outcome = Trial(MadeUp(a=lambda phase, turn: (
            slow if phase == "look" else fast)(phase, turn))).run()
        self.assertEqual(outcome.findings[0].verdict, INCONCLUSIVE)

    def test_an_improvement_is_confirmed_and_no_failure(self):
        outcome = Trial(MadeUp(a=steady(head=-log(1.3)))).run()
        self.assertEqual(outcome.findings[0].verdict, IMPROVED)
        self.assertEqual(outcome.conclude()[0], exits.OK)
        self.assertIn("IMPROVED", outcome.conclude()[2])


class Runs(unittest.TestCase):
    """What a whole run is worth."""

    def test_a_cell_that_was_not_executed_is_status_3(self):
        outcome = Trial(MadeUp(a=steady(), gone=lambda phase, turn: None)).run()
        self.assertEqual((outcome.executed, outcome.expected), (1, 2))
        self.assertEqual(outcome.conclude()[0], exits.INCONCLUSIVE)
        self.assertIn("1 of 2 cells executed", report.executed(outcome))

    def test_a_cell_that_vanishes_later_was_not_executed(self):
        noisy = steady(jitter=0.2)
        outcome = Trial(MadeUp(a=steady(), b=lambda phase, turn: (
            noisy(phase, turn) if turn < 15 else None))).run()
        self.assertEqual(outcome.executed, 1)

    def test_no_cell_executed_is_status_1(self):
        outcome = Trial(MadeUp(gone=lambda phase, turn: None)).run()
        self.assertEqual(outcome.conclude()[0], exits.ERROR)

    def test_a_failed_check_comes_before_all_else(self):
        outcome = Trial(MadeUp(a=steady(head=log(1.3)))).run()
        outcome.failures = ["a: head: FAILED: 3 lost"]
        self.assertEqual(outcome.conclude()[0], exits.ERROR)

    def test_a_control_that_flags_contaminates_the_run(self):
        outcome = Trial(MadeUp(a=steady(control=log(1.1)), b=steady(head=log(1.3)))).run()
        self.assertEqual(outcome.conclude()[:2], (exits.UNTRUSTED, trial.CONTAMINATED))

    def test_one_control_of_many_does_not(self):
        cells = {"c%d" % i: steady(seed=i) for i in range(23)}
        outcome = Trial(MadeUp(odd=steady(control=log(1.1)), **cells)).run()
        self.assertEqual(outcome.conclude()[0], exits.OK)

    def test_flags_on_one_side_within_the_controls_reach_contaminate(self):
        """The control is centred, but a fifth of its pairs are as far out as the flags."""
        def odd(phase, turn):
            return 100.0, 120.0, 100.0 * (1.3 if turn % 5 == 0 else 1.0)
        source = MadeUp(a=odd, b=odd, **{"c%d" % i: steady(seed=i) for i in range(5)})
        outcome = Trial(source).run()
        self.assertEqual(len(outcome.of(REGRESSED)), 2)
        self.assertEqual(outcome.conclude()[0], exits.UNTRUSTED)
        outcome = Trial(MadeUp(a=odd, **{"c%d" % i: steady(seed=i) for i in range(5)})).run()
        self.assertEqual(outcome.conclude()[0], exits.REGRESSION)

    def test_too_many_rejected_rounds_contaminate(self):
        def broken(phase, turn):
            raise Disturbed("others used 50 % of the CPUs")
        outcome = Trial(MadeUp(a=broken)).run()
        self.assertEqual(outcome.conclude()[0], exits.UNTRUSTED)

    def test_an_undecided_cell_is_status_3_under_strict_alone(self):
        def between(phase, turn):
            return 100.0, 104.0 if turn % 2 else 108.0, 100.0
        outcome = Trial(MadeUp(a=between)).run()
        self.assertEqual(outcome.conclude()[0], exits.OK)
        outcome.strict = True
        self.assertEqual(outcome.conclude()[0], exits.INCONCLUSIVE)

    def test_an_exact_gate_that_was_not_run_is_status_3_under_strict_alone(self):
        outcome = Trial(MadeUp(a=steady()), ).run()
        outcome.unseen = ["instructions: valgrind is not here"]
        self.assertEqual(outcome.conclude()[0], exits.OK)
        outcome.strict = True
        self.assertEqual(outcome.conclude()[0], exits.INCONCLUSIVE)

    def test_more_instructions_are_a_regression_whatever_the_times_say(self):
        outcome = Trial(MadeUp(a=steady(control=log(1.1)))).run()
        outcome.exact = ["try_ring: 5.0 % more instructions"]
        self.assertEqual(outcome.conclude()[0], exits.REGRESSION)


class Noise(MadeUp):
    """Each slice scatters by `jitter`, one of twenty is much slower, and each link has
    a speed of its own, which changes when links are made anew."""

    def __init__(self, seed, cells=8, jitter=0.05, layout=0.02, slower=()):
        super().__init__(**{"c%d" % number: None for number in range(cells)})
        self.rng = random.Random(seed)
        self.jitter, self.layout, self.slower = jitter, layout, dict(slower)
        self.relink()

    def relink(self):
        self.speed = {(cell, arm, link): self.rng.gauss(0, self.layout)
                      for cell in self.cells for arm in plan.ARMS
                      for link in range(builds.LINKS)}

    def round(self, phase, turn, cells):
        links = plan.links(turn, builds.LINKS)
        return {cell: tuple(self.slice(cell, arm, links[arm]) for arm in plan.ARMS)
                for cell in cells}

    def slice(self, cell, arm, link):
        effect = self.slower.get(cell, 0) if arm == "head" else 0
        stall = self.rng.expovariate(4) if self.rng.random() < 0.05 else 0
        return 100 * exp(effect + stall + self.speed[cell, arm, link]
                         + self.rng.gauss(0, self.jitter))


class Simulated(unittest.TestCase):
    """Whole runs over noise as it is on shared machines, with fixed seeds."""

    def verdicts(self, runs, **what):
        outcomes = [Trial(Noise(seed, **what)).run() for seed in range(runs)]
        return [(outcome.conclude()[0], {one.cell for one in outcome.of(REGRESSED, IMPROVED)})
                for outcome in outcomes]

    def test_identical_code_is_not_flagged(self):
        found = self.verdicts(40)
        self.assertEqual([flags for _, flags in found if flags], [])
        self.assertLessEqual(sum(status != exits.OK for status, _ in found), 1)

    def test_fifteen_per_cent_are_found_and_nothing_else(self):
        found = self.verdicts(40, slower={"c3": log(1.15)})
        self.assertGreaterEqual(sum("c3" in flags for _, flags in found), 36)
        self.assertEqual([flags for _, flags in found if flags - {"c3"}], [])

    def test_thirty_per_cent_are_always_found(self):
        found = self.verdicts(20, slower={"c3": log(1.3)})
        self.assertEqual({status for status, _ in found}, {exits.REGRESSION})


class Evidence(unittest.TestCase):
    BEFORE = Snapshot(busy=100, idle=100, stolen=1, own=50, throttled=0)

    def after(self, busy=5.0, idle=5.0, stolen=0.0, own=5.0, throttled=0):
        return Snapshot(100 + busy, 100 + idle, 1 + stolen, 50 + own, throttled)

    def kind(self, **what):
        found = evidence.disturbance(self.BEFORE, self.after(**what))
        return found and found[0]

    def test_our_own_work_is_no_disturbance(self):
        self.assertEqual(self.kind(), None)
        self.assertEqual(self.kind(busy=5.1), None)

    def test_others_are(self):
        self.assertEqual(self.kind(busy=5.5), "foreign")
        self.assertEqual(self.kind(stolen=0.2), "steal")
        self.assertEqual(self.kind(throttled=1), "throttled")

    def test_a_tick_is_not(self):
        self.assertEqual(self.kind(busy=0.14, own=0.1, idle=0.1), None)

    def test_an_unknown_machine_rejects_nothing(self):
        self.assertEqual(evidence.disturbance(None, self.after()), None)


class FakeBench:
    """Two cells, and a log of what ran."""

    def __init__(self, **answers):
        self.cells = ["a", "b"]
        self.answers = answers
        self.ran = []
        self.missing, self.failures = [], []

    def groups(self, cells, phase, turn):
        return [([cell], start) for cell, start in plan.cell_order(cells, phase, turn, 1)]

    def links(self, turn):
        return plan.links(turn, 2)

    def relink(self):
        pass

    def run(self, arm, link, cells):
        self.ran.append((cells[0], arm, link))
        ns = {"base": 100.0, "head": 110.0, "control": 100.5}[arm]
        return {cells[0]: self.answers.get(arm + "_" + cells[0], rounds.Slice(ns))}


class Live(unittest.TestCase):
    def clock(self, *busy):
        """Snapshots with so much of others between each two."""
        taken = []

        def now():
            spent = sum(busy[:(len(taken) + 1) // 2])
            taken.append(spent)
            return Snapshot(spent, 10 * len(taken), 0, 0, 0)
        return now

    def test_every_arm_of_every_cell_runs_once_in_its_order(self):
        bench, kept = FakeBench(), []
        live = rounds.Live(bench, kept.append, clock=lambda: None)
        times = live.round("look", 4, ["a", "b"])
        self.assertEqual(times["a"], (100.0, 110.0, 100.5))
        self.assertEqual(sorted((cell, arm) for cell, arm, _ in bench.ran),
                         sorted((cell, arm) for cell in "ab" for arm in plan.ARMS))
        for cell in "ab":
            ran = [(arm, link) for name, arm, link in bench.ran if name == cell]
            start = dict(plan.cell_order(["a", "b"], "look", 4, 1))[cell]
            self.assertEqual(tuple(arm for arm, _ in ran), plan.arm_order(4, start))
            self.assertEqual(dict(ran), plan.links(4, 2))
        self.assertEqual(kept[0]["cells"]["a"][1:], [100.0, 110.0, 100.5])
        self.assertEqual(kept[0]["rejected"], None)

    def test_a_disturbed_round_is_run_again_and_counted(self):
        bench, kept = FakeBench(), []
        live = rounds.Live(bench, kept.append, clock=self.clock(5, 5, 0, 0))
        live.round("look", 0, ["a"])
        self.assertEqual(dict(live.rejected), {"foreign": 2})
        self.assertEqual(live.accepted, 1)
        self.assertEqual([record["rejected"] for record in kept], ["foreign", "foreign", None])
        self.assertEqual(len(bench.ran), 9)

    def test_there_is_a_cap(self):
        live = rounds.Live(FakeBench(), clock=self.clock(*[5] * 99))
        with self.assertRaises(Disturbed) as found:
            live.round("look", 0, ["a"])
        self.assertEqual(sum(live.rejected.values()), evidence.CAP + 1)
        self.assertIn("11 rounds were rejected", str(found.exception))

    def test_a_cell_that_one_side_does_not_have_is_named_and_left_out(self):
        bench = FakeBench(head_b=rounds.Slice(missing="no channel 'b'"))
        live = rounds.Live(bench, clock=lambda: None)
        self.assertEqual(set(live.round("look", 0, ["a", "b"])), {"a"})
        self.assertEqual(bench.missing, ["b: head: no channel 'b'"])

    def test_a_cell_that_fails_its_check_ends_the_rounds(self):
        bench = FakeBench(head_b=rounds.Slice(failure="FAILED: 3 lost"))
        with self.assertRaises(rounds.Failed):
            rounds.Live(bench, clock=lambda: None).round("look", 0, ["a", "b"])
        self.assertEqual(bench.failures, ["b: head: FAILED: 3 lost"])


class Cells(unittest.TestCase):
    """bench/sweeps/gate, as it is shipped."""

    def test_there_are_24_and_every_pattern_is_among_them(self):
        lines = sweepfile.load(sweepfile.find("gate")).lines
        sizes = [prod(len(values) for _, values in line.knobs) * len(line.chans)
                 * len(line.patterns) for line in lines]
        self.assertEqual(sum(sizes), 24)
        self.assertEqual({name for line in lines for name in line.patterns},
                         set(re.findall(r"^PATTERN\((\w+)", (
                             ROOT / "patterns/patterns.def").read_text(), re.M)))


class Alike(unittest.TestCase):
    class Weft:
        def __init__(self, helps):
            self.helps = helps

        def run(self, args, _timeout):
            assert args == ["help", "run"]
            return Answer(0, self.helps, "", 0.0, False)

        def stop(self):
            pass

    def test_no_arm_warms_up_where_one_cannot(self):
        old, new = self.Weft("--time=MS"), self.Weft("--time=MS --warmup=MS")
        self.assertEqual(rounds.alike({"base": [new], "head": [new]}),
                         {"base": ["--warmup=5"], "head": ["--warmup=5"]})
        self.assertEqual(rounds.alike({"base": [old], "head": [new]}),
                         {"base": [], "head": ["--warmup=0"]})


class Benchmarks(unittest.TestCase):
    def test_rows_of_google_benchmark_become_times(self):
        found = rounds.rows_of([
            {"name": "a", "run_type": "iteration", "real_time": 2.0, "time_unit": "us"},
            {"name": "a", "run_type": "iteration", "real_time": 4.0, "time_unit": "us"},
            {"name": "a", "run_type": "iteration", "real_time": 9.0, "time_unit": "us"},
            {"name": "a_median", "run_type": "aggregate", "real_time": 7.0},
            {"name": "old", "real_time": 5.0},
            {"name": "bad", "error_occurred": True, "error_message": "lost 3"}])
        self.assertEqual({name: one.ns for name, one in found.items()},
                         {"a": 4000.0, "old": 5.0, "bad": None})
        self.assertEqual(found["bad"].failure, "lost 3")


class Exact(unittest.TestCase):
    CALLGRIND = """\
fn=(1) main
10 5
cfn=(2) path_try_ring
calls=1 20
11 1000
+1 7
cfn=(2)
calls=1 20
* 1010
cfn=(3) puts
calls=1 0
+3 99
fn=(2)
20 40
cfn=(4) weft_chan_try_send
calls=1000 5
21 900
"""

    def test_costs_of_both_calls_are_read_from_callgrinds_format(self):
        self.assertEqual(exact.inclusive(self.CALLGRIND), {"try_ring": 2010})

    def test_two_per_cent_more_instructions_are_too_many(self):
        for head, worse in ((1020, 0), (1021, 1), (900, 0)):
            found = exact.Exact()
            exact.instructions(found, {"a": 1000}, {"a": head})
            self.assertEqual(len(found.worse), worse, head)

    def test_a_count_above_its_ceiling_is_too_high(self):
        limits = {"*": {"syscalls": 0, "allocations": 0}, "list": {"allocations": 0.04}}
        found = exact.Exact(counts={
            "list": {"allocations": 0.04, "syscalls": 0, "parks": 9, "wakes": 0,
                     "voluntary_switches": 0},
            "ring": {"allocations": 0.001, "syscalls": 1, "parks": 0, "wakes": 0,
                     "voluntary_switches": 0}})
        exact.check_counts(found, limits)
        self.assertEqual(len(found.worse), 2)
        self.assertTrue(all(line.startswith("ring: ") for line in found.worse))

    def test_the_ceilings_that_are_shipped_can_be_read(self):
        self.assertEqual(exact.ceilings()["*"]["syscalls"], 0)


def recorded(kind, number, n=22, verdict="OK", flags=(), slower=(), jitter=0.01):
    """A recorded run of three cells, its times made up."""
    rng = random.Random("%s/%d" % (kind, number))
    cells = ["a", "b", "c"]
    made = [{"phase": "look", "turn": turn, "links": {}, "rejected": None, "cells": {
        cell: [("bhc", "hcb")[turn % 2]] + [100 * exp(rng.gauss(0, jitter)) for _ in "bhc"]
        for cell in cells}} for turn in range(n)]
    return Record(
        {"schema": 1, "kind": kind, "number": number, "cells": cells, "commit": "c" * 40,
         "host": {"cpu": "Fake", "cpus": 2}, "slower": dict.fromkeys(slower, 0.15)},
        made, {"verdict": verdict, "flags": dict(flags), "seconds": 100.0})


class Proof(unittest.TestCase):
    """What is made of recorded runs."""

    def test_the_binomial_interval_is_that_of_clopper_and_pearson(self):
        for hits, n, low, high in ((0, 50, 0, 0.0711), (1, 50, 0.0005, 0.1065),
                                   (18, 20, 0.6830, 0.9877), (20, 20, 0.8316, 1)):
            found = stats.binomial_interval(hits, n)
            self.assertAlmostEqual(found[0], low, 4)
            self.assertAlmostEqual(found[1], high, 4)

    def test_what_is_written_is_read_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = records.path_of(folder, "relinked", 3)
            one = recorded("relinked", 3)
            records.write(path, one)
            again = records.read(path)
            self.assertEqual((again.head, again.end), (one.head, one.end))
            self.assertEqual(len(again.rounds), 22)
            self.assertAlmostEqual(again.rounds[4]["cells"]["b"][2],
                                   one.rounds[4]["cells"]["b"][2], 3)
            self.assertEqual([found.kind for found in records.read_all(folder)],
                             ["relinked"])
            self.assertEqual(selftest.missing(folder, [("relinked", 5), ("same", 1)]),
                             [("relinked", 0), ("same", 0), ("relinked", 1),
                              ("relinked", 2), ("relinked", 4)])

    def test_what_is_no_record_is_bad_input(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.jsonl.gz")
            with open(path, "w") as file:
                file.write("no")
            with self.assertRaises(Problem):
                records.read(path)

    def test_real_runs_are_counted_by_what_was_flagged(self):
        slow = [("a", REGRESSED)]
        table = power.real([
            recorded("relinked", 0), recorded("relinked", 1, flags=slow, verdict=REGRESSED),
            recorded("slower-15", 0, slower="a", flags=slow, verdict=REGRESSED),
            recorded("slower-15", 1, slower="b", flags=slow, verdict=REGRESSED),
            recorded("slower-15", 2, slower="a", flags=slow, verdict=trial.CONTAMINATED),
            recorded("full", 0)])
        relinked, slower = table.rows
        self.assertTrue(relinked[3].startswith("1 of 2: 50.0 %"))
        self.assertTrue(slower[2].startswith("1 of 3: "))
        self.assertTrue(slower[3].startswith("1 of 3: "))
        self.assertEqual((slower[4], slower[5]), ("2", "1"))

    def test_resampling_finds_what_it_made_slower_and_nothing_else(self):
        made = records.pool([recorded("full", 0, n=41), recorded("slower-15", 0)])
        self.assertEqual(len(made), 41)
        table = power.resampled(made, 12, (0, 30))
        self.assertTrue(table.rows[0][2].startswith("0 of 12"))
        self.assertTrue(table.rows[1][1].startswith("12 of 12"))

    def test_cruder_rules_see_the_same_rounds(self):
        quiet = power.compared([recorded("relinked", 0, jitter=0.001)])
        noisy = power.compared([recorded("relinked", 0, jitter=0.3)])
        self.assertEqual({row[1].split(":")[0] for row in quiet.rows}, {"0 of 1"})
        self.assertTrue(all(row[3].startswith("3 of 3") for row in quiet.rows))
        self.assertTrue(noisy.rows[0][1].startswith("1 of 1"))

    def test_mann_and_whitney(self):
        self.assertLess(rivals.mann_whitney(range(11), range(20, 31)), 0.001)
        self.assertAlmostEqual(rivals.mann_whitney([1, 2, 3], [1, 2, 3]), 0.5)

    def test_the_floor_is_what_identical_code_differed_by(self):
        rounds_of = [recorded("relinked", n, n=11, jitter=0.05) for n in range(10)]
        floor = power.floor(rounds_of)
        self.assertEqual(set(floor), {"a", "b", "c"})
        self.assertTrue(all(0.01 < value < 0.1 for value in floor.values()))
        self.assertEqual(power.floor(rounds_of[:2]), {})

    def test_a_kind_that_is_none_is_refused(self):
        for kind in ("slower-0", "slower-100", "mutant-x", "other"):
            with self.assertRaises(Problem):
                selftest.check(kind)
        for kind in ("same", "relinked", "full", "load", "slower-15", "mutant-fence"):
            selftest.check(kind)

    def test_every_mutant_is_a_change_of_a_source_of_ours(self):
        for name, (file, old, new) in selftest.MUTANTS.items():
            self.assertEqual((ROOT / file).read_text().count(old), 1, name)
            self.assertNotEqual(old, new)


class Said(unittest.TestCase):
    INFO = {"base": "aaaaaaaaaaaa", "head": "bbbbbbbbbbbb", "seed": 1, "cpu": "Fake",
            "cpus": 2, "accepted": 32, "rejected": {"foreign": 2}}

    def outcome(self):
        cells = {"c%d" % i: steady(seed=i) for i in range(4)}
        return Trial(MadeUp(slow=steady(head=log(1.15)), **cells)).run()

    def test_the_terminal_sees_the_changed_cells_alone(self):
        said = report.terminal(self.outcome(), self.INFO)
        self.assertIn("REGRESSED    slow", said)
        self.assertIn("11 of 11 pairs agree in sign", said)
        self.assertIn("5 of 5 cells executed: 1 REGRESSED, 4 EQUIVALENT", said)
        self.assertIn("32 rounds accepted, 2 rejected (2 foreign)", said)
        self.assertNotIn("c1", said)

    def test_markdown_and_json_say_the_same(self):
        outcome = self.outcome()
        text = report.markdown(outcome, {**self.INFO, "instructions": {
            "try_ring": [200, 201]}, "calls": {"try_ring": {"syscalls": 0.5}}})
        self.assertIn("## Performance gate: REGRESSED", text)
        self.assertIn("| try\\_ring | 200.0 | 201.0 | +0.50 % | 0 | 0.5 |", text)
        data = report.as_data(outcome, self.INFO)
        self.assertEqual((data["exit_status"], data["executed"], data["expected"]), (2, 5, 5))
        slow = data["cells"][0]
        self.assertAlmostEqual(slow["effect"], 0.15, 2)
        self.assertEqual(slow["fresh"]["verdict"], REGRESSED)

    def test_progress_says_how_many_cells_are_undecided(self):
        stream = io.StringIO()
        progress = GateProgress(stream, 24, False)
        progress.step("look", 11, 7, "c")
        self.assertIn("round 12, next look at 21, 7 of 24 cells undecided",
                      stream.getvalue())

    def test_a_signal_is_seen_between_two_slices(self):
        STOP.asked = True
        self.addCleanup(setattr, STOP, "asked", False)
        with self.assertRaises(KeyboardInterrupt):
            rounds.run(None, [], 1)


if __name__ == "__main__":
    unittest.main()
