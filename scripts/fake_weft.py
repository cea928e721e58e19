"""A `weft` for test_sweep.py: made-up numbers at once, nothing measured.

A channel fails in the way its name says. The test writes a copy with its own
interpreter in the first line. FAKE_LOG gets a line for each call, and FAKE_TURNS, a
file, one for each turn; without it there are no turns.
"""

import json
import os
import sys
import time


def knob(name, low, high, sweep):
    return {"name": name, "unit": "", "default": 1, "min": low, "max": high,
            "help": "", "sweep": sweep}


PATTERNS = [
    {"name": "ping_pong", "summary": "", "knobs": [knob("pairs", 1, 64, [1])]},
    {"name": "pipeline", "summary": "", "knobs": [
        knob("workers", 1, 64, [1, 2]), knob("cap", 0, 4096, "0,64"),
        {**knob("work", 0, 10**9, [0]), "unit": "ns", "default": 0}]},
    {"name": "producer_consumer", "summary": "", "knobs": [
        knob("producers", 1, 64, [1]), knob("consumers", 1, 64, [1]),
        knob("cap", 0, 4096, [0]), {**knob("payload", 8, 4096, [8]), "unit": "B"}]}]
CONTEXT = {"cpu": "Fake CPU (R) 9000 @ 1GHz", "cpus_online": 2, "kernel": "1",
           "compiler": "cc", "flags": "-O2", "build_type": "Release",
           "sanitize": os.environ.get("FAKE_SANITIZE", ""), "governor": "unknown"}
VERDICTS = {"drops": ("FAILED", "999 of 1000 arrived", 1),
            "hangs": ("HUNG", "no progress", 1),
            "picky": ("N/A", "no rendezvous", 2)}

args = sys.argv[1:]
options = dict(a[2:].partition("=")[::2] for a in args if a.startswith("--"))
turns_log = os.environ.get("FAKE_TURNS")
if "help" in options:
    print("usage: weft run PATTERN" + " [--turns]" * bool(turns_log))
    sys.exit()
if os.environ.get("FAKE_LOG"):
    open(os.environ["FAKE_LOG"], "a").write(" ".join(args) + "\n")
if args[0] == "context":
    print(os.environ.get("FAKE_CONTEXT") or json.dumps(CONTEXT))
    sys.exit()
if args[0] == "list" and os.environ.get("FAKE_LIST"):
    print(os.environ["FAKE_LIST"])
    sys.exit()
PEERS = json.loads(os.environ.get("FAKE_PEERS", "{}"))
CAN = json.loads(os.environ.get("FAKE_CAN", "{}"))
NS = json.loads(os.environ.get("FAKE_NS", "{}"))
if args[:2] == ["list", "peers"]:
    print(json.dumps(PEERS.get(os.path.basename(sys.argv[0]), [])))
    sys.exit()
if args[0] == "list":
    names = os.environ.get("FAKE_CHANNELS", "alpha,beta").split(",")
    names += ["mine"] if "load" in options else []
    print(json.dumps(PATTERNS if args[1] == "patterns" else
                     [{"name": n, "summary": "", "caps": [], **CAN.get(n, {})}
                      for n in names]))
    sys.exit()
chan = options.get("chan", "mine")
verdict, why, status = VERDICTS.get(chan, ("VERIFIED", "", 0))
if chan == "crashes":
    sys.stderr.write("CHECK failed: 1 == 2\n")
    sys.stderr.flush()
    os.abort()
if chan == "refuses":
    sys.stderr.write("weft: no such thing\n")
    sys.exit(2)
if chan == "foreign":
    print(os.environ["FAKE_RESULT"])
    sys.exit(0)
if chan == "mute":
    sys.exit(0)
if chan in ("sleeps", "slow", "works"):
    time.sleep({"sleeps": 100, "slow": 0.2}.get(chan, 1.5))
workers = int(options.get("workers") or options.get("producers") or 1)
items = int(options.get("items", 1000 * workers))
ns = items * NS.get(chan, 200 if chan == "beta" else 100)
if chan == "uneven" and options.get("latency") == "0":
    ns *= 1000
if chan in ("jumpy", "twofold"):  # by how often it was run
    before = sum(" --chan=%s " % chan in line for line in open(os.environ["FAKE_LOG"])) - 1
    ns = int(ns * (1 + 0.2 * (before * before % 7) if chan == "jumpy" else 1 + before % 2)
             * (1 + 0.001 * (before % 5)))
latency = {"kind": "open-loop sojourn", "load": 0.5, "capacity_per_second": 1e7,
           "offered_per_second": 5e6, "achieved_per_second": 5e6, "kept_up": True,
           "count": 90, "p50": 500.0, "p90": 900, "p99": 2000, "p999": 9000,
           "max": 30000}
if chan == "saturates":
    latency.update(achieved_per_second=4e6, kept_up=False)
if "utilization" in options:
    latency.update(load=int(options["utilization"]) / 100,
                   arrivals=options.get("arrivals", "fixed"))
if args[1] == "ping_pong":
    latency.update(kind="closed-loop round trip", load=None, kept_up=None,
                   capacity_per_second=None, offered_per_second=None,
                   achieved_per_second=None)
samples = []


def turn():
    """Waits for it; whether there is one more."""
    if "turns" in options:
        print("ready", flush=True)
        told = sys.stdin.readline()
        with open(turns_log, "a") as log:
            log.write("%s %s\n" % (chan, told.strip() or len(samples)))
        if chan == "stuck" and samples or chan == "quits" and samples:
            time.sleep(100 * (chan == "stuck"))
            os.abort()
        if told == "end\n" and samples:
            return False
    return len(samples) < int(options.get("reps", 1))


while turn():
    samples.append({"ns": ns, "messages": items, "start_skew_ns": 1000,
                    "cpu_seconds": ns / 1e9, "voluntary_switches": 10, "parks": 5,
                    "involuntary_switches": float("nan"), "wakes": 5})
if chan == "verbose":
    sys.stderr.write("x" * 300000)
skip = {"time", "reps", "turns", "seed", "json", "latency", "chan", "load",
        "arrivals", "utilization", "cost", "warmup", "latency-time", "latency-items",
        "work-rate"}
print(json.dumps({
    "schema": 1, "pattern": args[1], "chan": chan, "tasks": 2 * workers,
    "cpus": len(os.sched_getaffinity(0)) if PEERS else 2,
    "params": {**{k: int(v) if v.isdigit() else v
                  for k, v in options.items() if k not in skip},
               "items": items},
    "oversubscribed": workers > 1, "verdict": verdict, "why": why,
    "samples": samples,
    "latency_ns": None if options.get("latency") == "0" else latency,
    "peak_rss_bytes": 4096, "fairness": {"jain": 1.0, "least_share": 0.5},
    "seed": int(options["seed"])}))
if chan == "ends-badly":
    sys.stdout.flush()
    os.abort()
sys.exit(status)
