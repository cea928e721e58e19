#!/usr/bin/env python3
"""Channels that break their promises, and the commands that must find it out.

    weft_broken_test.py WEFT BROKEN_DIR [unittest arguments]
"""

import unittest

import weft_command
from weft_command import FIELDS, PATIENCE, SHORT, broken, sanitizer, strict, weft


class Broken(unittest.TestCase):
    """A check that cannot fail is no check."""

    CELLS = [
        ["fan", "--workers=1", "--cap=64", "--items=20000"],
        ["generator", "--cap=64", "--items=20000"],
        ["mapreduce", "--variant=stream", "--workers=1", "--chunk=2", "--cap=64",
         "--items=20000"],
        ["pipeline", "--workers=1", "--cap=64", "--items=20000"],
        ["producer_consumer", "--producers=1", "--consumers=1", "--cap=64",
         "--items=20000"],
        ["pub_sub", "--subscribers=1", "--cap=64", "--items=20000"],
        ["select", "--writers=1", "--cap=64", "--items=20000"],
        ["supervisor", "--workers=1", "--cap=64", "--items=2500"],
    ]

    def test_every_pattern_is_among_them(self):
        # But for those below: ping_pong has one message at a time, and so has what waits
        # to be cancelled; a semaphore's are all alike and so are a limiter's, pools look
        # at what comes out, and an event loop is woken otherwise. Of single flight it is
        # the answers that are looked at. Pulses may be dropped.
        patterns = strict(weft("list", "patterns", "--json").out)
        self.assertEqual(sorted([p["name"] for p in patterns]),
                         sorted([cell[0] for cell in self.CELLS] +
                                ["event_loop", "heartbeat", "ping_pong",
                                 "rate_limiting", "resource_pool", "semaphore",
                                 "singleflight", "timeout_cancellation",
                                 "worker_pool"]))

    def fails(self, channel, words):
        for cell in self.CELLS:
            with self.subTest(cell=cell[0]):
                answer = weft("run", *cell, broken(channel), "--json",
                              "--timeout=%d" % (PATIENCE // 2))
                result = strict(answer.out)
                self.assertEqual(answer.status, 1)
                self.assertEqual(result["verdict"], "FAILED")
                self.assertEqual(result["chan"], channel)
                self.assertRegex(result["why"], words)
                self.assertIsNone(result["messages_per_second"])
                self.assertIn("FAILED", answer.err)

    def test_dropping(self):
        self.fails("dropping", "lost")

    def test_duplicating(self):
        self.fails("duplicating", "twice")

    def test_swapping(self):
        self.fails("swapping", "order")

    def test_corrupting(self):
        self.fails("corrupting", "never sent")

    def ends(self, cell, channel, verdict, words, timeout=PATIENCE // 2):
        """A run of the cell over that broken channel; why matches the words."""
        with self.subTest(channel=channel):
            answer = weft("run", *cell, broken(channel), "--reps=1", "--latency=0",
                          "--timeout=%d" % timeout)
            result = strict(answer.out)
            self.assertEqual(result["verdict"], verdict)
            self.assertRegex(result["why"], words)

    def test_a_round_trip_that_is_not_one(self):
        # One message at a time: there is nothing that could be swapped.
        cell = ["ping_pong", "--cap=64", "--items=3000", "--json"]
        for channel, verdict, words in (
                ("duplicating", "FAILED", "requests out of turn"),
                ("corrupting", "FAILED", "corrupt|Protocol"),
                # Long before its limit: nobody is left to wake them.
                ("dropping", "HUNG", "2 of 2 drivers .* all tasks were asleep"),
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_events_of_a_queue(self):
        # The tag of its source stands behind an event, and is what gets corrupted. A
        # channel that wakes nobody does not matter to a wait in the kernel.
        cell = ["event_loop", "--variant=queue", "--producers=1", "--sources=1",
                "--cap=64", "--items=20000", "--json"]
        for channel, verdict, words in (
                ("dropping", "FAILED", "lost"),
                ("duplicating", "FAILED", "twice"),
                ("swapping", "FAILED", "order"),
                ("corrupting", "FAILED", "lost .* events were discarded"),
                ("deaf", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_permits_that_are_tokens_in_a_channel(self):
        # Every one of them is at stake, and none comes before another.
        cell = ["semaphore", "--variant=channel", "--workers=4", "--permits=2",
                "--items=20000", "--json"]
        for channel, verdict, words in (
                ("dropping", "FAILED", "lost"),
                ("duplicating", "FAILED", "permits|tokens"),
                ("corrupting", "FAILED", "corrupt"),
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_answers_that_come_through_channels(self):
        # One at a time: there is nothing that could be swapped. Every second call gets
        # its answer in this way, whatever else the machine does, since they gather.
        cell = ["singleflight", "--variant=channel", "--workers=2", "--cap=64",
                "--items=20000", "--gather=1", "--json"]
        for channel, verdict, words in (
                ("duplicating", "FAILED", "had ended before the call"),
                ("corrupting", "FAILED", "corrupt"),
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)
        self.ends(cell, "dropping", "HUNG", "of 2 drivers", timeout=10)

    def test_jobs_that_a_channel_has_mislaid(self):
        # Whatever does not come out as it went in fails the pool.
        cell = ["worker_pool", "--workers=1", "--items=20000", "--json"]
        for channel, verdict, words in (
                ("dropping", "FAILED", "lost|error"),
                ("duplicating", "FAILED", "lost|error"),
                ("corrupting", "FAILED", "lost|error"),
                # They are run in any order.
                ("swapping", "VERIFIED", "^$")):
            self.ends(cell, channel, verdict, words)

    def test_the_verdict_is_printed_for_people_too(self):
        answer = weft("run", *self.CELLS[0], broken("dropping"))
        self.assertEqual(answer.status, 1)
        self.assertRegex(answer.out, r"\nFAILED: .*lost")
        self.assertNotIn("throughput", answer.out)

    def test_the_base_of_them_all_is_sound(self):
        # With fewer items than the fault needs to strike.
        answer = weft("run", "pipeline", "--workers=1", "--cap=64",
                      "--items=900", broken("dropping"))
        self.assertEqual(answer.status, 0, answer.out)

    def test_a_process_that_the_channel_ends_is_no_success(self):
        for command in (["run", *self.CELLS[0]], ["run", *self.CELLS[0], "--json"]):
            answer = weft(*command, broken("leaving"), WEFT_LEAVES="create")
            self.assertEqual(answer.status, 1, answer)
            self.assertEqual(answer.out, "")
            self.assertRegex(answer.err, r"\Aweft: .*leaving.so: CRASHED: exit status 0\n\Z")
        answer = weft("bench", broken("leaving"), "--benchmark_filter=^fan/.*leaving",
                      WEFT_LEAVES="create")
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("leaving", answer.out)

    def test_deaf_is_ended_by_the_watchdog(self):
        for cell in self.CELLS:
            if cell[0] == "select":
                continue  # it does not wait in the channel, deaf or not
            with self.subTest(cell=cell[0]):
                answer = weft("run", *cell, broken("deaf"), "--timeout=2",
                              "--seed=5", "--json")
                result = strict(answer.out)
                self.assertEqual(answer.status, 1)
                self.assertEqual(result["verdict"], "HUNG")
                self.assertEqual(list(result), FIELDS)
                self.assertRegex(answer.err,
                                 r"HUNG: %s/chan:deaf/.*seed 5" % cell[0])
                self.assertRegex(answer.err, r"task driver 0 ")
                self.assertRegex(answer.err, r"task \S.*parked on")

    def test_deaf_for_people(self):
        answer = weft("run", *self.CELLS[0], broken("deaf"), "--timeout=1")
        self.assertEqual(answer.status, 1)
        self.assertRegex(answer.out, r"\nHUNG: ")


class Wicked(unittest.TestCase):
    """A plug-in that does harm to its process harms no command: a finding with a name,
    exit status 1."""

    #: A crash in these is nothing to the C library's own, or to a sanitizer's, order of
    #: ending a process.
    CALLS = ("create", "destroy", "try_send", "try_recv", "close", "len", "cap", "poll")

    #: A check that makes all these calls.
    CHECK = ["check", "--percent=10", "--only=^len_and_cap_are_exact|"
             "^a_closed_channel_drains|^a_select_gives_up"]

    def commands(self):
        return (["run", "pipeline", *SHORT[:-1], "--timeout=2"], ["list"],
                ["bench", "--benchmark_filter=^ping_pong/chan:wicked/pairs:1/cap:1/payload:8/"
                 "work:0/wait:adaptive/",
                 "--time=1", "--timeout=2", "--benchmark_repetitions=1"],
                ["check", "--only=^len_and_cap_are"],
                ["stress", "chan", "--seconds=0.1"])

    def test_while_it_is_loaded(self):
        moments = [("load", "crash"), ("load", "_exit"), ("unload", "_exit"),
                   ("load", "exit"), ("load", "divide")]
        if sanitizer() == "thread":
            moments.remove(("unload", "_exit"))  # there, a process ends without it
        for command in self.commands():
            for call, deed in moments:
                with self.subTest(command=command[0], call=call, deed=deed):
                    answer = weft(*command, broken("wicked"),
                                  WEFT_WICKED="%s:%s" % (call, deed))
                    self.assertEqual(answer.status, 1, answer)
                    self.assertEqual(answer.out, "")
                    self.assertRegex(answer.err, r"\Aweft: .*wicked.so: it_can_be_loaded: "
                                                 r"(FAILED|CRASHED): [^\n]+\n\Z")

    def test_in_its_calls(self):
        for call in self.CALLS:
            for deed in ("crash", "wild", "_exit") if call == "create" else ("crash",):
                with self.subTest(call=call, deed=deed):
                    answer = weft(*self.CHECK, broken("wicked"),
                                  WEFT_WICKED="%s:%s" % (call, deed))
                    self.assertEqual(answer.status, 1, answer)
                    self.assertRegex(answer.out, r"(?m)^  (CRASHED|FAIL) +\w+ ")
                    self.assertRegex(answer.out, r"\n  \d+ passed, ")

    def test_a_call_that_does_not_return(self):
        for command in ([*self.CHECK, "--time-limit=1"],
                        ["stress", "chan", "--seconds=1", "--time-limit=1", "--failures=1"],
                        self.commands()[0]):
            answer = weft(*command, broken("wicked"), WEFT_WICKED="create:loop")
            self.assertEqual(answer.status, 1, answer)
            self.assertIn("HUNG", answer.out + answer.err)

    def test_a_thread_of_its_own(self):
        for command in self.commands():
            answer = weft(*command, broken("wicked"), WEFT_WICKED="thread:_exit")
            # Whatever has ended before the thread acts is well.
            self.assertIn(answer.status, (0, 1), answer)
            # (On a slow machine it may act while the channel is being loaded.)
            if command[0] == "list" and answer.status == 0:
                self.assertIn("wicked", answer.out)
        # The command itself goes on to its end, once the channel is loaded.
        answer = weft(*self.CHECK, "--percent=1000", broken("wicked"),
                      WEFT_WICKED="worker:_exit")
        self.assertRegex(answer.out, r"\n  \d+ passed, ")


if __name__ == "__main__":
    weft_command.main()
