/* Memory and descriptors: what is taken is given back, and can run out. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "stress/conform/oom.h"
#include "stress/conform/suite.h"

/* --- leaks --- */

/* Bytes in use of the C library's heap. */
static size_t heap(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Bytes of this process in memory. */
static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128] = "", *second = line;
	unsigned long pages;

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	(void)strtoul(line, &second, 10); /* the first is the address space */
	pages = strtoul(second, NULL, 10);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Full, emptied again, closed with something inside: what is to be given back
 * differs. */
static void live_and_die(struct cell *cell)
{
	static unsigned lives;
	struct weft_chan *c = cell_chan(cell);
	size_t n = chan_fill(c, 0, cell->unbounded ? 150 : 10);
	uint32_t tag;

	if (lives % 3 == 1 && !(cell->impl->can & WEFT_NO_DATA))
		for (; n > 0; n--)
			MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	if (lives % 3 == 2)
		MUST(chan_close(c), 0);
	lives++;
	chan_end(c);
}

/* What all channels of a kind share is made by the first, and may stay. */
static void warm_up(struct cell *cell)
{
	for (int i = 0; i < 10; i++)
		live_and_die(cell);
}

#define GENERATIONS 5
#define GENERATION 200

/* How much more of the heap is in use after a generation of channels. */
static size_t left_by_a_generation(struct cell *cell)
{
	size_t before = heap(), after;

	for (unsigned i = 0; i < GENERATION; i++)
		live_and_die(cell);
	after = heap();
	return after > before ? after - before : 0;
}

/*
 * With and without elements inside. A leak of one block each would be 32 bytes
 * at the least, in every generation. What the heap keeps in hand counts as in
 * use too, but that fills up: it is enough that one generation leaves nothing.
 */
static void channels_come_and_go_without_a_trace(struct cell *cell)
{
	size_t left = SIZE_MAX;

	warm_up(cell);
	for (int i = 0; i < GENERATIONS && left >= GENERATION * 16; i++)
		left = left_by_a_generation(cell);
	REQUIRE(left < GENERATION * 16,
	        "%d channels left %zu bytes of the heap in use, and as many "
	        "before them",
	        GENERATION, left);
}

/* Entries of a folder of /proc/self, those of this look among them. */
static size_t entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* What a process has beside its heap. */
struct holdings {
	size_t descriptors, threads, pages;
};

static struct holdings holdings(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128] = "";
	struct holdings h;

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	h.pages = strtoul(line, NULL, 10);
	h.descriptors = entries("/proc/self/fd");
	h.threads = entries("/proc/self/task");
	return h;
}

#define HELD_GENERATION 40

/* As with the heap: it is enough that one generation leaves nothing. A thread
 * that has been joined may still be seen for a moment. */
static void channels_leave_no_thread_descriptor_or_mapping(struct cell *cell)
{
	struct holdings before, after;
	unsigned n = cell_some(cell, HELD_GENERATION);

	warm_up(cell);
	for (int i = 0; i < GENERATIONS; i++) {
		before = holdings();
		for (unsigned k = 0; k < n; k++)
			live_and_die(cell);
		after = holdings();
		if (after.descriptors <= before.descriptors &&
		    after.threads <= before.threads &&
		    (allocator_is_sanitized() ||
		     after.pages < before.pages + n))
			return;
	}
	expect_failed(__FILE__, __LINE__,
	              "%u channels left %zd descriptors, %zd threads and %zd "
	              "pages of the address space behind",
	              n, (ssize_t)(after.descriptors - before.descriptors),
	              (ssize_t)(after.threads - before.threads),
	              (ssize_t)(after.pages - before.pages));
}

/* --- leaks of single calls --- */

enum kind {
	SENT_AND_RECEIVED,
	NOT_SENT,         /* -EAGAIN */
	NOT_SENT_IN_TIME, /* -ETIMEDOUT */
	NOT_RECEIVED,
	NOT_RECEIVED_IN_TIME,
	SENT_TOO_LATE, /* -EPIPE */
	BATCH_TOO_LATE,
	RECEIVED_TOO_LATE,
	KINDS,
};

