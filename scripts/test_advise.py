#!/usr/bin/env python3
"""Tests of advise.py and weftlib/advise.py, against fake_weft.py.

    python3 scripts/test_advise.py
"""

import json
import subprocess
import sys
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS))
sys.dont_write_bytecode = True

import advise_check  # noqa: E402
from fixture import FakeRuns  # noqa: E402
from weftlib import Problem, advise, progress  # noqa: E402

ALL = ["bounded", "rendezvous", "fifo", "select", "timeout", "batch", "len"]
ENTRIES = [
    {"name": "all", "caps": ALL, "min_cap": 0},
    {"name": "plain", "caps": ["bounded", "fifo"], "min_cap": 1, "max_cap": 100},
    {"name": "one", "caps": ALL, "max_senders": 1, "min_cap": 0},
    {"name": "endless", "caps": ["unbounded", "select"], "min_cap": 1, "max_cap": None},
    {"name": "nothing", "caps": ["unbounded", "no_data"]},
    {"name": "theirs", "caps": ALL, "adapter": "boxes (x); close (a flag)"},
    {"name": "spins", "caps": ALL, "adapter": "spins only: pauses, then yields"},
    {"name": "own", "caps": ALL, "adapter": "boxes for elements"}]


def question(producers=2, consumers=1, cap=64, size=8, **more):
    return advise.Question(producers, consumers, cap, size, **more)


def candidate(name, *rates, **more):
    return advise.Candidate(name, more.get("unmet", ()), (), verdict="VERIFIED",
                            rates=dict(enumerate(rates)))


class Questions(unittest.TestCase):
    def able(self, **more):
        found, unable = advise.able(ENTRIES, question(**more))
        return {one.name: one.unmet for one in found}, unable

    def test_what_a_channel_cannot_do_at_all_is_not_measured(self):
        found, unable = self.able(cap=500)
        self.assertEqual(unable, {"plain": "capacity 100 at most",
                                  "one": "1 sender at most"})
        self.assertEqual(list(found), ["all", "endless", "theirs", "spins", "own"])
        self.assertEqual(list(self.able(producers=1)[0]),
                         ["all", "plain", "one", "endless", "theirs", "spins", "own"])

    def test_the_capacity_is_a_need(self):
        self.assertEqual(self.able()[0]["endless"], ("bounded",))
        found, unable = self.able(cap=0)
        self.assertEqual(unable["plain"], "no capacity 0")
        self.assertEqual(found["all"], ())
        found, unable = self.able(cap="unbounded")
        self.assertEqual((found, unable["all"]), ({"endless": ()}, "has a bound"))

    def test_what_was_asked_for_and_is_not_there_is_unmet(self):
        found, _ = self.able(need=("select", "len"))
        self.assertEqual(found["plain"], ("select", "len"))
        self.assertEqual(found["endless"], ("len", "bounded"))
        self.assertEqual(found["all"], ())

    def test_close_that_was_added_is_not_the_librarys(self):
        found, _ = self.able(need=("close",))
        self.assertEqual((found["theirs"], found["own"], found["all"], found["spins"]),
                         (("close",), (), (), ()))
        self.assertEqual(self.able(need=("sleep",))[0]["spins"], ("sleep",))

    def test_what_it_lacks_beside_that_is_told(self):
        found, _ = advise.able(ENTRIES, question(need=("select",)))
        self.assertEqual({one.name: one.lacks for one in found}["plain"],
                         ("timeout", "batch", "len"))

    def test_an_unbounded_question_sets_no_capacity(self):
        self.assertNotIn("cap", dict(question(cap="unbounded").knobs))
        self.assertEqual(dict(question(size=64).knobs), {
            "producers": "2", "consumers": "1", "cap": "64", "payload": "64"})

    def test_refusals_name_the_value_and_what_is_allowed(self):
        pattern = {"knobs": [{"name": key, "min": 1, "max": 16} for key in (
            "producers", "consumers", "cap")] + [{"name": "payload", "min": 8, "max": 64},
                                                 {"name": "work", "min": 0, "max": 10**9}]}
        for more, text in (
                (dict(producers=17), "--producers=17: must be a whole number from 1 to 16"),
                (dict(cap=17), "--cap=17: must be a whole number from 1 to 16, or unb"),
                (dict(cap=1, size=72), "--size=72: must be a whole number from 8 to 64"),
                (dict(cap=1, size=12), "--size=12: must be a multiple of 8; 16 is"),
                (dict(cap=1, work=100001), "from 0 to 100000")):
            with self.assertRaises(Problem) as caught:
                advise.refuse(question(**more), pattern)
            self.assertIn(text, str(caught.exception))
        advise.refuse(question(cap="unbounded"), pattern)

    def test_more_candidates_get_shorter_slices_and_fewer_rounds(self):
        few = advise.cells([candidate(str(i)) for i in range(3)], question(), 24)
        many = advise.cells([candidate(str(i)) for i in range(30)], question(), 24)
        self.assertEqual(few[0].time_ms, advise.TIMES_MS[0])
        self.assertLess(many[0].time_ms, few[0].time_ms)
        self.assertLess(many[0].rounds, few[0].rounds)
        self.assertTrue(all(cell.measures_latency(0) for cell in many))


