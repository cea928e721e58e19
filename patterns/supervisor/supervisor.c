/* What others ask of a supervisor: they leave it in the inbox, and ring. */
#include "supervisor.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cacheline.h"
#include "internal.h"

#define INTENSITY 5
#define DECAY_NS (30 * WEFT_SEC)
#define BACKOFF_MAX_NS (30 * WEFT_SEC)
#define SHUTDOWN_NS (10 * WEFT_SEC)
#define JITTER_MAX 1000

void weft_supervisor_ring(struct weft_supervisor *s)
{
	weft_store_seq_cst(&s->rung, true); /* [rung] */
	weft_waiters_wake(&s->bell, 1);
}

/* --- the end --- */

static bool too_late(void *arg)
{
	struct weft_supervisor *s = arg;

	return weft_load_seq_cst(&s->finished);
}

static void release(void *arg)
{
	weft_supervisor_ring(arg);
}

static const struct weft_ending_ops ending_ops = { too_late, release };

/* --- making --- */

static int64_t or_default(int64_t ns, int64_t by_default)
{
	return ns ? ns : by_default;
}

static bool is_duration(int64_t ns)
{
	return ns >= 0;
}

static bool are_valid(const struct weft_supervisor_opts *o)
{
	return o && (unsigned)o->strategy <= WEFT_REST_FOR_ONE &&
	       o->intensity >= 0 && /* false for no number */
	       is_duration(o->decay_ns) && is_duration(o->pause_ns) &&
	       is_duration(o->backoff_min_ns) &&
	       is_duration(o->backoff_max_ns) &&
	       is_duration(o->backoff_reset_ns) &&
	       is_duration(o->shutdown_ns) && o->jitter_percent <= JITTER_MAX &&
	       (!o->backoff_max_ns || o->backoff_max_ns >= o->backoff_min_ns);
}

static void fill_in(struct weft_supervisor_opts *o)
{
	int64_t max = BACKOFF_MAX_NS > o->backoff_min_ns ? BACKOFF_MAX_NS
	                                                 : o->backoff_min_ns;

	o->intensity = o->intensity > 0 ? o->intensity : INTENSITY;
	o->decay_ns = or_default(o->decay_ns, DECAY_NS);
	o->backoff_max_ns = or_default(o->backoff_max_ns, max);
	o->backoff_reset_ns =
	        or_default(o->backoff_reset_ns, o->backoff_max_ns);
	o->shutdown_ns = or_default(o->shutdown_ns, SHUTDOWN_NS);
}

/* What has no task yet. */
static struct weft_supervisor *
new_without_task(const struct weft_supervisor_opts *opts)
{
	struct weft_supervisor *s = cacheline_new(1, sizeof(*s));

	if (!s)
		return NULL;
	s->opts = *opts;
	fill_in(&s->opts);
	weft_store_relaxed(&s->refs, 1u);
	weft_ending_init(&s->end, &ending_ops, s);
	weft_waiters_init(&s->bell);
	weft_waiters_init(&s->changed);
	weft_lock_init(&s->lock);
	list_init(&s->added);
	list_init(&s->wanting);
	list_init(&s->left);
	list_init(&s->children);
	list_init(&s->strays);
	return s;
}

void weft_supervisor_put(struct weft_supervisor *s)
{
	if (weft_fetch_sub_acq_rel(&s->refs, 1u) > 1)
		return;
	if (s->root)
		weft_ctx_unref(s->root);
	free(s);
}

int weft_supervisor_new(struct weft_supervisor **out,
                        const struct weft_supervisor_opts *opts)
{
	static const struct weft_task_opts task = { "supervisor", 0 };
	struct weft_supervisor *s;
	int err = 0;

	if (!out || !are_valid(opts))
		return -EINVAL;
	s = new_without_task(opts);
	if (!s)
		return -ENOMEM;
	if (opts->ctx)
		err = weft_ctx_without_cancel(&s->root, opts->ctx);
	if (!err)
		err = weft_crew_start(&s->crew, &weft_supervisor_crew,
		                      &s->manager, 1, sizeof(s->manager),
		                      &task);
	if (!err) {
		err = weft_ending_watch(&s->end, opts->ctx);
		if (!err) {
			*out = s;
			return 0;
		}
		weft_supervisor_free(s);
		return err;
	}
	weft_supervisor_put(s);
	return err;
}

