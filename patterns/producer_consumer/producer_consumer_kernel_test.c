/* Tests of the kernel over buffers between producers and consumers, beside
 * those of all kernels. */
#include <string.h>

#include "testing/testing.h"

static struct testing_cell cell(const struct weft_chan_impl *chan,
                                const char *knobs, uint64_t items)
{
	return (struct testing_cell){ .pattern = &pattern_producer_consumer,
		                      .chan = chan,
		                      .knobs = knobs,
		                      .items = items };
}

TEST(in_pairs_everybody_puts_and_takes)
{
	struct testing_cell t = cell(NULL, "variant=pairs", 0);
	struct cell c = testing_cell(&t);
	struct cell_shape shape = params_shape(&c.params);

	CHECK_EQ(shape.senders, 2u);
	CHECK_EQ(shape.receivers, 2u);
	return 0;
}

TEST(what_a_channel_cannot_hold_is_not_preproduced)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("pipe"),
	             "variant=preproduced payload=4096", 1 << 20);

	CHECK_EQ(testing_cell_run(&t), -ENOTSUP);
	return 0;
}

static void expect_shares(const char *knobs)
{
	struct testing_cell t =
	        cell(weft_chan_impl_find("handoff"), knobs, 200);
	double puts = 0;

	CHECK_EQ(testing_cell_run(&t), 0);
	for (unsigned i = 0; i < t.figures; i++) {
		const struct figure *f = &t.figure[i];

		CHECK(f->value >= 0);
		if (strcmp(f->unit, "%") == 0)
			CHECK(f->value <= 100);
		if (strcmp(f->help, "of the puts") == 0)
			puts += f->value;
	}
	CHECK(99.9 < puts && puts < 100.1);
}

TEST(shares_of_a_whole_are_no_more_than_that)
{
	expect_shares("stats=1 cap=4 work=20000");
	expect_shares("stats=1 cap=4 prod_work=20000 consumers=2");
	expect_shares("stats=1 cap=2 variant=try producers=2");
	return 0;
}
