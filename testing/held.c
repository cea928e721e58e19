/*
 * What the process holds, counted.
 *
 * The heap is counted by wrapping the allocator at link time (see weft_testing
 * in CMakeLists.txt): what the test, the patterns and the library allocate, but
 * not what the C library keeps for itself, such as the buffer of a stream or
 * what belongs to a thread's stack. It works beside a sanitizer, whose own
 * allocator lies below. The counter is relaxed, so that it orders nothing that
 * the thread sanitizer should see unordered.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/atomic.h>

#include "task/internal.h"
#include "testing/refuse.h"
#include "testing/testing.h"

/* --- the heap --- */

static _Atomic long live, made;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
FILE *__real_open_memstream(char **text, size_t *bytes);
ssize_t __real___getdelim(char **line, size_t *bytes, int end, FILE *from);
void __real_free(void *block);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
FILE *__wrap_open_memstream(char **text, size_t *bytes);
WEFT_PRINTF(2, 3)
int __wrap_asprintf(char **text, const char *format, ...);
ssize_t __wrap_getline(char **line, size_t *bytes, FILE *from);
ssize_t __wrap___getdelim(char **line, size_t *bytes, int end, FILE *from);
void __wrap_free(void *block);

static void *counted(void *block)
{
	if (block) {
		weft_fetch_add_relaxed(&live, 1L);
		weft_fetch_add_relaxed(&made, 1L);
	}
	return block;
}

/* It may be refused before it is asked for. */
#define ASKED(block) (testing_is_refused(TESTING_MEMORY) ? NULL : (block))

void *__wrap_malloc(size_t bytes)
{
	return ASKED(counted(__real_malloc(bytes)));
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	return ASKED(counted(__real_calloc(n, bytes)));
}

/* One block before, one after. Of no bytes it would be none: nobody asks. */
void *__wrap_realloc(void *block, size_t bytes)
{
	return ASKED(block ? __real_realloc(block, bytes)
	                   : counted(__real_realloc(NULL, bytes)));
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
	return ASKED(counted(__real_aligned_alloc(align, bytes)));
}

char *__wrap_strdup(const char *s)
{
	return ASKED(counted(__real_strdup(s)));
}

char *__wrap_strndup(const char *s, size_t n)
{
	return ASKED(counted(__real_strndup(s, n)));
}

/* The text is the caller's to free. */
FILE *__wrap_open_memstream(char **text, size_t *bytes)
{
	return counted(__real_open_memstream(text, bytes));
}

int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(text, format, args);
	va_end(args);
	if (n >= 0)
		counted(*text);
	return n;
}

/* The first line is allocated, or there is one to grow. With optimization the C
 * library's header makes the second of these of the first. */
ssize_t __wrap_getline(char **line, size_t *bytes, FILE *from)
{
	return __wrap___getdelim(line, bytes, '\n', from);
}

ssize_t __wrap___getdelim(char **line, size_t *bytes, int end, FILE *from)
{
	bool had = *line;
	ssize_t n = __real___getdelim(line, bytes, end, from);

	if (!had)
		counted(*line);
	return n;
}

void __wrap_free(void *block)
{
	if (block)
		weft_fetch_sub_relaxed(&live, 1L);
	__real_free(block);
}

/* --- descriptors --- */

static long descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	long n = -1; /* the folder's own */

	CHECK(dir != NULL);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* --- both --- */

long testing_allocations(void)
{
	return weft_load_relaxed(&made);
}

struct testing_held testing_held(void)
{
	return (struct testing_held){
		/* A task's record outlives it, for the next one. */
		.objects = weft_load_relaxed(&live) - (long)weft_task_records(),
		.descriptors = descriptors(),
	};
}

static bool same(const char *what, long before, long after)
{
	if (before != after)
		fprintf(stderr, "%s: %ld before the test, %ld after it\n", what,
		        before, after);
	return before == after;
}

int testing_held_still(struct testing_held before)
{
	struct testing_held now = testing_held();
	bool objects = same("objects on the heap", before.objects, now.objects);

	return same("open descriptors", before.descriptors, now.descriptors) &&
	                       objects
	               ? 0
	               : -EBUSY;
}
