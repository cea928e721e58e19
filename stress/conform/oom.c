#include "stress/conform/oom.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/export.h>

/* The C library's own, under the names that it keeps for this purpose. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *block);

WEFT_API oom_arm_fn weft_oom_arm;
WEFT_API oom_disarm_fn weft_oom_disarm;
WEFT_API oom_live_fn weft_oom_live;

/* Not to be allocated on first use: that would call malloc. */
#define PER_THREAD                                                             \
	static __attribute__((tls_model("initial-exec"))) _Thread_local

PER_THREAD unsigned long countdown; /* 0 = never */
PER_THREAD bool failing_for_good;
PER_THREAD unsigned long failures;
PER_THREAD long live;

void weft_oom_arm(unsigned long n, int for_good)
{
	countdown = n;
	failing_for_good = for_good;
	failures = 0;
	live = 0;
}

unsigned long weft_oom_disarm(void)
{
	countdown = 0;
	return failures;
}

long weft_oom_live(void)
{
	return live;
}

/* --- by the environment, for a program of anyone's --- */

/* Of the whole process. */
static _Atomic unsigned long allocations;
static unsigned long fails_at; /* 0 = never */
static bool fails_from_there;

static void say(const char *what, unsigned long n)
{
	char line[80];
	int length =
	        snprintf(line, sizeof(line), "weft_oom: %s %lu\n", what, n);

	(void)!write(STDERR_FILENO, line, (size_t)length);
}

__attribute__((constructor)) static void read_environment(void)
{
	const char *wish = getenv("WEFT_OOM");
	char *end;

	if (!wish)
		return;
	weft_store_relaxed(&allocations, 0UL);
	fails_at = strtoul(wish, &end, 10);
	fails_from_there = *end == '+';
}

__attribute__((destructor)) static void say_how_many(void)
{
	unsigned long n = weft_load_relaxed(&allocations);

	if (fails_at && n < fails_at)
		say("nothing failed, allocations:", n);
}

static bool fails_by_environment(void)
{
	unsigned long n;

	if (!fails_at)
		return false;
	n = 1 + weft_fetch_add_relaxed(&allocations, 1UL);
	if (n != fails_at && !(fails_from_there && n > fails_at))
		return false;
	if (n == fails_at)
		say("fails: allocation", n);
	errno = ENOMEM;
	return true;
}

/* Whether this allocation is to fail. */
static bool fails(void)
{
	if (fails_by_environment())
		return true;
	if (countdown == 0)
		return false;
	if (countdown > 1) {
		countdown--;
		return false;
	}
	if (!failing_for_good)
		countdown = 0;
	failures++;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

/* libc names the parameters as only libc may. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

WEFT_API void *malloc(size_t bytes)
{
	return fails() ? NULL : counted(__libc_malloc(bytes));
}

WEFT_API void *calloc(size_t n, size_t bytes)
{
	return fails() ? NULL : counted(__libc_calloc(n, bytes));
}

WEFT_API void *realloc(void *block, size_t bytes)
{
	if (!block)
		return malloc(bytes);
	return fails() ? NULL : __libc_realloc(block, bytes);
}

WEFT_API void *memalign(size_t align, size_t bytes)
{
	return fails() ? NULL : counted(__libc_memalign(align, bytes));
}

WEFT_API void *aligned_alloc(size_t align, size_t bytes)
{
	return memalign(align, bytes);
}

WEFT_API int posix_memalign(void **out, size_t align, size_t bytes)
{
	void *block = memalign(align, bytes);

	if (!block)
		return ENOMEM;
	*out = block;
	return 0;
}

WEFT_API void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
