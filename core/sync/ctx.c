/*
 * Contexts: a tree of flags that can be waited on.
 *
 * The end of a context is one word, err and cause, that goes from 0 to its
 * value once: [end]. All accesses are seq_cst, which orders them against the
 * count of waiters as in lock.c.
 *
 * By its deadline a context ends when someone looks at it after that: a waiter
 * parks no longer than until then and looks. There is nothing else to do,
 * since every descendant has the same deadline or an earlier one and finds out
 * in the same way; and the look may be one of a select that holds locks, so
 * nothing else may be done. Functions of weft_ctx_after() have a timer.
 *
 * By weft_ctx_cancel() it ends with all that is below. The canceller walks down
 * with a list of its own, however deep the tree, and in three rounds: it marks
 * all of it, holding one lock at a time, then wakes the waiters, then calls
 * the functions, which may take their time. Two cancellers may meet when one
 * began below the other. The upper one then waits until the lower one has
 * marked all of its part: it runs no foreign code until then, and waits for
 * others only further down.
 *
 * A parent does not hold its children; a child holds its parent and unlinks
 * itself before it goes. So a canceller may find one that is about to, and
 * passes it by: nobody else has it, and nothing is below it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "chan/internal.h"
#include "sync/internal.h"

static struct weft_ctx background = { .deadline_ns = WEFT_FOREVER };

/* --- the word --- */

static uint64_t end_of(int err, int cause)
{
	return (uint64_t)(uint32_t)err << 32 | (uint32_t)cause;
}

static int err_of(uint64_t end)
{
	return (int)(uint32_t)(end >> 32);
}

static int cause_of(uint64_t end)
{
	return (int)(uint32_t)end;
}

/* False when it has ended before. */
static bool mark(struct weft_ctx *ctx, uint64_t end)
{
	uint64_t open = 0;

	return weft_cas_seq_cst(&ctx->end, &open, end); /* [end] */
}

/* How it has ended by then, which is not in the future; 0. Takes no locks. */
static uint64_t end_by(struct weft_ctx *ctx, int64_t now_ns)
{
	uint64_t end = weft_load_seq_cst(&ctx->end); /* [end] */

	if (end || ctx->deadline_ns > now_ns)
		return end;
	mark(ctx, end_of(-ETIMEDOUT, ctx->deadline_cause));
	return weft_load_seq_cst(&ctx->end);
}

/* The same by now. */
static uint64_t end_now(struct weft_ctx *ctx)
{
	uint64_t end = weft_load_seq_cst(&ctx->end); /* [end] */

	if (end || ctx->deadline_ns == WEFT_FOREVER)
		return end;
	return end_by(ctx, weft_now());
}

/* --- ending --- */

static bool ref_unless_gone(struct weft_ctx *ctx)
{
	uint64_t n = weft_load_relaxed(&ctx->refs);

	while (n)
		if (weft_cas_weak_relaxed(&ctx->refs, &n, n + 1))
			return true;
	return false;
}

/* Unlink the oldest child that is still there. Returns a reference; NULL. */
static struct weft_ctx *pop_child(struct weft_ctx *ctx)
{
	struct weft_ctx *child;
	struct list *node;

	spin_lock(&ctx->lock);
	do {
		node = list_pop(&ctx->children);
		child = node ? list_entry(node, struct weft_ctx, in_parent)
		             : NULL;
	} while (child && !ref_unless_gone(child));
	spin_unlock(&ctx->lock);
	return child;
}

/* Somebody else has ended it, a child that was still linked. If by cancelling,
 * he began there: its descendants are his, and have ended when this returns. If
 * its deadline did, so did theirs. */
static void await_reached(struct weft_ctx *ctx)
{
	unsigned turns = 0;

	if (err_of(weft_load_seq_cst(&ctx->end)) == -ETIMEDOUT)
		return;
	while (!weft_load_acquire(&ctx->reached)) /* [reached] */
		spin_for_peer(&turns);
}

/* How a context ends whose parent is cancelled: by its deadline, if that has
 * come before, although nobody had looked. */
static uint64_t end_with(const struct weft_ctx *ctx, uint64_t end,
                         int64_t now_ns)
{
	return ctx->deadline_ns > now_ns
	               ? end
	               : end_of(-ETIMEDOUT, ctx->deadline_cause);
}

/* End the children of ctx and append them to the list. */
static void mark_children(struct weft_ctx *ctx, uint64_t end, int64_t now_ns,
                          struct weft_ctx **last)
{
	struct weft_ctx *child;

