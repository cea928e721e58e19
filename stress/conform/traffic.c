#include "stress/conform/traffic.h"

#include <errno.h>

#define SENDERS_MAX LEDGER_SENDERS
#define RECEIVERS_MAX 64

/* --- ways --- */

static bool only_tries(enum way way)
{
	return way == WAY_TRY || way == WAY_TRY_SELECT;
}

static bool way_applies(const struct cell *cell, enum way way)
{
	switch (way) {
	case WAY_TIMED:
		return cell->impl->can & WEFT_CAN_TIMEOUT;
	case WAY_SELECT:
	case WAY_TRY_SELECT:
		return impl_selects(cell->impl, cell->cap, cell->elem);
	default:
		return true;
	}
}

bool ways_meet(const struct cell *cell, enum way send_by, enum way recv_by)
{
	if (!way_applies(cell, send_by) || !way_applies(cell, recv_by))
		return false;
	return cell->cap > 0 || cell->unbounded || !only_tries(send_by) ||
	       !only_tries(recv_by);
}

static int select_one(struct choice *ch, int64_t deadline_ns)
{
	int got;

	choice_recv(ch, NULL);
	while ((got = choice_make(ch, deadline_ns)) == -ETIMEDOUT)
		weft_yield();
	MUST_OF("select", got, 0);
	return choice_err(ch, got);
}

static int64_t deadline_of(enum way way)
{
	return way == WAY_SELECT ? WEFT_FOREVER : WEFT_NOW;
}

static int select_send(enum way way, struct weft_chan *c, uint32_t tag)
{
	struct choice ch;

	ch.n = 0;
	choice_send(&ch, c, tag);
	return select_one(&ch, deadline_of(way));
}

static int select_recv(enum way way, struct weft_chan *c, uint32_t *tag)
{
	struct choice ch;
	int err;

	ch.n = 0;
	choice_recv(&ch, c);
	err = select_one(&ch, deadline_of(way));
	if (!err)
		*tag = ch.tag[0];
	return err;
}

static int64_t soon(void)
{
	return weft_deadline_in((int64_t)(weft_rand() % 50) * WEFT_US);
}

static int send_one(enum way way, struct weft_chan *c, uint32_t tag)
{
	int64_t deadline;
	int err;

	if (way == WAY_PLAIN)
		return tag_send(c, tag, WEFT_FOREVER);
	if (way == WAY_SELECT || way == WAY_TRY_SELECT)
		return select_send(way, c, tag);
	for (;;) {
		deadline = soon();
		err = way == WAY_TRY ? tag_try_send(c, tag)
		                     : tag_send(c, tag, deadline);
		if (err != (way == WAY_TRY ? -EAGAIN : -ETIMEDOUT))
			return err;
		REQUIRE(way == WAY_TRY || weft_now() >= deadline,
		        "a send timed out before its deadline");
		weft_yield();
	}
}

int way_send(enum way way, struct weft_chan *c, const uint32_t *tags, size_t n)
{
	size_t done;
	int err = 0;

	if (way == WAY_MANY)
		return tag_send_many(c, tags, n, &done, WEFT_FOREVER);
	for (size_t i = 0; i < n && !err; i++)
		err = send_one(way, c, tags[i]);
	return err;
}

static int recv_one(enum way way, struct weft_chan *c, uint32_t *tag)
{
	int64_t deadline;
	int err;

	if (way == WAY_PLAIN)
		return tag_recv(c, tag, WEFT_FOREVER);
	if (way == WAY_SELECT || way == WAY_TRY_SELECT)
		return select_recv(way, c, tag);
	for (;;) {
		deadline = soon();
		err = way == WAY_TRY ? tag_try_recv(c, tag)
		                     : tag_recv(c, tag, deadline);
		if (err != (way == WAY_TRY ? -EAGAIN : -ETIMEDOUT))
			return err;
		REQUIRE(way == WAY_TRY || weft_now() >= deadline,
		        "a receive timed out before its deadline");
		weft_yield();
	}
}

int way_recv(enum way way, struct weft_chan *c, uint32_t *tags, size_t *n)
{
	int err;

	if (way == WAY_MANY)
		return tag_recv_many(c, tags, WAY_BATCH, n, WEFT_FOREVER);
	err = recv_one(way, c, tags);
	*n = err ? 0 : 1;
	return err;
}

/* --- traffic --- */

static int sender(void *arg)
{
	struct traffic *t = arg;
	unsigned id = weft_fetch_add_relaxed(&t->next_sender, 1u);
	uint32_t tags[WAY_BATCH];

	for (uint32_t i = 0; i < t->each;) {
		size_t n = 0;

		do
			tags[n++] = ledger_tag(id, i++);
		while (t->send_by == WAY_MANY && n < WAY_BATCH && i < t->each);
		MUST_OF("send", way_send(t->send_by, t->c, tags, n), 0);
		for (size_t k = 0; k < n; k++)
			ledger_sent(&t->ledger, tags[k], true);
	}
	return 0;
}

static int receiver(void *arg)
{
	struct traffic *t = arg;
	struct ledger_order order = { { 0 } };
	uint32_t tags[WAY_BATCH];
	size_t n;
	int err;

	while ((err = way_recv(t->recv_by, t->c, tags, &n)) == 0)
		for (size_t i = 0; i < n; i++)
			ledger_received(&t->ledger, tags[i],
			                t->order ? &order : NULL);
	MUST_OF("recv", err, -EPIPE);
	return 0;
}

static int observer(void *arg)
{
	struct traffic *t = arg;
	size_t cap = weft_chan_cap(t->c), len;

	while (!weft_load_relaxed(&t->done)) {
		len = chan_len(t->c);
		REQUIRE(len <= cap, "len is %zu on a capacity of %zu", len,
		        cap);
		weft_yield();
	}
	return 0;
}

void traffic_run(struct traffic *t)
{
	struct weft_task *s[SENDERS_MAX] = { 0 }, *r[RECEIVERS_MAX] = { 0 };
	struct weft_task *o = NULL;

	t->c = cell_chan(t->cell);
	ledger_init(&t->ledger, t->senders, t->each);
	weft_store_relaxed(&t->next_sender, 0u);
	weft_store_relaxed(&t->done, false);
	if (t->look)
		o = task_start("observer", observer, t);
	for (unsigned i = 0; i < t->receivers; i++)
		r[i] = task_start("receiver", receiver, t);
	for (unsigned i = 0; i < t->senders; i++)
		s[i] = task_start("sender", sender, t);
	for (unsigned i = 0; i < t->senders; i++)
		task_finish(s[i]);
	MUST(chan_close(t->c), 0);
	for (unsigned i = 0; i < t->receivers; i++)
		task_finish(r[i]);
	weft_store_relaxed(&t->done, true);
	if (o)
		task_finish(o);
	ledger_close(&t->ledger);
	ledger_fini(&t->ledger);
	chan_end(t->c);
}