class Deciding(unittest.TestCase):
    """Of candidates with made-up rates in each round."""

    FAST = [100, 104, 96, 101, 99, 103, 97, 102, 98]

    def test_what_is_surely_slower_is_left_out(self):
        fast, near = candidate("fast", *self.FAST), candidate("near", *self.FAST[::-1])
        slow = candidate("slow", *(rate / 2 for rate in self.FAST))
        self.assertEqual(advise.eliminated([fast, near, slow]), ["slow"])

    def test_turns_are_compared_one_by_one(self):
        ours, theirs = [1, 2, 30], [2, 40, 3]
        both = [candidate("a", 1, 1), candidate("b", 1, 1)]
        for one, times in zip(both, (ours, theirs)):
            one.slices[0] = {"group": "g", "samples": [
                {"ns": 100 * ns, "messages": 100} for ns in times]}
        self.assertEqual(advise.against(*both).value, 1.5)  # of 2 and 1

    def test_what_never_came_near_is_left_out_early(self):
        fast = candidate("fast", 100, 50, 100)
        far, near = candidate("far", 49, 24, 49), candidate("near", 10, 26, 10)
        self.assertEqual(advise.far_behind([fast, far, near]), ["far"])
        self.assertEqual(advise.far_behind([candidate("lacks", 1, unmet=("len",))]), [])

    def test_one_good_round_keeps_it_in(self):
        fast = candidate("fast", *self.FAST)
        odd = candidate("odd", *([50] * 8 + [100]))
        self.assertEqual(advise.eliminated([fast, odd]), [])
        self.assertFalse(advise.is_decided([fast, odd]))

    def test_the_same_rounds_are_compared(self):
        """The machine slows down: so do both, and the ratio stays."""
        rates = [100, 90, 80, 70, 60, 50, 40, 30, 20]
        one = candidate("one", *rates)
        other = candidate("other", *(0.8 * rate for rate in rates))
        ratio = advise.against(other, one)
        self.assertAlmostEqual(ratio.low, 0.8)
        self.assertAlmostEqual(ratio.high, 0.8)
        self.assertEqual(advise.eliminated([one, other]), ["other"])

    def test_what_lacks_something_is_left_out_however_fast(self):
        fast = candidate("fast", *(9 * rate for rate in self.FAST), unmet=("select",))
        usable = candidate("usable", *self.FAST)
        self.assertEqual(advise.best([fast, usable]), usable)
        self.assertEqual(advise.eliminated([fast, usable]), ["fast"])
        self.assertTrue(advise.is_decided([usable]))

    def test_what_was_left_out_early_is_not_the_best_of_later_rounds(self):
        """Its few rounds were the good ones."""
        gone = candidate("gone", 200, 200, 200)
        here = candidate("here", 300, 300, 300, 100, 100, 100, 100)
        self.assertEqual(advise.best([gone, here]), here)
        self.assertAlmostEqual(advise.against(gone, here).value, 2 / 3)

    def test_equally_good_ones_are_decided_and_both_named(self):
        one, other = candidate("one", *self.FAST), candidate("other", *self.FAST)
        other.rates[0], other.rates[1] = 101, 103
        self.assertTrue(advise.is_decided([one, other]))
        found = advise.conclude(question(), [one, other], {})
        self.assertEqual(found.undecided, [other if found.pick is one else one])

    def test_failed_candidates_are_never_picked(self):
        bad, good = candidate("bad", 900, 900), candidate("good", 1, 1)
        bad.verdict, bad.why = "FAILED", "one is lost"
        found = advise.conclude(question(), [bad, good], {})
        self.assertEqual((found.pick, found.failed),
                         (good, [("bad", "FAILED", "one is lost")]))