/* --- freeing --- */

static void free_child(struct child *c)
{
	free((void *)(uintptr_t)c->opts.argv);
	free(c);
}

static void free_children(struct list *l)
{
	struct list *node = l->next, *next;

	for (; node != l; node = next) {
		next = node->next;
		free_child(child_at(node));
	}
}

/* A life that is not the supervisor's any more. One that has left is joined;
 * the others weft_run() joins. */
static void let_go(struct weft_child *l)
{
	bool has_left;

	weft_lock_acquire(&l->s->lock);
	has_left = l->has_left;
	weft_lock_release(&l->s->lock);
	if (has_left)
		weft_join(l->task, NULL);
	weft_life_put(l);
}

/* The manager has ended. From here on lives that leave do not come back. */
static void abandon_all(struct weft_supervisor *s)
{
	struct list *node, mine;
	struct weft_child *l;

	list_init(&mine);
	weft_lock_acquire(&s->lock);
	s->gone = true;
	while ((node = list_pop(&s->left)) || (node = list_pop(&s->strays)))
		list_push(&mine, node);
	for (node = s->children.next; node != &s->children; node = node->next) {
		l = child_at(node)->life;
		if (l && list_is_empty(&l->link))
			list_push(&mine, &l->link);
	}
	weft_lock_release(&s->lock);
	while ((node = list_pop(&mine)))
		let_go(list_entry(node, struct weft_child, link));
	free_children(&s->children);
	free_children(&s->added);
}

void weft_supervisor_free(struct weft_supervisor *s)
{
	if (!s)
		return;
	weft_ending_unwatch(&s->end);
	weft_ending_stop(&s->end, -ECANCELED);
	weft_crew_join(&s->crew);
	abandon_all(s);
	free(s->timers.entries);
	free(s->events);
	weft_supervisor_put(s);
}

/* --- adding --- */

static bool is_child(const struct weft_child_opts *o)
{
	bool program = o && o->argv && o->argv[0];

	return o && (unsigned)o->kind <= WEFT_TEMPORARY &&
	       (o->fn ? !o->argv : program) && is_duration(o->beat_ns) &&
	       is_duration(o->shutdown_ns) && !(program && o->beat_ns);
}

/* The strings and the array of them in one piece of memory; NULL. */
static const char *const *copy_argv(const char *const *argv)
{
	size_t n = 0, bytes = 0;
	char **copy, *at;

	for (; argv[n]; n++)
		bytes += strlen(argv[n]) + 1;
	copy = malloc((n + 1) * sizeof(*copy) + bytes);
	if (!copy)
		return NULL;
	at = (char *)(copy + n + 1);
	for (size_t i = 0; i < n; i++) {
		copy[i] = at;
		at = stpcpy(at, argv[i]) + 1;
	}
	copy[n] = NULL;
	return (const char *const *)copy;
}

static struct child *new_child(const struct weft_supervisor *s,
                               const struct weft_child_opts *opts)
{
	struct child *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->opts = *opts;
	c->opts.shutdown_ns =
	        or_default(opts->shutdown_ns, s->opts.shutdown_ns);
	c->opts.argv = opts->argv ? copy_argv(opts->argv) : NULL;
	if (opts->argv && !c->opts.argv) {
		free(c);
		return NULL;
	}
	snprintf(c->info.name, sizeof(c->info.name), "%s",
	         opts->name ? opts->name : "child");
	c->info.state = WEFT_CHILD_WAITING;
	c->timer.at = TIMER_UNARMED;
	list_init(&c->all);
	list_init(&c->wanting);
	return c;
}