static const char *const kind_names[KINDS] = {
	"elements that were sent and received",
	"sends that returned -EAGAIN",
	"sends that returned -ETIMEDOUT",
	"receives that returned -EAGAIN",
	"receives that returned -ETIMEDOUT",
	"sends that returned -EPIPE",
	"batches that returned -EPIPE",
	"receives that returned -EPIPE",
};

static bool kind_applies(const struct cell *cell, enum kind kind)
{
	switch (kind) {
	case SENT_AND_RECEIVED:
		return cell->cap || cell->unbounded;
	case NOT_SENT:
		return !cell->unbounded;
	case NOT_SENT_IN_TIME:
		return !cell->unbounded && cell->timed;
	case NOT_RECEIVED_IN_TIME:
		return cell->timed;
	default:
		return true;
	}
}

static void must_call(enum kind kind, struct weft_chan *c)
{
	uint32_t tags[2] = { 1, 2 }, tag;
	size_t done;

	switch (kind) {
	case SENT_AND_RECEIVED:
		MUST(tag_try_send(c, 1), 0);
		MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
		break;
	case NOT_SENT:
		MUST(tag_try_send(c, 1), -EAGAIN);
		break;
	case NOT_SENT_IN_TIME:
		MUST(tag_send(c, 1, weft_deadline_in(1)), -ETIMEDOUT);
		break;
	case NOT_RECEIVED:
		MUST(tag_try_recv(c, &tag), -EAGAIN);
		break;
	case NOT_RECEIVED_IN_TIME:
		MUST(tag_recv(c, &tag, weft_deadline_in(1)), -ETIMEDOUT);
		break;
	case SENT_TOO_LATE:
		MUST(tag_send(c, 1, WEFT_FOREVER), -EPIPE);
		break;
	case BATCH_TOO_LATE:
		MUST(tag_send_many(c, tags, 2, &done, WEFT_FOREVER), -EPIPE);
		break;
	case RECEIVED_TOO_LATE:
		MUST(tag_recv(c, &tag, WEFT_FOREVER), -EPIPE);
		break;
	case KINDS:
		break;
	}
}

#define CALLS 100

/* As above: what is kept for the next time fills up, and a leak does not. */
static void calls_leave_nothing(struct cell *cell, enum kind kind)
{
	struct weft_chan *c = cell_chan(cell);
	size_t left = SIZE_MAX, before;

	if (kind == NOT_SENT || kind == NOT_SENT_IN_TIME)
		chan_fill(c, 0, TO_THE_BRIM);
	if (kind >= SENT_TOO_LATE)
		MUST(chan_close(c), 0);
	for (int i = 0; i <= GENERATIONS && left >= CALLS * 16; i++) {
		before = heap();
		for (int k = 0; k < CALLS; k++)
			must_call(kind, c);
		left = heap() > before ? heap() - before : 0;
	}
	REQUIRE(left < CALLS * 16,
	        "%d %s left %zu bytes of the heap in use, and as many before "
	        "them",
	        CALLS, kind_names[kind], left);
	chan_end(c);
}

static void no_call_leaves_memory_behind(struct cell *cell)
{
	for (enum kind kind = 0; kind < KINDS; kind++)
		if (kind_applies(cell, kind))
			calls_leave_nothing(cell, kind);
}

#define BURST_ELEM 64

static void unbounded_gives_memory_back_after_a_burst(struct cell *cell)
{
	const uint32_t n = 200000;
	struct weft_chan *c;
	size_t heap_before, rss_before, held, left, burst;

	if (weft_chan_impl_accepts(cell->impl, cell->cap, BURST_ELEM, NULL, 0))
		child_skip("does not take elements of %d bytes", BURST_ELEM);
	c = cell_chan_of(cell, cell->cap, BURST_ELEM, NULL);
	for (uint32_t i = 0; i < 1000; i++)
		MUST(tag_try_send(c, i), 0);
	for (uint32_t i = 0; i < 1000; i++)
		must_recv(c, i, WEFT_FOREVER);
	heap_before = heap();
	rss_before = resident();
	burst = (size_t)n * BURST_ELEM;
	for (uint32_t i = 0; i < n; i++)
		MUST(tag_try_send(c, i), 0);
	held = heap() - heap_before;
	for (uint32_t i = 0; i < n; i++)
		must_recv(c, i, WEFT_FOREVER);
	left = heap() > heap_before ? heap() - heap_before : 0;
	REQUIRE(left < burst / 8,
	        "%zu of %zu bytes of the heap are still in use after a burst "
	        "of %u elements was received",
	        left, held, n);
	/* What it took from elsewhere than the heap shows here. */
	malloc_trim(0);
	left = resident() > rss_before ? resident() - rss_before : 0;
	REQUIRE(left < burst / 2,
	        "%zu bytes are still resident after a burst of %zu", left,
	        burst);
	chan_end(c);
}

