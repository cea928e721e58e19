#include "tokens.h"

#include <errno.h>

#include "base/check.h"

/* Elements of no bytes are read from here and written to here. */
static unsigned char nothing;

int weft_tokens_init(struct tokens *t, size_t limit, enum weft_wait wait)
{
	/* Handoff counts exactly, and lets in who has waited longest. */
	const struct weft_chan_impl *impl = weft_chan_impl_find("handoff");
	struct weft_chan_opts opts = { .wait = wait };

	return limit ? weft_chan_new(&t->taken, impl, limit, 0, &opts) : 0;
}

void weft_tokens_destroy(struct tokens *t)
{
	weft_chan_unref(t->taken);
}

void weft_tokens_close(struct tokens *t)
{
	if (t->taken)
		weft_chan_close(t->taken);
}

int weft_tokens_take(struct tokens *t, size_t n, size_t *taken,
                     int64_t deadline_ns)
{
	size_t more = 0;
	int err;

	*taken = n;
	if (!t->taken)
		return 0;
	*taken = 0;
	err = weft_chan_send(t->taken, &nothing, deadline_ns);
	if (err)
		return err;
	if (n > 1)
		err = weft_chan_send_many(t->taken, &nothing, n - 1, &more,
		                          WEFT_NOW);
	(void)err; /* one is enough */
	*taken = 1 + more;
	return 0;
}

/* Returns how much of n is left when the debt is paid. */
static size_t pay(struct tokens *t, size_t n)
{
	uint64_t debt = weft_load_relaxed(&t->debt), paid;

	do {
		paid = debt < n ? debt : n;
	} while (paid && !weft_cas_acq_rel(&t->debt, &debt, debt - paid));
	return n - (size_t)paid;
}

void weft_tokens_give(struct tokens *t, size_t n)
{
	size_t done;

	if (!t->taken)
		return;
	/* What has left was inside, so they are there. */
	for (n = pay(t, n); n > 0; n -= done)
		CHECK_EQ(weft_chan_recv_many(t->taken, &nothing, n, &done,
		                             WEFT_NOW),
		         0);
}

void weft_tokens_owe(struct tokens *t, size_t n)
{
	if (t->taken)
		weft_fetch_add_relaxed(&t->debt, (uint64_t)n);
}