	while ((child = pop_child(ctx))) {
		if (mark(child, end_with(child, end, now_ns))) {
			child->next = NULL;
			(*last)->next = child;
			*last = child;
		} else {
			await_reached(child);
			weft_ctx_unref(child);
		}
	}
}

static void wake(struct weft_ctx *ctx)
{
	waitq_notify_seq_cst(&ctx->done->receivers, SIZE_MAX);
	waitq_notify_seq_cst(&ctx->done->senders, SIZE_MAX);
}

/* End root and all below. False when it has ended before. */
static bool cancel(struct weft_ctx *root, int cause)
{
	uint64_t end = end_of(-ECANCELED, cause ? cause : -ECANCELED);
	struct weft_ctx *last = root, *next;
	int64_t now_ns = weft_now();

	if (end_by(root, now_ns) || !mark(root, end))
		return false;
	weft_ctx_ref(root);
	for (struct weft_ctx *ctx = root; ctx; ctx = ctx->next)
		mark_children(ctx, end, now_ns, &last);
	weft_store_release(&root->reached, true); /* [reached] */
	for (struct weft_ctx *ctx = root; ctx; ctx = ctx->next)
		wake(ctx);
	for (struct weft_ctx *ctx = root; ctx; ctx = next) {
		next = ctx->next;
		weft_ctx_call_funcs(ctx);
		weft_ctx_unref(ctx);
	}
	return true;
}

int weft_ctx_cancel(struct weft_ctx *ctx, int cause)
{
	if (ctx_is_background(ctx) || cause > 0)
		return -EINVAL;
	cancel(ctx, cause);
	return 0;
}

/* --- the channel --- */

/* Nobody but a context has one, though weft_chan_impl_of() shows it. */
static int done_create(void **state, const struct weft_chan_config *config)
{
	(void)state;
	(void)config;
	return -EINVAL;
}

/* The channel may have references beyond those of its context, so the memory
 * of both goes with it. */
static void done_destroy(void *state)
{
	free(state);
}

static int done_try_send(void *state, const void *elem)
{
	(void)elem;
	return end_now(state) ? -EPIPE : -EAGAIN;
}

static int done_try_recv(void *state, void *elem)
{
	(void)elem;
	return end_now(state) ? -EPIPE : -EAGAIN;
}

static int done_close(void *state)
{
	bool first;

	if (!ref_unless_gone(state))
		return -EPIPE;
	first = cancel(state, 0);
	weft_ctx_unref(state);
	return first ? 0 : -EPIPE;
}

static size_t done_len(const void *state)
{
	(void)state;
	return 0;
}

static bool done_poll(void *state, char dir, uint64_t *pos)
{
	bool ended = end_now(state) != 0;

	(void)dir;
	*pos = ended;
	return ended;
}

static const struct weft_chan_impl done_impl = {
	WEFT_CHAN_ABI_HEADER,
	.name = "ctx",
	.summary = "what weft_ctx_done() returns",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_LEN,
	.create = done_create,
	.destroy = done_destroy,
	.try_send = done_try_send,
	.try_recv = done_try_recv,
	.close = done_close,
	.len = done_len,
	.poll = done_poll,
};

/* --- making --- */

/* Take the parent's end, or a place among its children. Its canceller marks
 * first and then takes this lock, so it is one of the two. */
static void join_parent(struct weft_ctx *ctx)
{
	struct weft_ctx *parent = ctx->parent;
	uint64_t end;

	spin_lock(&parent->lock);
	end = weft_load_seq_cst(&parent->end); /* [end] */
	if (end)
		weft_store_relaxed(&ctx->end, end);
	else
		list_push(&parent->children, &ctx->in_parent);
	spin_unlock(&parent->lock);
}

static int make(struct weft_ctx **out, struct weft_ctx *parent,
                int64_t deadline_ns, int cause)
{
	struct weft_ctx *ctx = malloc(sizeof(*ctx));
	int err;

	if (!ctx)
		return -ENOMEM;
	*ctx = (struct weft_ctx){ .deadline_ns = deadline_ns,
		                  .deadline_cause = cause };
	err = weft_chan_new_signal(&ctx->done, &done_impl, ctx, deadline_ns);
	if (err) {
		free(ctx);
		return err;
	}
	weft_store_relaxed(&ctx->refs, 1u);
	spin_init(&ctx->lock);
	list_init(&ctx->children);
	list_init(&ctx->funcs);
	list_init(&ctx->in_parent);
	if (!ctx_is_background(parent))
		ctx->parent = weft_ctx_ref(parent);
	*out = ctx;
	return 0;
}

