#include "base/quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum version { V1, V2 };

/* Of the process in one hierarchy; "" where there is none. */
struct place {
	char group[PATH_MAX]; /* as /proc/self/cgroup has it */
	bool shown;           /* by a mount */
	char other[PATH_MAX]; /* if not, the first mount that there is */
};

struct search {
	const char *root;
	double least; /* so far; 0 = no limit */
	struct place v1, v2;
};

static struct place *place_in(struct search *s, enum version v)
{
	return v == V1 ? &s->v1 : &s->v2;
}

/* The file a/b, or NULL. Paths are long, and the stack may be short. */
static FILE *open_file(const char *a, const char *b)
{
	char *path;
	FILE *f;

	if (asprintf(&path, "%s/%s", a, b) < 0)
		return NULL;
	f = fopen(path, "re");
	free(path);
	return f;
}

/* Call each(s, line), which may cut the line to pieces. False when there is no
 * such file. */
static bool for_lines(struct search *s, const char *path,
                      void (*each)(struct search *s, char *line))
{
	char *line = NULL;
	size_t bytes = 0;
	FILE *f = open_file(s->root, path);

	if (!f)
		return false;
	while (getline(&line, &bytes, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		each(s, line);
	}
	free(line);
	fclose(f);
	return true;
}

/* Whether `word` is one of those in `list`, with commas between. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list; list = strchr(list, ',')) {
		list += *list == ',';
		if (strncmp(list, word, n) == 0 &&
		    (list[n] == ',' || list[n] == '\0'))
			return true;
	}
	return false;
}

/* --- one group --- */

/* Up to two numbers from the start of a file; how many there are. "max", which
 * stands for no limit, is none. */
static int numbers_in(const char *dir, const char *name, long long *a,
                      long long *b)
{
	char line[64] = "", *second, *end;
	FILE *f = open_file(dir, name);

	if (!f)
		return 0;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	*a = strtoll(line, &second, 10);
	*b = strtoll(second, &end, 10);
	return (second != line) + (end != second);
}

/* v1 says -1 for no limit. */
static void look(struct search *s, enum version v, const char *dir)
{
	long long quota = 0, period = 0, unused;
	double cpus;
	bool limited;

	if (v == V2)
		limited = numbers_in(dir, "cpu.max", &quota, &period) == 2;
	else
		limited =
		        numbers_in(dir, "cpu.cfs_quota_us", &quota, &unused) &&
		        numbers_in(dir, "cpu.cfs_period_us", &period, &unused);
	if (!limited || quota <= 0 || period <= 0)
		return;
	cpus = (double)quota / (double)period;
	if (s->least <= 0 || cpus < s->least)
		s->least = cpus;
}

/* From the group at `below` a mount up to the mount itself. */
static void look_upwards(struct search *s, enum version v, const char *mount,
                         const char *below)
{
	size_t top = strlen(s->root) + strlen(mount);
	char *dir, *end;

	if (asprintf(&dir, "%s%s%s", s->root, mount, below) < 0)
		return;
	for (;;) {
		look(s, v, dir);
		end = strrchr(dir, '/');
		if (!end || (size_t)(end - dir) < top)
			break;
		*end = '\0';
	}
	free(dir);
}

/* --- where the groups are --- */

static void keep(char to[PATH_MAX], const char *path)
{
	if (strlen(path) < PATH_MAX)
		strcpy(to, path);
}

/* A line of /proc/self/cgroup: "4:cpu,cpuacct:/a/b", of v2 "0::/a/b". */
static void take_group(struct search *s, char *line)
{
	char *number = strsep(&line, ":"), *controllers = strsep(&line, ":");
	enum version v;

	if (!controllers || !line)
		return;
	if (strcmp(number, "0") == 0 && !*controllers)
		v = V2;
	else if (has_word(controllers, "cpu"))
		v = V1;
	else
		return;
	keep(place_in(s, v)->group, line);
}

static bool is_octal(const char *three)
{
	return strspn(three, "01234567") >= 3;
}

/* \040 and the like, which stand for blanks and line ends in a path. */
static void unescape(char *path)
{
	char *to = path;

	while (*path) {
		if (*path == '\\' && is_octal(path + 1)) {
			*to++ = (char)((path[1] - '0') * 64 +
			               (path[2] - '0') * 8 + path[3] - '0');
			path += 4;
		} else {
			*to++ = *path++;
		}
	}
	*to = '\0';
}

static bool is_above(const char *path)
{
	return strncmp(path, "/..", 3) == 0;
}

/*
 * What is left of the path of a group below a mount that shows the hierarchy
 * from `top` on: "/b" of "/a/b" below "/a". NULL when it is not below.
 *
 * Both are seen from the root of the cgroup namespace, above which there is
 * "/..": such a mount shows the groups above us, but not by which name we stand
 * in them, and of a group that is there itself nothing is shown.
 */
static const char *path_below(const char *group, const char *top)
{
	size_t n = strlen(top);

	if (is_above(group))
		return NULL;
	if (is_above(top))
		return "";
	if (strcmp(top, "/") == 0)
		return group;
	if (strncmp(group, top, n) == 0 && (group[n] == '/' || !group[n]))
		return group + n;
	return NULL;
}

/* A line of /proc/self/mountinfo:
 * "36 35 98:0 /top /mount rw,relatime shared:1 - cgroup source rw,cpu". */
static void take_mount(struct search *s, char *line)
{
	char *special = strstr(line, " - "), *top, *mount, *type;
	struct place *place;
	const char *below;
	enum version v;

	if (!special)
		return;
	*special = '\0';
	special += 3;
	for (int i = 0; i < 3; i++)
		strsep(&line, " ");
	top = strsep(&line, " ");
	mount = strsep(&line, " ");
	type = strsep(&special, " ");
	strsep(&special, " ");
	if (!top || !mount)
		return;
	if (strcmp(type, "cgroup2") == 0)
		v = V2;
	else if (strcmp(type, "cgroup") == 0 && has_word(special, "cpu"))
		v = V1;
	else
		return;
	place = place_in(s, v);
	if (!*place->group)
		return;
	unescape(top);
	unescape(mount);
	below = path_below(place->group, top);
	if (below) {
		look_upwards(s, v, mount, below);
		place->shown = true;
	} else if (!*place->other && !is_above(place->group)) {
		keep(place->other, mount);
	}
}

/* What a container is shown as the root is its own group more often than not.
 */
static void guess(struct search *s, enum version v)
{
	const struct place *place = place_in(s, v);

	if (!place->shown && *place->other)
		look_upwards(s, v, place->other, "");
}

double weft_quota(const char *root)
{
	struct search *s = calloc(1, sizeof(*s));
	double least;

	if (!s)
		return 0;
	s->root = root;
	if (for_lines(s, "proc/self/cgroup", take_group) &&
	    for_lines(s, "proc/self/mountinfo", take_mount)) {
		guess(s, V1);
		guess(s, V2);
	} else { /* without /proc: where they usually are */
		look_upwards(s, V2, "/sys/fs/cgroup", "");
		look_upwards(s, V1, "/sys/fs/cgroup/cpu", "");
	}
	least = s->least;
	free(s);
	return least;
}