/* Ready at once, after a wait, and never; what is left is that of the first
 * few. */
static void select_a_while(struct cell *cell, unsigned n)
{
	struct weft_chan *a = cell_chan(cell), *b = cell_chan(cell);
	struct choice ch = { .n = 0 };
	uint32_t tag;

	choice_recv(&ch, a);
	choice_recv(&ch, b);
	choice_recv(&ch, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (i % 16 == 0)
			MUST(choice_make(&ch, weft_deadline_in(1)), -ETIMEDOUT);
		if (tag_try_send(i % 2 ? a : b, i) == 0)
			MUST(choice_make(&ch, WEFT_FOREVER), i % 2 ? 0 : 1);
		else
			MUST(choice_make(&ch, WEFT_NOW), -ETIMEDOUT);
	}
	MUST(tag_try_recv(a, &tag), -EAGAIN);
	chan_end(a);
	chan_end(b);
}

#define SELECTS 200000

static void many_selects_do_not_grow_memory(struct cell *cell)
{
	size_t before, rss_before, after;

	select_a_while(cell, 1000);
	before = heap();
	rss_before = resident();
	select_a_while(cell, SELECTS);
	after = heap();
	REQUIRE(after < before + SELECTS / 8,
	        "%d selects left %zu bytes of the heap in use", SELECTS,
	        after - before);
	after = resident();
	REQUIRE(after < rss_before + SELECTS * 4,
	        "%d selects left %zu bytes more resident", SELECTS,
	        after - rss_before);
}

/* --- running out of memory --- */

static struct {
	oom_arm_fn *arm;
	oom_disarm_fn *disarm;
	oom_live_fn *live;
} oom;

/* A function that may be in the process. The detour keeps to the letter of C,
 * which has no conversion from object to function pointers. */
static void look_up(const char *name, void *out)
{
	*(void **)out = dlsym(RTLD_DEFAULT, name);
}

static void need_oom(void)
{
	look_up("weft_oom_arm", &oom.arm);
	look_up("weft_oom_disarm", &oom.disarm);
	look_up("weft_oom_live", &oom.live);
	if (!oom.arm || !oom.disarm || !oom.live)
		child_skip("needs an allocator that fails: set LD_PRELOAD to "
		           "weft_oom.so of the tests");
}

/* Let each allocation of weft_chan_new() fail, the first, the second, ...,
 * until none is left to fail. */
static void new_fails(struct cell *cell, int for_good)
{
	for (unsigned long n = 1;; n++) {
		struct weft_chan *none = (struct weft_chan *)(uintptr_t)1;
		struct weft_chan_opts opts = { .wait = cell->wait };
		struct weft_chan *c = none;
		unsigned long failures;
		int err;

		oom.arm(n, for_good);
		err = weft_chan_new(&c, cell->impl, cell->cap, cell->elem,
		                    &opts);
		failures = oom.disarm();
		if (failures == 0) {
			MUST_OF("create", err, 0);
			chan_end(c);
			REQUIRE(oom.live() == 0,
			        "%ld blocks are left of a channel", oom.live());
			return;
		}
		/* It may do with less, but then it must work. */
		if (err == 0) {
			MUST(tag_try_send(c, 1),
			     cell->cap || cell->unbounded ? 0 : -EAGAIN);
			chan_end(c);
		} else {
			MUST_OF("create", err, -ENOMEM);
			REQUIRE(c == none,
			        "a failed weft_chan_new changed its argument");
		}
		REQUIRE(oom.live() == 0,
		        "%ld blocks are left after allocation %lu of "
		        "weft_chan_new failed",
		        oom.live(), n);
	}
}

