/* Tests of quotas and of which CPUs there are, over files as kernels write them
 * below a folder. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/affinity.h"
#include "base/quota.h"

static char root[] = "/tmp/weft-quota.XXXXXX";

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int make_root(void **state)
{
	(void)state;
	memset(strchr(root, '.') + 1, 'X', 6);
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Make the file `path`, and its folders. */
static void file(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A v1 group with a period of 100 ms. */
static void v1(const char *dir, const char *quota)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
	file(path, quota);
	snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir);
	file(path, "100000\n");
}

static void quota_is(double cpus)
{
	double found = weft_quota(root);

	if (found > cpus || found < cpus)
		fail_msg("%g CPUs, expected %g", found, cpus);
}

static const char v2_mount[] =
        "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 "
        "rw,nsdelegate\n";

static void a_quota_of_the_group_counts(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "0::/system.slice/weft.service\n");
	file("/proc/self/mountinfo", v2_mount);
	file("/sys/fs/cgroup/system.slice/weft.service/cpu.max",
	     "50000 100000\n");
	file("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
	quota_is(0.5);
}

static void the_least_on_the_way_up_counts(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "0::/a/b/c\n");
	file("/proc/self/mountinfo", v2_mount);
	file("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
	file("/sys/fs/cgroup/a/b/cpu.max", "75000 50000\n");
	file("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
	quota_is(1.5);
	file("/sys/fs/cgroup/cpu.max", "120000 100000\n");
	quota_is(1.2);
}

static void a_group_beside_ours_does_not_count(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "0::/a/b\n");
	file("/proc/self/mountinfo", v2_mount);
	file("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	file("/sys/fs/cgroup/a/b/below/cpu.max", "10000 100000\n");
	file("/sys/fs/cgroup/a/bb/cpu.max", "10000 100000\n");
	file("/sys/fs/cgroup/c/cpu.max", "10000 100000\n");
	quota_is(0);
}

static void v1_is_found_beside_other_controllers(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "12:cpuset:/x\n4:cpu,cpuacct:/docker/"
	                          "1\n1:name=systemd:/y\n0::/z\n");
	file("/proc/self/mountinfo",
	     "40 30 0:33 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
	     "41 30 0:34 / /cg/cpu,cpuacct rw - cgroup cgroup "
	     "rw,cpu,cpuacct\n");
	v1("/sys/fs/cgroup/cpuset/x", "10000\n");
	v1("/cg/cpu,cpuacct/docker/1", "-1\n");
	v1("/cg/cpu,cpuacct/docker", "250000\n");
	v1("/cg/cpu,cpuacct", "-1\n");
	quota_is(2.5);
}

static void both_versions_count(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "4:cpu:/one\n0::/two\n");
	file("/proc/self/mountinfo",
	     "41 30 0:34 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	     "42 30 0:35 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
	v1("/sys/fs/cgroup/cpu/one", "300000\n");
	file("/sys/fs/cgroup/unified/two/cpu.max", "400000 100000\n");
	quota_is(3);
	file("/sys/fs/cgroup/unified/two/cpu.max", "100000 100000\n");
	quota_is(1);
}

static void a_mount_may_show_a_part_of_the_hierarchy(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "4:cpu:/docker/1/inner\n");
	file("/proc/self/mountinfo",
	     "40 30 0:34 /docker/12 /other rw - cgroup cgroup rw,cpu\n"
	     "41 30 0:34 /docker/1 /my\\040groups rw - cgroup cgroup rw,cpu\n");
	v1("/my groups/inner", "-1\n");
	v1("/my groups", "150000\n");
	v1("/other", "10000\n");
	quota_is(1.5);
	v1("/my groups/inner", "50000\n");
	quota_is(0.5);
}

/* What is shown in a container that has no namespace of its own for them. */
static void a_group_that_no_mount_shows_is_taken_for_the_root(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "4:cpu:/docker/1\n");
	file("/proc/self/mountinfo", "41 30 0:34 /other /sys/fs/cgroup/cpu rw "
	                             "- cgroup cgroup rw,cpu\n");
	v1("/sys/fs/cgroup/cpu", "150000\n");
	quota_is(1.5);
}

