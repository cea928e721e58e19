/* quota: how much CPU time the control groups of this process grant it. */
#ifndef WEFT_BASE_QUOTA_H
#define WEFT_BASE_QUOTA_H

/*
 * CPUs' worth of time: the least that the process's own group and all those
 * above it are granted, in cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us),
 * wherever either is mounted. 0 when there is no limit. Groups above the root
 * of a cgroup namespace, or that no mount shows, cannot be seen.
 *
 * root  put before every path that is read; "" for the machine's own.
 *
 * Reads a dozen small files: not for fast paths.
 */
double weft_quota(const char *root);

#endif