static void new_without_memory_leaves_nothing(struct cell *cell)
{
	need_oom();
	warm_up(cell);
	new_fails(cell, 0);
	new_fails(cell, 1);
}

/* The first call of a thread may need what no call can do without: the system
 * makes its thread-local variables then, and ends the process if it cannot. */
static void first_call(struct weft_chan *c)
{
	uint32_t tag;

	MUST(tag_try_send(c, 0), 0);
	MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
}

/* Send elements while the `nth` allocation fails, and leave space for one more.
 * What was refused with -ENOMEM is not inside, and everything after it works.
 */
static unsigned long sends_fail(struct cell *cell, unsigned long nth,
                                int for_good)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t sent = 0;
	uint32_t n = cell->unbounded ? 300 : (uint32_t)cell->cap - 1;

	first_call(c);
	unsigned long failures;
	int err;

	oom.arm(nth, for_good);
	for (uint32_t i = 0; i < n; i++) {
		err = tag_try_send(c, sent);
		REQUIRE(err == 0 || err == -ENOMEM, "try_send returned %s",
		        code_name(err));
		sent += err == 0;
	}
	failures = oom.disarm();
	REQUIRE(failures > 0 || sent == n,
	        "a send returned -ENOMEM when no allocation had failed");
	REQUIRE(!cell->exact || chan_len(c) == sent,
	        "len is %zu after %u sends succeeded", chan_len(c), sent);
	MUST(tag_send(c, sent, WEFT_FOREVER), 0);
	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, sent + 1);
	chan_end(c);
	return failures;
}

static void a_send_without_memory_changes_nothing(struct cell *cell)
{
	need_oom();
	for (int for_good = 0; for_good < 2; for_good++)
		for (unsigned long n = 1; sends_fail(cell, n, for_good) > 0;
		     n++)
			;
}

#define FAILING 20

/* What one call keeps for later ones is kept once; a leak comes each time. */
static void failing_sends_leak(struct cell *cell, unsigned long nth)
{
	struct weft_chan *c = cell_chan(cell);
	unsigned failed = 0, leaked = 0;
	uint32_t tag;
	int err;

	first_call(c);
	for (uint32_t i = 0; i < FAILING; i++) {
		oom.arm(nth, 1);
		err = tag_try_send(c, i);
		(void)oom.disarm();
		failed += err == -ENOMEM;
		leaked += err == -ENOMEM && oom.live() > 0;
		if (err == 0)
			MUST(tag_recv(c, &tag, WEFT_FOREVER), 0);
	}
	REQUIRE(failed == 0 || leaked < failed,
	        "each of %u sends that returned -ENOMEM left blocks of memory "
	        "behind",
	        failed);
	chan_end(c);
}

static void a_send_without_memory_leaves_none_behind(struct cell *cell)
{
	need_oom();
	for (unsigned long nth = 1; nth <= 4; nth++)
		failing_sends_leak(cell, nth);
}

/* No error of a receive, a close or a len says that there is no memory: what
 * they need, the channel has since it was made or the element was sent. */
static void a_receive_without_memory_succeeds(struct cell *cell)
{
	struct weft_chan *c = cell_chan(cell);
	uint32_t tag, n;
	int err;

	need_oom();
	first_call(c);
	n = (uint32_t)chan_fill(c, 0, 300);
	oom.arm(1, 1);
	for (uint32_t i = 0; i < n; i++) {
		if (i % 3)
			err = tag_recv(c, &tag, WEFT_FOREVER);
		else
			err = tag_try_recv(c, &tag);
		REQUIRE(err == 0, "a receive without memory returned %s",
		        code_name(err));
	}
	MUST(tag_try_recv(c, &tag), -EAGAIN);
	if (cell->timed)
		MUST(tag_recv(c, &tag, weft_deadline_in(1)), -ETIMEDOUT);
	MUST(chan_close(c), 0);
	MUST(tag_recv(c, &tag, WEFT_FOREVER), -EPIPE);
	(void)oom.disarm();
	chan_end(c);
}

