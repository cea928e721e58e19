#include "stress/conform/verdict.h"

#include "stress/conform/underway.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The most lines of a process's output that are shown. */
#define LOG_LINES 40

const char *conform_verdict_name(enum conform_verdict verdict)
{
	static const char *const names[] = { "PASS",    "FAIL", "HUNG",
		                             "CRASHED", "N/A",  "UNTRIED" };

	return names[verdict];
}

/* Copy the line of `log` that holds `key`, or the last line with something in
 * it when key is NULL. */
static bool line_of(const char *log, const char *key, char *out, size_t bytes)
{
	const char *at = key ? strstr(log, key) : log + strlen(log), *end;

	if (!at)
		return false;
	while (!key && at > log && at[-1] == '\n')
		at--;
	end = key ? at + strcspn(at, "\n") : at;
	while (at > log && at[-1] != '\n')
		at--;
	snprintf(out, bytes, "%.*s", (int)(end - at), at);
	return end > at;
}

/* What the C library does wrong itself must be named, and is no excuse. */
static const char *hang_remark(const struct weft_chan_impl *impl)
{
	if (strcmp(impl->name, "condvar") != 0)
		return "";
	return "; glibc before 2.41 can lose a wake-up of a condition "
	       "variable (sourceware 25847)";
}

static enum conform_verdict noted(enum conform_verdict verdict, char *why,
                                  size_t bytes)
{
	snprintf(why, bytes, "%s", vital->note);
	vital->note[0] = '\0';
	return verdict;
}

/* Where nothing was found wrong because nothing was looked at any more. */
static enum conform_verdict ended_early(char *why, size_t bytes)
{
	snprintf(why, bytes,
	         "ended the process in the middle of it, with exit "
	         "status 0");
	return CONFORM_FAIL;
}

/*
 * The place in a channel's own code in what a sanitizer has printed: of the
 * frames "    #1 push mychan.c:57 (mychan.so+0x12)" the first that is in a
 * shared object and not the sanitizer's own. Fills `to` with "mychan.c:57 in
 * push".
 */
static bool place_of(const char *log, char *to, size_t bytes)
{
	for (const char *at = log; (at = strstr(at, "    #")); at++) {
		char function[128], file[256], line[512];
		const char *slash;

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"),
		         at);
		/* gcc's run-time has "in" and an address before, in part. */
		if (strstr(line, "libsanitizer") || !strstr(line, ".so+0x") ||
		    sscanf(line, " #%*u %127s %255s", function, file) != 2)
			continue;
		slash = strrchr(file, '/');
		snprintf(to, bytes, "%s in %s", slash ? slash + 1 : file,
		         function);
		return true;
	}
	return false;
}

/* A missing order has a name of its own, and the place that it is seen at. */
static bool sanitizer_says(const char *log, char *why, size_t bytes)
{
	char place[400];

	if (!line_of(log, "SUMMARY: ", why, bytes))
		return false;
	if (strstr(why, "data race") && place_of(log, place, sizeof(place)))
		snprintf(why, bytes, "memory order: race in %s", place);
	return true;
}

static enum conform_verdict exited(const struct child *child, char *why,
                                   size_t bytes)
{
	/* What a sanitizer has said counts, however it made the child end. */
	if (sanitizer_says(child->log, why, bytes))
		return CONFORM_FAIL;
	if (child_meant_to_leave(child->status))
		switch (child->status) {
		case 0:
			return CONFORM_PASS;
		case CHILD_SKIPPED:
			return noted(CONFORM_NA, why, bytes);
		case CHILD_UNTRIED:
			return noted(CONFORM_UNTRIED, why, bytes);
		}
	else if (child->status == 0)
		return ended_early(why, bytes);
	if (!line_of(child->log, "runtime error: ", why, bytes) &&
	    !line_of(child->log, NULL, why, bytes))
		snprintf(why, bytes, "ended with exit status %d",
		         child->status);
	return CONFORM_FAIL;
}

static enum conform_verdict signalled(const struct child *child, char *why,
                                      size_t bytes)
{
	char last[256] = "";

	if (child->status == SIGABRT &&
	    line_of(child->log, "check failed: ", why, bytes))
		return CONFORM_FAIL;
	line_of(child->log, NULL, last, sizeof(last));
	snprintf(why, bytes, "%s%s%s", strsignal(child->status),
	         *last ? ": " : "", last);
	return CONFORM_CRASHED;
}

enum conform_verdict verdict_of_child(const struct child *child,
                                      const struct weft_chan_impl *impl,
                                      int64_t limit_ns, char *why,
                                      size_t why_bytes)
{
	char likely[200] = "";

	switch (child->end) {
	case CHILD_EXITED:
		return exited(child, why, why_bytes);
	case CHILD_SIGNAL:
		return signalled(child, why, why_bytes);
	case CHILD_OVERDUE:
		break;
	}
	line_of(child->log, UNDERWAY_LIKELY, likely, sizeof(likely));
	snprintf(why, why_bytes, "not done after %.1f s%s%s%s",
	         (double)limit_ns / 1e9, *likely ? "; " : "", likely,
	         hang_remark(impl));
	return CONFORM_HUNG;
}

void verdict_print_log(const char *log)
{
	unsigned lines = 0, skip, i = 0;
	const char *at;

	for (at = log; *at; at++)
		lines += *at == '\n';
	skip = lines > LOG_LINES ? lines - LOG_LINES : 0;
	for (at = log; *at; i++) {
		int n = (int)strcspn(at, "\n");

		/* The first half, and the end. */
		if (i == LOG_LINES / 2 && skip)
			printf("           | ... %u lines ...\n", skip);
		if (i < LOG_LINES / 2 || i >= LOG_LINES / 2 + skip)
			printf("           | %.*s\n", n, at);
		at += n + (at[n] == '\n');
	}
}