static void above_the_namespace_only_the_mount_itself_counts(void **state)
{
	(void)state;
	file("/proc/self/cgroup", "0::/mine\n");
	file("/proc/self/mountinfo",
	     "41 30 0:34 /.. /up rw - cgroup2 cgroup2 rw\n");
	file("/up/cpu.max", "150000 100000\n");
	file("/up/mine/cpu.max", "10000 100000\n"); /* another by that name */
	quota_is(1.5);
	file("/proc/self/cgroup", "0::/../other\n");
	file("/proc/self/mountinfo", v2_mount);
	file("/sys/fs/cgroup/cpu.max", "10000 100000\n");
	quota_is(0);
}

static void without_proc_the_usual_places_count(void **state)
{
	(void)state;
	quota_is(0);
	v1("/sys/fs/cgroup/cpu", "150000\n");
	quota_is(1.5);
	file("/sys/fs/cgroup/cpu.max", "50000 100000\n");
	quota_is(0.5);
}

static void what_makes_no_sense_is_no_quota(void **state)
{
	static const char *const nonsense[] = { "",      "\n",    "max\n",
		                                "50000", "0 0\n", "-1 100000\n",
		                                "1 0\n", "x y\n" };

	(void)state;
	file("/proc/self/cgroup", "\n0:\n::\nx\n0::/a\n");
	file("/proc/self/mountinfo",
	     "\n - \n1 2 3 / - cgroup2 x y\n1 - cgroup2\n - cgroup\n"
	     "41 30 0:34 / /cg rw - cgroup2\n");
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		file("/cg/a/cpu.max", nonsense[i]);
		quota_is(0);
	}
	file("/cg/a/cpu.max", "50000 100000");
	quota_is(0.5);
}

/* --- which CPUs --- */

static void siblings(unsigned cpu, const char *list)
{
	char path[128];

	snprintf(path, sizeof(path),
	         "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list",
	         cpu);
	file(path, list);
}

/* Both a digit for each CPU. */
static void order_is(const char *allowed, const char *expected)
{
	unsigned cpu[WEFT_CPUS_MAX], n;
	char text[64] = "";
	cpu_set_t set;

	CPU_ZERO(&set);
	for (; *allowed; allowed++)
		CPU_SET((unsigned)(*allowed - '0'), &set);
	n = weft_cpu_list(root, &set, cpu);
	for (unsigned i = 0; i < n; i++)
		snprintf(text + i, sizeof(text) - i, "%u", cpu[i]);
	assert_string_equal(text, expected);
}

static void cores_come_before_their_second_threads(void **state)
{
	(void)state;
	siblings(0, "0,2\n");
	siblings(1, "1,3\n");
	siblings(2, "0,2\n");
	siblings(3, "1,3\n");
	order_is("0123", "0123");
	for (unsigned i = 0; i < 6; i++)
		siblings(i, i < 2 ? "0-1\n" : i < 4 ? "2-3" : "4-5\n");
	order_is("012345", "024135");
	order_is("1234", "1243");
}

static void siblings_that_are_not_allowed_do_not_count(void **state)
{
	(void)state;
	siblings(1, "0-1\n");
	siblings(2, "2-3\n");
	siblings(3, "2-3\n");
	order_is("123", "123");
	order_is("13", "13");
}

static void without_siblings_cpus_come_by_number(void **state)
{
	(void)state;
	order_is("27", "27");
	siblings(2, "x\n");
	siblings(7, "-,2,\n");
	order_is("27", "27");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		T(a_quota_of_the_group_counts),
		T(the_least_on_the_way_up_counts),
		T(a_group_beside_ours_does_not_count),
		T(v1_is_found_beside_other_controllers),
		T(both_versions_count),
		T(a_mount_may_show_a_part_of_the_hierarchy),
		T(a_group_that_no_mount_shows_is_taken_for_the_root),
		T(above_the_namespace_only_the_mount_itself_counts),
		T(without_proc_the_usual_places_count),
		T(what_makes_no_sense_is_no_quota),
		T(cores_come_before_their_second_threads),
		T(siblings_that_are_not_allowed_do_not_count),
		T(without_siblings_cpus_come_by_number),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
