#include "tokens.h"

#include <errno.h>

void weft_tokens_init(struct tokens *t, size_t limit, enum weft_wait wait)
{
	t->limit = limit < INT64_MAX ? (int64_t)limit : INT64_MAX;
	weft_waiters_init(&t->room);
	weft_waiters_set_wait(&t->room, wait);
}

void weft_tokens_close(struct tokens *t)
{
	weft_store_release(&t->closed, true); /* [closed] */
	weft_waiters_wake(&t->room, SIZE_MAX);
}

struct taking {
	struct tokens *t;
	size_t n, taken;
};

static int look_for_token(void *arg)
{
	struct taking *a = arg;
	struct tokens *t = a->t;
	int64_t inside = weft_load_relaxed(&t->inside), room;

	if (weft_load_acquire(&t->closed)) /* [closed] */
		return -EPIPE;
	do {
		room = t->limit - inside;
		if (room <= 0)
			return -EAGAIN;
		a->taken = (uint64_t)room < a->n ? (size_t)room : a->n;
	} while (!weft_cas_weak_acq_rel(&t->inside, &inside,
	                                inside + (int64_t)a->taken));
	return 0;
}

int weft_tokens_take(struct tokens *t, size_t n, size_t *taken,
                     int64_t deadline_ns)
{
	struct taking a = { .t = t, .n = n };
	int err;

	*taken = n;
	if (!t->limit)
		return 0;
	err = look_for_token(&a);
	if (err == -EAGAIN)
		err = weft_waiters_wait(&t->room, "pipeline tokens",
		                        look_for_token, &a, NULL, deadline_ns);
	*taken = err ? 0 : a.taken;
	return err;
}

void weft_tokens_give(struct tokens *t, size_t n)
{
	int64_t before;

	if (!t->limit)
		return;
	before = weft_fetch_sub_acq_rel(&t->inside, (int64_t)n);
	if (before - (int64_t)n < t->limit)
		weft_waiters_wake(&t->room, n);
}

void weft_tokens_owe(struct tokens *t, size_t n)
{
	if (t->limit)
		weft_fetch_add_relaxed(&t->inside, (int64_t)n);
}
