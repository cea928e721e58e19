"""A headless Chromium for the test of the report, spoken to through a pipe.

`python3 scripts/chromium.py PAGE.html DIR` leaves what the page looks like in DIR, at
both widths, light and dark.
"""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
#: Far beyond what a loaded machine takes; a browser that hangs ends the test.
LIMIT_SECONDS = 300
#: A picture of a whole page, but no longer than a browser can make one.
TALLEST = 15000


def find():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in one browser; `events` has what the page did since it was opened."""

    def __init__(self, path):
        self.profile = tempfile.mkdtemp(prefix="weft-chromium-")
        self.events, self.numbers, self.rest = [], itertools.count(1), b""
        self.deadline = time.monotonic() + LIMIT_SECONDS
        command_read, self.out = os.pipe()
        self.input, answer_write = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (command_read, answer_write)]

        def place():
            """The browser reads commands from descriptor 3 and answers on 4."""
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.child = subprocess.Popen(
            [path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking",
             "--disable-extensions", "--remote-debugging-pipe",
             "--user-data-dir=" + self.profile, "about:blank"],
            preexec_fn=place, pass_fds=(3, 4), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self.profile})
        for end in (command_read, answer_write, *ends):
            os.close(end)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target,
                                flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.tell(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        os.close(self.out)
        os.close(self.input)
        shutil.rmtree(self.profile, ignore_errors=True)

    def tell(self, method, **params):
        return self.ask(method, self.session, **params)

    def ask(self, method, session=None, **params):
        """The answer to one command; a refusal is an error."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            found = self.next()
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError("%s: %s" % (method, found["error"]))
                return found["result"]
            self.events.append(found)

    def next(self):
        while b"\0" not in self.rest:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([self.input], [], [], left)[0]:
                raise TimeoutError("the browser gave no answer")
            piece = os.read(self.input, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.rest += piece
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, width, scheme="light"):
        self.events.clear()
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=False)
        self.tell("Emulation.setScrollbarsHidden", hidden=True)
        self.tell("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])
        self.tell("Page.navigate", url=Path(path).resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired"
                      for event in self.events):
            self.events.append(self.next())

    def value(self, expression):
        found = self.tell("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"])
        return found["result"].get("value")

    def complaints(self):
        """What the page said on the console, and what went wrong in it."""
        return [event["params"] for event in self.events if event.get("method") in (
            "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]

    def requests(self):
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]

    def screenshot(self, top=0, height=None):
        """The page as PNG, from `top` pixels on."""
        size = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        height = min(height or TALLEST, size["height"] - top)
        return base64.b64decode(self.tell(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True,
            clip={"x": 0, "y": top, "width": size["width"], "height": height,
                  "scale": 1})["data"])


def main():
    if len(sys.argv) != 3 or sys.argv[1].startswith("-"):
        sys.exit("usage: chromium.py PAGE.html DIR")
    page, folder = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    with Browser(find()) as browser:
        for width in (1280, 400):
            for scheme in ("light", "dark"):
                browser.open(page, width, scheme)
                path = Path(folder, "%d-%s.png" % (width, scheme))
                path.write_bytes(browser.screenshot())
                print(path)


if __name__ == "__main__":
    main()