class Commands(FakeRuns):
    """The whole command over fake_weft.py: alpha takes 100 ns, beta 200."""

    CAN = {"alpha": {"caps": ALL, "min_cap": 0}, "beta": {"caps": ALL, "min_cap": 0},
           "slow": {"caps": ALL, "max_senders": 1}, "picky": {"caps": ALL},
           "endless": {"caps": ["unbounded"]}, "drops": {"caps": ALL},
           "far": {"caps": ALL}}

    def advise(self, *args, status=0, channels="alpha,beta", **env):
        done = subprocess.run(
            [sys.executable, "-S", str(SCRIPTS / "advise.py"), "--weft", str(self.weft),
             "--seed=1", "--seconds=600", *args], text=True, capture_output=True,
            timeout=220,
            env=self.env(channels, FAKE_CAN=json.dumps(self.CAN), **env))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def test_the_fastest_is_picked_and_the_rest_is_told(self):
        done = self.advise("--producers=2", "--need=select,close",
                           channels="beta,alpha,slow,picky,endless,far",
                           FAKE_NS='{"far": 300, "beta": 200}')
        self.assertIn("2 producers, 1 consumer, capacity 64, messages of 8 bytes; needs "
                      "select, close", done.stdout)
        self.assertRegex(done.stdout, r"\n\*  alpha +10\.0 +1 +100 +2\.00 +9\n")
        self.assertRegex(done.stdout, r"\n   beta +5\.00 +0\.500 \(0\.500 to 0\.500\) ")
        self.assertRegex(done.stdout, r"\n   endless .*no select!, no bound: .*!")
        self.assertIn("Use alpha: 2.00 times as fast as beta, the next", done.stdout)
        self.assertIn("not measured: slow: 1 sender at most", done.stdout)
        self.assertIn("not measured: picky: no rendezvous", done.stdout)
        self.assertRegex(done.stderr, "advise: [0-9]+ of [0-9]+ slices")
        # Decided, so no more rounds than it took to see that.
        log = (self.dir / "log").read_text().split("\n")
        runs = [line for line in log if line.startswith("run ")]
        self.assertEqual(sum("--chan=alpha" in line for line in runs), 9)
        self.assertEqual(sum("--chan=picky" in line for line in runs), 1)
        # A third as fast in all of the first three.
        self.assertEqual(sum("--chan=far" in line for line in runs), 3)
        self.assertTrue(all("--payload=8" in line and "--cap=64" in line
                            and line.count("--cost=0") == 1 for line in runs))

    def test_the_time_left_is_never_more_than_it_may_take(self):
        shown = progress.Progress(sys.stderr, 100, 10, 50, quiet=True)
        self.assertEqual(shown.time_left(20, 10), "about 1 min 20 s")
        shown.limit = 24
        self.assertEqual(shown.time_left(20, 10), "about 4 s")
        self.assertEqual(shown.time_left(30, 10), "about 0 s")

    def test_json(self):
        found = json.loads(self.advise("--json", "--quiet").stdout)
        self.assertEqual((found["schema"], found["pick"], found["undecided"]),
                         (1, "alpha", []))
        self.assertEqual(found["question"]["need"], ["bounded"])
        beta = found["channels"][1]
        self.assertEqual((beta["chan"], beta["ratio"]["value"], beta["p99_ns"]),
                         ("beta", 0.5, 2000))
        self.assertEqual(found["context"]["seed"], 1)

    def test_work_is_the_same_in_all_processes(self):
        self.advise("--work=1000", "--quiet", FAKE_CONTEXT='{"work_rate": 812}')
        runs = [line for line in (self.dir / "log").read_text().split("\n")
                if line.startswith("run ")]
        self.assertTrue(runs and all("--work-rate=812" in line for line in runs))

    def test_what_cannot_be_told_is_said(self):
        done = self.advise(FAKE_NS='{"beta": 100}')
        self.assertIn("The data cannot tell whether", done.stdout)
        self.assertRegex(done.stdout, r"\n=  (alpha|beta) ")

    def test_a_failed_channel_is_named_and_makes_the_status_1(self):
        done = self.advise(channels="alpha,drops", status=1)
        self.assertIn("FAILED: drops: 999 of 1000 arrived", done.stdout)
        self.assertIn("Use alpha", done.stdout)

    def test_without_a_channel_that_qualifies_there_is_no_pick(self):
        done = self.advise("--need=len", channels="endless", status=1)
        self.assertIn("No channel that was measured has all of len, bounded", done.stdout)
        self.assertIn("no channel can do that: slow: 1 sender at most", self.advise(
            "--producers=2", channels="slow", status=2).stderr)

    def test_its_own_check_compares_picks_with_a_long_measurement(self):
        self.assertEqual(advise_check.judge("a", {"a": 91, "b": 100}), (True, 0.91, "b"))
        self.assertEqual(advise_check.judge("a", {"a": 89, "b": 100}), (False, 0.89, "b"))
        done = subprocess.run(
            [sys.executable, "-S", str(SCRIPTS / "advise_check.py"), "--weft",
             str(self.weft), "--questions=1", "--long=3", "--seconds=600"], text=True,
            capture_output=True, timeout=220,
            env=self.env("alpha,beta,endless", FAKE_CAN=json.dumps(self.CAN)))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\Agood  picked alpha +1\.00 of the best, alpha; .*\n"
                                      r"1 of 1 picks are within 10 % of the best\n\Z")

    def test_bad_input_is_one_line_that_says_what_is_allowed(self):
        for args, text in (
                (["--need=sleect"], "no need 'sleect'; there are select, timeout"),
                (["--producers=0"], "--producers=0: must be a whole number from 1 to 64"),
                (["--cap=many"], "'many' must be a whole number or unbounded"),
                (["--size=9"], "--size=9: must be a multiple of 8"),
                (["--seconds=1"], "from 3 to 600"), (["--peers=nope"], "nope")):
            done = self.advise(*args, status=2)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(text, done.stderr)
            self.assertTrue(done.stderr.startswith("weft advise: "))


if __name__ == "__main__":
    unittest.main()