/* The same for a batch: the first *done are inside, the rest is not. */
static unsigned long batch_fails(struct cell *cell, unsigned long nth)
{
	struct weft_chan *c = cell_chan(cell);
	size_t size = cell->elem, done = 0, n = MANY_MAX;
	unsigned char *elems;
	unsigned long failures;
	int err;

	NEED_MEMORY(elems = malloc(n * size + 1));
	for (size_t i = 0; i < n; i++)
		elem_make(elems + i * size, size, (uint32_t)i);
	oom.arm(nth, 1);
	err = weft_chan_send_many(c, elems, n, &done, WEFT_FOREVER);
	failures = oom.disarm();
	REQUIRE(err == 0 || (err == -ENOMEM && failures),
	        "send_many returned %s", code_name(err));
	REQUIRE((err == 0) == (done == n),
	        "send_many returned %s after %zu elements of %zu",
	        code_name(err), done, n);
	MUST(chan_close(c), 0);
	must_drain(cell, c, 0, done);
	chan_end(c);
	free(elems);
	return failures;
}

static void a_batch_without_memory_is_told_how_far_it_got(struct cell *cell)
{
	need_oom();
	for (unsigned long n = 1; batch_fails(cell, n) > 0; n++)
		;
}

/* --- select without memory --- */

#define SELECT_MANY 40

/* When a select is to end: never, as there is an element; at once; after it has
 * waited. */
static const int64_t patience[] = { WEFT_FOREVER, WEFT_NOW, 200 * WEFT_US };

#define PATIENCES (sizeof(patience) / sizeof(*patience))

/* A select of n cases, of which the nth allocation fails, and all after it.
 * Returns what it returned; *failures says how many failed. */
static int select_fails(struct cell *cell, size_t n, unsigned long nth,
                        int64_t patience_ns, unsigned long *failures)
{
	struct weft_case cases[SELECT_MANY];
	struct weft_chan *c = cell_chan(cell);
	struct room room;
	int64_t deadline = patience_ns == WEFT_NOW
	                           ? WEFT_NOW
	                           : weft_deadline_in(patience_ns);
	int got;

	for (size_t i = 0; i < n; i++)
		cases[i] = weft_case_recv(c, room.bytes);
	/* The channel may have needed some for its first call. */
	MUST(weft_select(cases, 1, WEFT_NOW), -ETIMEDOUT);
	MUST(weft_select(cases, 1, weft_deadline_in(1)), -ETIMEDOUT);
	if (deadline == WEFT_FOREVER)
		MUST(tag_try_send(c, 1), 0);
	oom.arm(nth, 1);
	got = weft_select(cases, n, deadline);
	*failures = oom.disarm();
	/* The element that it received may have had one of its own. */
	REQUIRE(oom.live() <= 0, "%ld blocks are left of a select", oom.live());
	REQUIRE(*failures > 0 || (deadline == WEFT_FOREVER ? got >= 0
	                                                   : got == -ETIMEDOUT),
	        "a select of %zu cases returned %s", n, code_name(got));
	chan_end(c);
	return got;
}

static void a_select_of_few_cases_needs_no_memory(struct cell *cell)
{
	unsigned long failures;

	need_oom();
	for (size_t n = 1; n <= 16; n++)
		for (size_t i = 0; i < PATIENCES; i++) {
			(void)select_fails(cell, n, 1, patience[i], &failures);
			REQUIRE(failures == 0,
			        "a select of %zu cases asked for memory", n);
		}
}

static void a_select_without_memory_says_so(struct cell *cell)
{
	unsigned long failures, nth;

	need_oom();
	for (size_t i = 0; i < PATIENCES; i++) {
		nth = 0;
		do {
			int got = select_fails(cell, SELECT_MANY, ++nth,
			                       patience[i], &failures);

			REQUIRE(failures == 0 || got == -ENOMEM,
			        "a select without memory returned %s",
			        code_name(got));
		} while (failures > 0);
	}
}

