"""The CPU quotas that this process runs under, from its cgroup upwards.

A quota holds for a group and all below it, so every group from our own up to
the one that is mounted counts. Both versions of cgroups may be there at once.
"""

import os
import re

PROC_CGROUP = "/proc/self/cgroup"
PROC_MOUNTS = "/proc/self/mountinfo"


def read(root, path):
    """The text of a small file below `root`, or None."""
    try:
        with open(root.rstrip("/") + path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None


def unescape(path):
    """mountinfo writes blanks as \\040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), path)


def mounts(root):
    """(version, group that is mounted, where) of each hierarchy with CPU quotas."""
    for line in (read(root, PROC_MOUNTS) or "").split("\n"):
        place, dash, source = line.partition(" - ")
        fields, kind = place.split(), source.split()
        if not dash or len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2":
            yield 2, unescape(fields[3]), unescape(fields[4])
        elif kind[0] == "cgroup" and "cpu" in kind[2].split(","):
            yield 1, unescape(fields[3]), unescape(fields[4])


def own_group(root, version):
    """The group we are in, as /proc/self/cgroup names it, or None."""
    for line in (read(root, PROC_CGROUP) or "").split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if version == 2 and number == "0" and not controllers:
            return group
        if version == 1 and "cpu" in controllers.split(","):
            return group
    return None


def groups(root="/"):
    """(version, folder) of every group on the way up, in each hierarchy.

    A group that does not lie below what is mounted cannot be seen (we are in a
    namespace, or were moved out of it); what is mounted is all there is to ask.
    """
    for version, top, where in mounts(root):
        group = own_group(root, version)
        if group is None:
            continue
        below = os.path.relpath(group, top)
        steps = [] if below == "." or below.startswith("..") else below.split("/")
        for end in range(len(steps), -1, -1):
            yield version, os.path.join(where, *steps[:end])


def levels(root="/"):
    """How many CPUs the quota of each group on the way up pays for (0.5, 2.0), or None
    where it has none: [{"level": 0 for our own, "version", "cpus"}]. Nothing names the
    groups: results are made to be shared."""
    found, at = [], {}
    for version, folder in groups(root):
        level = at[version] = at.get(version, -1) + 1
        found.append({"level": level, "version": version,
                      "cpus": quota_of(root, version, folder)})
    return found


def quota_of(root, version, folder):
    if version == 2:
        found = (read(root, folder + "/cpu.max") or "").split()
    else:
        found = [(read(root, folder + "/cpu.cfs_" + name) or "").strip()
                 for name in ("quota_us", "period_us")]
    # "max" and -1 are no limit.
    if len(found) == 2 and all(re.match(r"[1-9][0-9]*\Z", n) for n in found):
        return int(found[0]) / int(found[1])
    return None


def quota(root="/"):
    """The least of the quotas, in CPUs, or None."""
    return min((level["cpus"] for level in levels(root) if level["cpus"] is not None),
               default=None)


def throttled(root="/"):
    """How often any of the quotas stopped us so far, or None where nobody counts."""
    counts = []
    for _, folder in groups(root):
        found = re.search(r"^nr_throttled (\d+)$", read(root, folder + "/cpu.stat") or "",
                          re.M)
        if found:
            counts.append(int(found.group(1)))
    return sum(counts) if counts else None
