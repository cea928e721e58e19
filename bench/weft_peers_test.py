#!/usr/bin/env python3
"""A copy of the command with peers beside it.

    weft_peers_test.py WEFT BROKEN_DIR [unittest arguments]
"""

import os
import shutil
import subprocess
import tempfile
import unittest

import weft_command
from weft_command import PATIENCE, SHORT, Answer, strict


class Peers(unittest.TestCase):
    """A copy of the command with peers beside it: one that loses messages, one whose
    library is missing, one that is right, one that is no shared object, and one that
    is another."""

    LIST = ("dropping\tready\ngone\tlibgone\nlumpy\tready\n"
            "odd\tready\nother\tready\n")

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        peers = os.path.join(cls.folder.name, "peers")
        os.mkdir(peers)
        cls.weft = os.path.join(cls.folder.name, "weft")
        shutil.copy(weft_command.WEFT, cls.weft)
        for source, name in (("../correct/lumpy", "lumpy"), ("dropping", "dropping"),
                             ("../correct/lumpy", "other")):
            shutil.copy(os.path.join(weft_command.BROKEN, source + ".so"),
                        os.path.join(peers, name + ".so"))
        with open(os.path.join(peers, "odd.so"), "w") as file:
            file.write("nothing")
        with open(os.path.join(peers, "peers.list"), "w") as file:
            file.write(cls.LIST)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def ask(self, *args):
        done = subprocess.run([self.weft, *args], stdin=subprocess.DEVNULL,
                              timeout=PATIENCE, capture_output=True, text=True)
        return Answer(done.returncode, done.stdout, done.stderr)

    def test_they_are_listed_with_what_is_missing(self):
        text = self.ask("list", "channels").out
        self.assertRegex(text, r"(?m)^  lumpy ")
        self.assertRegex(text, r"(?m)^  gone +not built: libgone$")
        self.assertRegex(text, r"(?m)^  odd ")
        self.assertEqual(self.ask("list", "peers").out, text[text.index("peers:"):])

    def test_json_has_them_by_themselves(self):
        names = [c["name"] for c in strict(self.ask("list", "channels", "--json").out)]
        self.assertNotIn("lumpy", names)
        peers = strict(self.ask("list", "peers", "--json").out)
        self.assertEqual([p["name"] for p in peers],
                         ["dropping", "gone", "lumpy", "odd", "other"])
        self.assertEqual([p["name"] for p in peers if not p["why_not"]],
                         ["dropping", "lumpy"])
        self.assertIn("bounded", peers[2]["caps"])
        self.assertEqual(strict(self.ask("list", "--json").out)["peers"], peers)

    def test_they_are_taken_by_name(self):
        answer = self.ask("run", "producer_consumer", "--chan=lumpy", "--json", *SHORT)
        self.assertEqual(answer.status, 0, answer.err)
        self.assertEqual(strict(answer.out)["verdict"], "VERIFIED")
        only = "--only=^len_is_never_more_than_cap$"
        self.assertEqual(self.ask("check", "--chan=lumpy", only).status, 0)
        answer = self.ask("stress", "chan", "--chan=lumpy", "--seconds=0.1")
        self.assertEqual(answer.status, 0, answer.out)

    def test_a_peer_that_loses_messages_fails(self):
        answer = self.ask("run", "producer_consumer", "--chan=dropping", "--json",
                          "--items=100000", *SHORT)
        self.assertEqual(answer.status, 1, answer.err)
        self.assertEqual(strict(answer.out)["verdict"], "FAILED")

    def test_what_cannot_be_taken_says_why(self):
        for name, words in (("gone", "libgone"), ("odd", "odd.so"),
                            ("other", "calls itself lumpy"),
                            ("lumpi", "did you mean 'lumpy'")):
            answer = self.ask("run", "pipeline", "--chan=" + name)
            self.assertEqual((answer.status, answer.out), (2, ""))
            self.assertIn(words, answer.err)

    def test_all_channels_are_those_of_its_own(self):
        answer = self.ask("check", "--all", "--only=^len_is_never_more_than_cap$")
        self.assertNotIn("lumpy", answer.out)
        self.assertNotIn("lumpy", self.ask("bench", "--benchmark_list_tests").out)


if __name__ == "__main__":
    weft_command.main()