/* Of two deadlines that are the same, the parent's comes first: what ends the
 * parent ends the child. */
static int make_child(struct weft_ctx **out, struct weft_ctx *parent,
                      int64_t deadline_ns, int cause)
{
	if (!ctx_is_background(parent) && parent->deadline_ns <= deadline_ns) {
		deadline_ns = parent->deadline_ns;
		cause = parent->deadline_cause;
	}
	return make(out, parent, deadline_ns, cause);
}

int weft_ctx_with_deadline_cause(struct weft_ctx **out, struct weft_ctx *parent,
                                 int64_t deadline_ns, int cause)
{
	struct weft_ctx *ctx;
	int err;

	if (!out || cause > 0)
		return -EINVAL;
	err = make_child(&ctx, parent, deadline_ns, cause ? cause : -ETIMEDOUT);
	if (err)
		return err;
	if (ctx->parent)
		join_parent(ctx);
	*out = ctx;
	return 0;
}

int weft_ctx_with_deadline(struct weft_ctx **out, struct weft_ctx *parent,
                           int64_t deadline_ns)
{
	return weft_ctx_with_deadline_cause(out, parent, deadline_ns, 0);
}

int weft_ctx_with_timeout_cause(struct weft_ctx **out, struct weft_ctx *parent,
                                int64_t ns, int cause)
{
	return weft_ctx_with_deadline_cause(out, parent, weft_deadline_in(ns),
	                                    cause);
}

int weft_ctx_with_timeout(struct weft_ctx **out, struct weft_ctx *parent,
                          int64_t ns)
{
	return weft_ctx_with_timeout_cause(out, parent, ns, 0);
}

int weft_ctx_with_cancel(struct weft_ctx **out, struct weft_ctx *parent)
{
	return weft_ctx_with_deadline(out, parent, WEFT_FOREVER);
}

int weft_ctx_with_value(struct weft_ctx **out, struct weft_ctx *parent,
                        const void *key, void *value)
{
	int err;

	if (!key)
		return -EINVAL;
	err = weft_ctx_with_cancel(out, parent);
	if (err)
		return err;
	(*out)->key = key;
	(*out)->value = value;
	return 0;
}

int weft_ctx_without_cancel(struct weft_ctx **out, struct weft_ctx *parent)
{
	return out ? make(out, parent, WEFT_FOREVER, 0) : -EINVAL;
}

/* --- references --- */

struct weft_ctx *weft_ctx_background(void)
{
	return &background;
}

struct weft_ctx *weft_ctx_ref(struct weft_ctx *ctx)
{
	if (!ctx_is_background(ctx))
		weft_fetch_add_relaxed(&ctx->refs, 1u);
	return ctx;
}

static void leave_parent(struct weft_ctx *ctx)
{
	if (!ctx->parent)
		return;
	spin_lock(&ctx->parent->lock);
	list_unlink(&ctx->in_parent);
	spin_unlock(&ctx->parent->lock);
}

void weft_ctx_unref(struct weft_ctx *ctx)
{
	struct weft_ctx *parent;

	while (!ctx_is_background(ctx) &&
	       weft_fetch_sub_acq_rel(&ctx->refs, 1u) == 1) {
		parent = ctx->parent;
		leave_parent(ctx);
		CHECK(list_is_empty(&ctx->children));
		CHECK(list_is_empty(&ctx->funcs));
		weft_chan_unref(ctx->done);
		ctx = parent;
	}
}

/* --- what can be asked --- */

int weft_ctx_err(struct weft_ctx *ctx)
{
	return ctx_is_background(ctx) ? 0 : err_of(end_now(ctx));
}

int weft_ctx_cause(struct weft_ctx *ctx)
{
	return ctx_is_background(ctx) ? 0 : cause_of(end_now(ctx));
}

int64_t weft_ctx_deadline(const struct weft_ctx *ctx)
{
	return ctx ? ctx->deadline_ns : WEFT_FOREVER;
}

void *weft_ctx_value(const struct weft_ctx *ctx, const void *key)
{
	for (; ctx; ctx = ctx->parent)
		if (key && ctx->key == key)
			return ctx->value;
	return NULL;
}

struct weft_chan *weft_ctx_done(struct weft_ctx *ctx)
{
	return ctx ? ctx->done : NULL;
}
