/* Send and receive with a context: a select over the channel and the end. */
#include <errno.h>

#include <weft/ctx.h>
#include <weft/select.h>

#include "chan/internal.h"
#include "sync/internal.h"

/* Nothing could be done at once. */
static int wait_for(const struct weft_case *cs, struct weft_ctx *ctx,
                    int64_t deadline_ns)
{
	struct weft_case cases[] = {
		*cs,
		weft_case_recv(weft_ctx_done(ctx), NULL),
	};
	int k = deadline_ns > WEFT_NOW ? weft_select(cases, 2, deadline_ns)
	                               : -ETIMEDOUT;

	if (k < 0)
		return k;
	return k == 0 ? cases[0].err : weft_ctx_err(ctx);
}

static int try_at_once(const struct weft_case *cs)
{
	return cs->op == WEFT_CASE_SEND ? weft_chan_try_send(cs->c, cs->elem)
	                                : weft_chan_try_recv(cs->c, cs->elem);
}

/* With a context that can end. */
static int call(struct weft_case cs, struct weft_ctx *ctx, int64_t deadline_ns)
{
	int err;

	if (!chan_usable(cs.c, cs.elem))
		return -EINVAL;
	if (!weft_chan_can_select(cs.c))
		return -EOPNOTSUPP;
	err = weft_ctx_err(ctx);
	if (!err)
		err = try_at_once(&cs);
	return err == -EAGAIN ? wait_for(&cs, ctx, deadline_ns) : err;
}

int weft_chan_send_ctx(struct weft_chan *c, const void *elem,
                       struct weft_ctx *ctx, int64_t deadline_ns)
{
	if (ctx_is_background(ctx))
		return weft_chan_send(c, elem, deadline_ns);
	return call(weft_case_send(c, elem), ctx, deadline_ns);
}

int weft_chan_recv_ctx(struct weft_chan *c, void *elem, struct weft_ctx *ctx,
                       int64_t deadline_ns)
{
	if (ctx_is_background(ctx))
		return weft_chan_recv(c, elem, deadline_ns);
	return call(weft_case_recv(c, elem), ctx, deadline_ns);
}
