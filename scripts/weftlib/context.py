"""Where and how a run was measured.

The binary knows its compiler, flags and machine; this adds what can be seen
from outside: the commit, and what else the machine did meanwhile. Whatever
cannot be known says "unknown", never a guess.
"""

import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from . import ROOT, SCHEMA, cgroup, environment, figures
from .binary import as_text
from .stats import quantile

UNKNOWN = environment.UNKNOWN
#: What /proc/stat counts in.
TICKS = os.sysconf("SC_CLK_TCK")
#: What is in every commit of this project.
OWN_FILE = "scripts/weftlib/context.py"
SLUG_LENGTH = 32
#: Fewer say nothing of how the speed changes.
FEW_SPINS = 10
#: Words of a CPU's name that say nothing about which one it is.
NOISE = re.compile(
    r"\((r|tm)\)|\b(cpu|processor|with radeon.*)\b|@.*|\b\d+-core\b", re.I)


def utc_now():
    return datetime.now(timezone.utc)


def git_state(tree=ROOT):
    """{"commit", "dirty"} of the tree that holds these scripts.

    Only a repository whose top it is can know them, and only if the scripts are in
    its commit: a folder above, or one that GIT_DIR names, is somebody else's.
    """
    commit = git(tree, "rev-parse", "--short=7", "HEAD")
    top = git(tree, "rev-parse", "--show-prefix")
    if not commit or top != "" or git(tree, "cat-file", "-e", "HEAD:" + OWN_FILE) is None:
        return {"commit": UNKNOWN, "dirty": UNKNOWN}
    changed = git(tree, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit,
            "dirty": UNKNOWN if changed is None else bool(changed)}


def git(tree, *args):
    """What git says, or None; nothing in the environment points it elsewhere."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith("GIT_")}
    env["GIT_CEILING_DIRECTORIES"] = str(Path(tree).parent)
    env["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        done = subprocess.run(["git", "-C", str(tree), *args], timeout=30, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return as_text(done.stdout).strip() if done.returncode == 0 else None


def capture(machine, weft, sweep, cells, seed, argv, peers=(), **more):
    """The context of a run that is about to start, as plain JSON data.

    `machine` is what `weft context --json` printed, `peers` what `weft list peers`
    says of those that take part, `more` what else is to be said. The run counts as
    partial until `finish` says otherwise.
    """
    context = {"schema": SCHEMA, "partial": True}
    context.update(machine)
    context.update(
        schema=SCHEMA, partial=True, git=git_state(), weft_sha256=weft.sha256(),
        started=utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"), ended=None,
        argv=argv, seed=seed, cells=len(cells),
        rounds=max(cell.rounds for cell in cells), rounds_done=0,
        rounds_most=max(cell.limit for cell in cells), resumed=[],
        time_ms=sorted({cell.time_ms for cell in cells}),
        sweep={"name": sweep.name, "text": sweep.text},
        peers=[{key: peer.get(key) for key in ("name", "library", "adapter")}
               for peer in peers],
        python=platform.python_version(), aslr=aslr(), thp=thp(),
        cpu_mhz=cpu_mhz(), caches=caches(), cpu_quota=cgroup.quota(),
        cpu_quotas=cgroup.levels(), topology=topology(), mitigations=mitigations(),
        turbo=turbo(),
        load_before=load(), load_after=None,
        cpu_time_before=cpu_time(), steal=None,
        throttled_before=throttled(), throttled=None, **more)
    return context


def resume(context):
    """An interrupted run goes on. What is counted from its beginning to its end (CPU
    time that was stolen, stops by a quota) is that of the last part."""
    context.update(partial=True, ended=None, cpu_time_before=cpu_time(),
                   throttled_before=throttled())
    context["resumed"] = (context.get("resumed") or []) + [
        utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")]


def finish(context, rounds_done, complete, records):
    """Adds what is known at the end only; `records` are those of all slices."""
    rejected = figures.rejected(records)
    before, after = context.pop("cpu_time_before"), cpu_time()
    throttled_before, now = context.pop("throttled_before"), throttled()
    context.update(
        ended=utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"), partial=not complete,
        rounds_done=rounds_done, load_after=load(),
        steal=steal(before, after),
        throttled=UNKNOWN if UNKNOWN in (throttled_before, now)
        else now - throttled_before,
        cpu_foreign=foreign(before, after), spin_ns=speed(figures.spins(records)),
        rejected=UNKNOWN if rejected is None else rejected)
    context["environment"] = environment.as_data(context)


def directory_name(context):
    """<utc>-<commit>-<cpu>, sorted by time and telling at a glance."""
    git_part = context["git"]["commit"]
    if git_part == UNKNOWN:
        git_part = "nogit"
    elif context["git"]["dirty"] is True:
        git_part += "-dirty"
    stamp = re.sub(r"[-:]", "", context["started"])
    return "-".join((stamp, git_part, cpu_slug(context)))


def cpu_slug(context):
    """The CPU's name as part of a file name: amd-epyc-2c."""
    name = NOISE.sub(" ", str(context.get("cpu") or UNKNOWN)).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:SLUG_LENGTH].strip("-")
    count = context.get("cpus_online")
    return (slug or UNKNOWN) + ("-%dc" % count if isinstance(count, int) else "")


