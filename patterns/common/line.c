#include "common/line.h"

#include <errno.h>

void weft_line_place_init(struct line_place *p, int (*why)(void *component),
                          void *component)
{
	list_init(&p->link);
	weft_store_relaxed(&p->let_in, false);
	p->why = why;
	p->component = component;
	weft_waiters_init(&p->waiter);
}

void weft_line_let_in(struct line_place *p)
{
	list_unlink(&p->link);
	weft_store_release(&p->let_in, true); /* [let_in] */
	weft_waiters_wake(&p->waiter, 1);
}

void weft_line_look(struct list *line)
{
	for (struct list *l = line->next; l != line; l = l->next)
		weft_waiters_wake(&line_place_of(l)->waiter, 1);
}

static int look(void *arg)
{
	struct line_place *p = arg;
	int why;

	if (weft_load_acquire(&p->let_in)) /* [let_in] */
		return 0;
	why = p->why(p->component);
	return why ? why : -EAGAIN;
}

int weft_line_wait(struct line_place *p, const char *what, struct weft_ctx *ctx,
                   int64_t deadline_ns)
{
	return weft_waiters_wait(&p->waiter, what, look, p, ctx, deadline_ns);
}

bool weft_line_left(struct line_place *p, int *err)
{
	if (weft_load_relaxed(&p->let_in)) {
		*err = 0;
		return true;
	}
	list_unlink(&p->link);
	return false;
}
