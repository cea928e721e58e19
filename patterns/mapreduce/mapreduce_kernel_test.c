/* Tests of the kernel over files: what no table of cells can say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/cell.h"
#include "testing/testing.h"

/* A file that holds `text`, for as long as the test takes. */
struct file {
	char path[64];
	char knobs[120];
};

static void make(struct file *f, const char *text, const char *variant)
{
	size_t bytes = strlen(text);
	int fd;

	strcpy(f->path, "/tmp/weft_mapreduce_XXXXXX");
	fd = mkstemp(f->path);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, bytes), (ssize_t)bytes);
	CHECK_EQ(close(fd), 0);
	snprintf(f->knobs, sizeof(f->knobs), "input=%s chunk=1 variant=%s",
	         f->path, variant);
}

static struct testing_cell cell_of(const char *knobs)
{
	return (struct testing_cell){ .pattern = pattern_find("mapreduce"),
		                      .chan = weft_chan_impl_find("handoff"),
		                      .knobs = knobs };
}

static struct testing_cell cell(const struct file *f, uint64_t items)
{
	struct testing_cell t = cell_of(f->knobs);

	t.items = items;
	return t;
}

static uint64_t items(const struct testing_cell *t)
{
	struct cell c = testing_cell(t);

	return t->pattern->items(&c.params);
}

/* Fewer words than there are, and more; and a pace. */
static void count(const char *variant)
{
	struct testing_cell t;
	struct file f;

	make(&f, "  Go, go; stop go\n\ngo-go 12 stop", variant);
	t = cell(&f, 0);
	CHECK_EQ(items(&t), 7u);
	for (uint64_t n = 0; n < 30; n++) {
		t.items = n;
		t.pace_ns = n % 2 ? 0 : 1000;
		CHECK_EQ(testing_cell_run(&t), 0);
		CHECK_EQ(t.consumed, n);
		t.consumed = t.latencies = 0;
	}
	CHECK_EQ(unlink(f.path), 0);
}

TEST(the_words_of_a_file_are_counted)
{
	count("local");
	count("locked");
	count("stream");
	count("serial");
	return 0;
}

static void expect_refused(const char *text)
{
	char why[PATTERN_WHY_BYTES];
	struct testing_cell t;
	struct file f;

	make(&f, text, "local");
	snprintf(why, sizeof(why),
	         "input=%s: there is not one word in it (of the letters A to Z "
	         "and a to z)",
	         f.path);
	t = cell(&f, 10);
	CHECK(!testing_cell_possible(&t));
	CHECK_EQ(strcmp(t.why, why), 0);
	CHECK_EQ(testing_cell_run(&t), -EINVAL);
	CHECK_EQ(unlink(f.path), 0);
	CHECK(!testing_cell_possible(&t));
	snprintf(why, sizeof(why), "input=%s: No such file or directory",
	         f.path);
	CHECK_EQ(strcmp(t.why, why), 0);
}

TEST(a_file_without_words_is_refused)
{
	expect_refused("");
	expect_refused("12 34\n");
	return 0;
}

/* One long word, over and over again. */
TEST(more_of_a_file_than_a_gigabyte_is_refused)
{
	char *text = calloc(1, (1 << 20) + 1), why[200];
	struct testing_cell t;
	struct file f;
	struct cell c;

	CHECK(text != NULL);
	memset(text, 'a', 1 << 20);
	make(&f, text, "local");
	free(text);
	snprintf(f.knobs, sizeof(f.knobs), "input=%s items=1024", f.path);
	t = cell_of(f.knobs);
	CHECK(!testing_cell_possible(&t));
	snprintf(why, sizeof(why),
	         "items=1024: more than 1 GiB of input=%s, allowed 0..1023",
	         f.path);
	CHECK_EQ(strcmp(t.why, why), 0);
	snprintf(f.knobs, sizeof(f.knobs), "input=%s items=1023", f.path);
	t = cell_of(f.knobs);
	CHECK(testing_cell_possible(&t));
	/* A run has to be given seconds for what its bytes take. */
	c = testing_cell(&t);
	CHECK(t.pattern->least_ns(&c.params, 1023) > 1e9);
	CHECK_EQ(unlink(f.path), 0);
	return 0;
}

/* A file of /proc says that it is empty. */
TEST(a_file_is_read_to_its_end_whatever_size_it_says)
{
	struct testing_cell t = cell_of("input=/proc/version");

	CHECK(items(&t) > 0);
	t.items = 1000;
	CHECK_EQ(testing_cell_run(&t), 0);
	CHECK_EQ(t.consumed, 1000u);
	return 0;
}

/* Nothing is there at address 0. */
TEST(a_file_that_cannot_be_read_is_told)
{
	struct testing_cell t = cell_of("input=/proc/self/mem");

	CHECK(!testing_cell_possible(&t));
	CHECK_EQ(strcmp(t.why, "input=/proc/self/mem: Input/output error"), 0);
	return 0;
}

/* Between the look at it and the run. */
TEST(a_file_that_goes_away_is_told)
{
	struct cell_run run = { .cell = NULL };
	struct testing_cell t;
	struct cell c;
	struct file f;

	make(&f, "a b", "local");
	t = cell(&f, 2);
	c = testing_cell(&t);
	run.cell = &c;
	CHECK_EQ(cell_accepts(&c.params, NULL, 0), 0);
	CHECK_EQ(unlink(f.path), 0);
	CHECK_EQ(cell_init(&c, false), 0);
	CHECK_EQ(cell_run(&run), -ENOENT);
	CHECK(strstr(run.why, "No such file") != NULL);
	cell_fini(&c);
	return 0;
}
