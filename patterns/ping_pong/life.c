/* The life cycle of a link: see testing/life.h. What goes in are requests; one
 * has come out when a server has it, which answers at once. */
#include "testing/life.h"
#include "link.h"
#include "testing/testing.h"

static void *make_of(const struct life_opts *o, const char *impl, size_t cap)
{
	struct weft_link_opts opts = { .impl = weft_chan_impl_find(impl),
		                       .cap = cap,
		                       .request_size = sizeof(uint64_t),
		                       .ctx = o->ctx,
		                       .drop_request = life_drop };
	struct weft_link *l;

	LIFE_NEW(weft_link_new(&l, &opts));
	return l;
}

static void *make(const struct life_opts *o)
{
	return make_of(o, "handoff", 0);
}

static void *make_with_capacity(const struct life_opts *o)
{
	return make_of(o, "ring", 2);
}

static int in(void *l, uint64_t item, int64_t deadline_ns)
{
	return weft_link_call(l, &item, NULL, deadline_ns);
}

/* Whether its caller still waits makes no difference to the request. */
static int out(void *l, uint64_t *item, int64_t deadline_ns)
{
	struct weft_link_call call;
	int err = weft_link_recv(l, &call, item, deadline_ns);

	if (!err && weft_link_reply(l, &call, 0, NULL) == -EINVAL)
		err = -EINVAL;
	return err;
}

LIFE_CLOSE(link)
LIFE_STOP_FAIL_FREE(link)
LIFE_STATS(link)

#define ROW(row_name, make_fn)                                                 \
	{                                                                      \
		.name = (row_name), .make = (make_fn), .in = in, .out = out,   \
		.close = link_close, .stop = link_stop, .fail = link_fail,     \
		.stats = link_stats, .free = link_free, .senders = 9,          \
		.receivers = 9, .takes_always = true, .needs_peer = true       \
	}

const struct life life_link[] = {
	ROW("link", make),
	ROW("link with capacity", make_with_capacity),
	{ .name = NULL },
};