/* --- running out of descriptors --- */

static rlim_t descriptors(void)
{
	int fd = dup(STDERR_FILENO);

	CHECK(fd >= 0);
	close(fd);
	return (rlim_t)fd; /* the lowest that is free */
}

static void new_without_descriptors_leaves_nothing(struct cell *cell)
{
	struct rlimit old, few;
	rlim_t before;

	warm_up(cell);
	before = descriptors();
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	for (rlim_t spare = 0; spare < 4; spare++) {
		struct weft_chan *c;
		int err;

		few.rlim_cur = before + spare;
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
		err = weft_chan_new(&c, cell->impl, cell->cap, cell->elem,
		                    NULL);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (err == 0)
			chan_end(c);
		else
			REQUIRE(err == -ENOMEM || err == -EINVAL,
			        "weft_chan_new returned %s", code_name(err));
		REQUIRE(descriptors() == before,
		        "weft_chan_new left descriptor %d open", (int)before);
	}
}

const struct conform_check conform_memory[] = {
	{ .name = "channels_come_and_go_without_a_trace",
	  .needs = NEEDS_UNSAN,
	  .over = OVER_CAPS,
	  .fn = channels_come_and_go_without_a_trace },
	{ .name = "channels_leave_no_thread_descriptor_or_mapping",
	  .over = OVER_CAPS,
	  .fn = channels_leave_no_thread_descriptor_or_mapping },
	{ .name = "no_call_leaves_memory_behind",
	  .needs = NEEDS_DATA | NEEDS_UNSAN,
	  .over = OVER_CAPS,
	  .fn = no_call_leaves_memory_behind },
	{ .name = "unbounded_gives_memory_back_after_a_burst",
	  .scenarios = "10",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | NEEDS_ORDER | WEFT_CAN_UNBOUNDED,
	  .over = OVER_UNBOUNDED,
	  .fn = unbounded_gives_memory_back_after_a_burst },
	{ .name = "many_selects_do_not_grow_memory",
	  .scenarios = "40",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | WEFT_CAN_SELECT,
	  .over = OVER_0 | OVER_1 | OVER_UNBOUNDED,
	  .fn = many_selects_do_not_grow_memory },
	{ .name = "a_select_of_few_cases_needs_no_memory",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | WEFT_CAN_SELECT,
	  .over = OVER_1 | OVER_UNBOUNDED,
	  .fn = a_select_of_few_cases_needs_no_memory },
	{ .name = "a_select_without_memory_says_so",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | WEFT_CAN_SELECT,
	  .over = OVER_1 | OVER_UNBOUNDED,
	  .fn = a_select_without_memory_says_so },
	{ .name = "new_without_memory_leaves_nothing",
	  .needs = NEEDS_UNSAN | NEEDS_DATA,
	  .over = OVER_CAPS,
	  .fn = new_without_memory_leaves_nothing },
	{ .name = "a_send_without_memory_changes_nothing",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | NEEDS_TAGS,
	  .over = OVER_2 | OVER_7 | OVER_64 | OVER_UNBOUNDED,
	  .fn = a_send_without_memory_changes_nothing },
	{ .name = "a_send_without_memory_leaves_none_behind",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | NEEDS_TAGS,
	  .over = OVER_2 | OVER_UNBOUNDED,
	  .fn = a_send_without_memory_leaves_none_behind },
	{ .name = "a_receive_without_memory_succeeds",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | NEEDS_TAGS,
	  .over = OVER_BUFFERED,
	  .fn = a_receive_without_memory_succeeds },
	{ .name = "a_batch_without_memory_is_told_how_far_it_got",
	  .needs = NEEDS_DATA | NEEDS_UNSAN | NEEDS_TAGS | WEFT_CAN_UNBOUNDED,
	  .over = OVER_UNBOUNDED,
	  .fn = a_batch_without_memory_is_told_how_far_it_got },
	{ .name = "new_without_descriptors_leaves_nothing",
	  .over = OVER_CAPS,
	  .fn = new_without_descriptors_leaves_nothing },
	{ .name = NULL },
};