def read(path):
    """The text of a small system file, or None."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def load():
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except OSError:
        return UNKNOWN


def jiffies():
    """{"cpu": that of all, "cpu0": ...}: user, nice, system, idle, iowait, irq, softirq
    and steal time since the start, from /proc/stat; what the kernel does not tell is
    not there."""
    found = {}
    for line in (read("/proc/stat") or "").split("\n"):
        name, *fields = line.split()[:9] or [""]
        if name.startswith("cpu") and len(fields) == 8:
            found[name] = [int(field) for field in fields]
    return found


def cpu_time():
    """Jiffies of all CPUs: busy, idle and steal, and our own; or None."""
    fields = jiffies().get("cpu")
    if not fields:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal_time = fields
    return {"busy": user + nice + system + irq + softirq, "idle": idle + iowait,
            "steal": steal_time, "own": round(own_seconds() * TICKS)}


def own_seconds():
    """CPU time of this process and of all that it has waited for."""
    spent = os.times()
    return (spent.user + spent.system + spent.children_user + spent.children_system)


def foreign(before, after):
    """CPU time that went to other processes meanwhile, as a share of all there was."""
    if not before or not after:
        return UNKNOWN
    delta = {key: max(0, after[key] - before[key]) for key in before}
    total = delta["busy"] + delta["idle"] + delta["steal"]
    others = max(0, delta["busy"] - delta["own"])
    return {"jiffies": others, "share": round(others / total, 5)} if total else UNKNOWN


def speed(spins):
    """What a fixed piece of computation took: the quick ones and the slow ones, a tenth
    of them left out on either side; or unknown."""
    if len(spins) < FEW_SPINS:
        return UNKNOWN
    return {"n": len(spins), "p10": quantile(spins, 0.1), "p90": quantile(spins, 0.9)}


def steal(before, after):
    """CPU time the hypervisor kept for others during the run.

    As a share of what was not idle: an idle CPU loses nothing. A counter may
    run backwards on some hosts; that counts as nothing.
    """
    if not before or not after:
        return UNKNOWN
    delta = {key: max(0, after[key] - before[key]) for key in before}
    wanted = delta["busy"] + delta["steal"]
    share = delta["steal"] / wanted if wanted else 0.0
    return {"jiffies": delta["steal"], "share_of_busy": round(share, 5),
            "before": before["steal"], "after": after["steal"]}


def throttled():
    """How often a CPU quota stopped us so far, or unknown."""
    found = cgroup.throttled()
    return UNKNOWN if found is None else found


def aslr():
    return read("/proc/sys/kernel/randomize_va_space") or UNKNOWN


def thp():
    """The chosen one of "always [madvise] never"."""
    found = re.search(r"\[(\w+)\]",
                      read("/sys/kernel/mm/transparent_hugepage/enabled") or "")
    return found.group(1) if found else UNKNOWN


def cpu_mhz():
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", read("/proc/cpuinfo") or "", re.M)
    return float(found.group(1)) if found else UNKNOWN


def topology(system="/sys/devices/system"):
    """How many packages, cores, threads of a core and NUMA nodes there are, or
    unknown."""
    places = [tuple(read(cpu / "topology" / name) for name in (
        "physical_package_id", "core_id"))
        for cpu in Path(system).glob("cpu/cpu[0-9]*")]
    places = [place for place in places if None not in place]
    if not places:
        return UNKNOWN
    cores = len(set(places))
    return {"packages": len({package for package, _ in places}), "cores": cores,
            "threads_per_core": -(-len(places) // cores),
            "nodes": len(list(Path(system).glob("node/node[0-9]*"))) or UNKNOWN}


def mitigations(system="/sys/devices/system"):
    """What the kernel says of each flaw of the CPU, or unknown."""
    found = {path.name: read(path) for path in
             sorted(Path(system).glob("cpu/vulnerabilities/*"))}
    return {name: state for name, state in found.items() if state} or UNKNOWN


def turbo(system="/sys/devices/system"):
    """"on", "off" or unknown."""
    for name, off in (("cpu/intel_pstate/no_turbo", "1"), ("cpu/cpufreq/boost", "0")):
        found = read(Path(system) / name)
        if found in ("0", "1"):
            return "off" if found == off else "on"
    return UNKNOWN


def caches():
    """The caches CPU 0 sees, in the shape Google Benchmark gives them."""
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, size = read(index / "level"), read(index / "size")
        kind, shared = read(index / "type"), read(index / "shared_cpu_list")
        if level and size and kind and re.match(r"\d+K\Z", size):
            found.append({"type": kind, "level": int(level),
                          "size": int(size[:-1]) * 1024,
                          "num_sharing": count_cpus(shared or "0")})
    return found


def count_cpus(text):
    """How many CPUs a list such as 0-3,8 holds."""
    total = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return total