/* Under the lock: what a call says that comes after the end; 0. */
static int ended(const struct weft_supervisor *s)
{
	int why = s->over ? s->result : weft_ending_why(&s->end);

	return why ? why : s->over ? -EPIPE : 0;
}

int weft_supervisor_add(struct weft_supervisor *s, uint64_t *id,
                        const struct weft_child_opts *opts)
{
	struct child *c;
	int err;

	if (!s || !is_child(opts))
		return -EINVAL;
	if (opts->argv && access(opts->argv[0], X_OK))
		return -errno;
	c = new_child(s, opts);
	if (!c)
		return -ENOMEM;
	weft_lock_acquire(&s->lock);
	err = ended(s);
	if (!err && weft_load_relaxed(&s->closed))
		err = -EPIPE;
	if (!err) {
		c->info.id = ++s->ids;
		if (id)
			*id = c->info.id;
		s->stats.children++;
		list_push(&s->added, &c->all);
	}
	weft_lock_release(&s->lock);
	if (err)
		free_child(c);
	else
		weft_supervisor_ring(s);
	return err;
}

/* --- one child --- */

/* Under the lock. NULL: there is none. */
static struct child *find(struct weft_supervisor *s, uint64_t id)
{
	struct list *lists[] = { &s->children, &s->added };

	for (size_t i = 0; i < 2; i++)
		for (struct list *l = lists[i]->next; l != lists[i];
		     l = l->next)
			if (child_at(l)->info.id == id)
				return child_at(l);
	return NULL;
}

static int want(struct weft_supervisor *s, uint64_t id, unsigned wants)
{
	struct child *c;
	int err;

	weft_lock_acquire(&s->lock);
	c = find(s, id);
	err = ended(s);
	if (!c)
		err = err ? err : -ENOENT;
	if (!err) {
		c->wants |= wants;
		list_unlink(&c->wanting);
		list_push(&s->wanting, &c->wanting);
	}
	weft_lock_release(&s->lock);
	if (!err)
		weft_supervisor_ring(s);
	return err;
}

struct awaited {
	struct weft_supervisor *s;
	uint64_t id;
	int status;
};

static int look_if_removed(void *arg)
{
	struct awaited *a = arg;
	struct weft_supervisor *s = a->s;
	struct child *c;
	int err = -EAGAIN;

	weft_lock_acquire(&s->lock);
	c = find(s, a->id);
	if (!c)
		err = 0;
	else if (c->info.state == WEFT_CHILD_UNSTOPPED)
		err = -EBUSY;
	else if (s->over)
		err = ended(s);
	weft_lock_release(&s->lock);
	return err;
}

int weft_supervisor_remove(struct weft_supervisor *s, uint64_t id,
                           int64_t deadline_ns)
{
	struct awaited a = { .s = s, .id = id };
	int err;

	if (!s)
		return -EINVAL;
	err = want(s, id, WANT_REMOVE);
	return err ? err
	           : weft_waiters_wait(&s->changed, "the end of a child",
	                               look_if_removed, &a, NULL, deadline_ns);
}

int weft_supervisor_restart(struct weft_supervisor *s, uint64_t id)
{
	return s ? want(s, id, WANT_START) : -EINVAL;
}

static int look_if_ended(void *arg)
{
	struct awaited *a = arg;
	struct weft_supervisor *s = a->s;
	struct child *c;
	int err = -EAGAIN;

	weft_lock_acquire(&s->lock);
	c = find(s, a->id);
	if (!c) {
		err = -ENOENT;
	} else if (c->info.state == WEFT_CHILD_ENDED ||
	           c->info.state == WEFT_CHILD_GIVEN_UP) {
		a->status = c->info.status;
		err = 0;
	} else if (s->over) {
		err = -EBUSY;
	}
	weft_lock_release(&s->lock);
	return err;
}

