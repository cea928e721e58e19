"""What the tests of the scripts share."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent

#: Seconds for what ends by itself, on a machine that has other work too.
PATIENCE = 300


class FakeRuns(unittest.TestCase):
    """Whole sweeps over fake_weft.py, in a folder of their own."""

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="weft-test-"))
        self.addCleanup(shutil.rmtree, self.dir)
        self.weft = self.fake("weft")
        self.results = self.dir / "results"

    def fake(self, name):
        """A copy of fake_weft.py under that name."""
        path = self.dir / name
        path.write_text("#!%s -IS\n%s" % (
            sys.executable, (SCRIPTS / "fake_weft.py").read_text()))
        path.chmod(0o755)
        return path

    # Python's own site would take longer to load than all of a command (-S).

    def command(self, text, *more, plot=False, watched=False):
        """What is `watched` depends on what else the machine does."""
        (self.dir / "sweep").write_text(text)
        return [sys.executable, "-S", str(SCRIPTS / "sweep.py"), "--weft",
                str(self.weft), "--results", str(self.results), "--sweep",
                str(self.dir / "sweep"), *([] if plot else ["--no-plot"]),
                *([] if watched else ["--keep-disturbed"]), *more]

    def env(self, channels="alpha,beta", **more):
        return {**os.environ, "FAKE_CHANNELS": channels,
                "FAKE_LOG": str(self.dir / "log"),
                "FAKE_TURNS": str(self.dir / "turns"), **more}

    def sweep(self, text, *more, status=0, plot=False, **env):
        done = subprocess.run(self.command(text, *more, plot=plot), text=True,
                              capture_output=True, env=self.env(**env), timeout=PATIENCE)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def run_folder(self):
        folders = list(self.results.iterdir())
        self.assertEqual(len(folders), 1, folders)
        return folders[0]

    def read(self, name="summary.json"):
        return json.loads((self.run_folder() / name).read_text())

    def refused(self, text, *parts, **more):
        """Exit 2, one line that says all of `parts`, and nothing written."""
        done = self.sweep(text, *more.pop("args", ()), status=2, **more)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        if self.results.is_dir():
            self.assertEqual(list(self.results.iterdir()), [])
