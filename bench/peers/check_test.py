#!/usr/bin/env python3
"""Whether a peer keeps what it declares, but for the checks that it is known to fail.

    check_test.py WEFT NAME [CHECK...]

docs/peers.md says why the known ones fail; most of them are races, so they may pass
now and then.
"""

import json
import subprocess
import sys

GOOD = ("PASS", "N/A")
#: Of the usual repetitions: some of the peers are slow.
PERCENT = 25


def main():
    weft, name, *known = sys.argv[1:]
    done = subprocess.run(
        [weft, "check", "--chan=" + name, "--json", "--percent=%d" % PERCENT,
         "--time-limit=10"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError) as error:
        print("no results (exit status %d): %s" % (done.returncode, error))
        return 1
    bad = {r["check"]: r for r in results if r["verdict"] not in GOOD}
    count = {v: sum(r["verdict"] == v for r in results) for v in GOOD}
    print("%s: %d passed, %d do not apply" % (name, count["PASS"], count["N/A"]))
    for check, result in bad.items():
        print("%s %s%s\n    at %s: %s\n%s" % (
            result["verdict"], check, " (known)" if check in known else "",
            result["where"], result["why"], result.get("log", "")))
    unexpected = [check for check in bad if check not in known]
    unknown = [check for check in known if check not in {r["check"] for r in results}]
    for check in unknown:
        print("there is no check %s" % check)
    for check in known:
        if check not in bad and check not in unknown:
            print("passed this time: %s" % check)
    return 1 if unexpected or unknown or not count["PASS"] else 0


if __name__ == "__main__":
    sys.exit(main())