int weft_supervisor_wait(struct weft_supervisor *s, uint64_t id, int *status,
                         int64_t deadline_ns)
{
	struct awaited a = { .s = s, .id = id };
	int err;

	if (!s)
		return -EINVAL;
	err = weft_waiters_wait(&s->changed, "the end of a child",
	                        look_if_ended, &a, NULL, deadline_ns);
	if (!err && status)
		*status = a.status;
	return err;
}

/* --- all of them --- */

static struct weft_child_info info_of_stray(const struct weft_child *l)
{
	struct weft_child_info info = { .id = l->id,
		                        .state = WEFT_CHILD_UNSTOPPED,
		                        .lives = l->number + 1,
		                        .end = WEFT_ENDED_BY_SILENCE,
		                        .status = -ETIMEDOUT };

	memcpy(info.name, l->name, sizeof(info.name));
	return info;
}

/* One that was unstopped when the manager ended may have ended since. */
static struct weft_child_info info_of(const struct child *c)
{
	struct weft_child_info info = c->info;

	if (info.state == WEFT_CHILD_UNSTOPPED && c->life->has_left) {
		info.state = WEFT_CHILD_ENDED;
		info.end = c->life->end;
		info.status = c->life->status;
	}
	return info;
}

int weft_supervisor_children(struct weft_supervisor *s,
                             struct weft_child_info *out, size_t n,
                             size_t *total)
{
	struct list *lists[3], *l;
	size_t k = 0;

	if (!s || !total || (!out && n))
		return -EINVAL;
	lists[0] = &s->children;
	lists[1] = &s->added;
	lists[2] = &s->strays;
	weft_lock_acquire(&s->lock);
	for (size_t i = 0; i < 3; i++)
		for (l = lists[i]->next; l != lists[i]; l = l->next, k++)
			if (k < n)
				out[k] = i < 2 ? info_of(child_at(l))
				               : info_of_stray(list_entry(
				                         l, struct weft_child,
				                         link));
	weft_lock_release(&s->lock);
	*total = k;
	return 0;
}

int weft_supervisor_stats(struct weft_supervisor *s,
                          struct weft_supervisor_stats *out)
{
	if (!s || !out)
		return -EINVAL;
	weft_lock_acquire(&s->lock);
	*out = s->stats;
	weft_lock_release(&s->lock);
	return 0;
}

/* --- the end --- */

int weft_supervisor_close(struct weft_supervisor *s)
{
	bool was;

	if (!s)
		return -EINVAL;
	weft_lock_acquire(&s->lock);
	was = weft_xchg_acq_rel(&s->closed, true);
	weft_lock_release(&s->lock);
	if (was || weft_ending_is_set(&s->end))
		return -EPIPE;
	weft_supervisor_ring(s);
	return 0;
}

int weft_supervisor_stop(struct weft_supervisor *s)
{
	return s ? weft_ending_stop(&s->end, -ECANCELED) : -EINVAL;
}

int weft_supervisor_fail(struct weft_supervisor *s, int err)
{
	return s ? weft_ending_fail(&s->end, err) : -EINVAL;
}

int weft_supervisor_join(struct weft_supervisor *s, int64_t deadline_ns)
{
	int err;

	if (!s)
		return -EINVAL;
	err = weft_crew_wait(&s->crew, deadline_ns);
	return err ? err : s->result;
}

int weft_supervisor_run(struct weft_child *self,
                        const struct weft_supervisor_opts *opts,
                        const struct weft_child_opts *children, size_t n,
                        bool contain)
{
	struct weft_supervisor_opts o;
	struct weft_supervisor *s;
	int err;

	if (!self || !opts || (!children && n))
		return -EINVAL;
	o = *opts;
	o.ctx = weft_child_ctx(self);
	err = weft_supervisor_new(&s, &o);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		err = weft_supervisor_add(s, NULL, &children[i]);
	weft_supervisor_close(s);
	if (err)
		weft_supervisor_fail(s, err);
	err = weft_supervisor_join(s, WEFT_FOREVER);
	weft_supervisor_free(s);
	return contain && err == WEFT_END_TREE ? WEFT_NO_RESTART : err;
}
