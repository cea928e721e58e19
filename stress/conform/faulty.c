#include "stress/conform/faulty.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <weft/atomic.h>
#include <weft/task.h>

enum fault fault;

/* --- what all three share --- */

/* One waiting call, on its stack. */
struct wait {
	struct wait *next;
	struct weft_task *task;
	void *elem;
	int result;
	bool notified;     /* guarded by the lock */
	_Atomic bool over; /* the call was finished for it */
};

struct queue {
	struct wait *first, **end;
};

struct faulty {
	_Atomic bool locked;

	/* Guarded by the lock. */
	bool closed;
	size_t head, len;
	uint16_t at;                  /* the same as head, in 16 bits */
	uint32_t at32;                /* and in 32 */
	size_t miscounted;            /* by which len is too small */
	unsigned long pushed, popped; /* ever, handed over ones included */
	unsigned long announced;      /* will be pushed, or were */
	struct queue senders, receivers;
	void *lost;      /* the last of what it leaks */
	unsigned beyond; /* the sum of what it should not read */
	bool ghost;      /* the last element below is one that timed out */

	size_t cap, elem; /* constant */
	unsigned char ring[];
};

static void lock(_Atomic bool *locked)
{
	bool open = false;

	if (fault == LOCKS_WITHOUT_ORDER) {
		while (!weft_cas_relaxed(locked, &open, true)) {
			open = false;
			weft_yield();
		}
		return;
	}
	while (!weft_cas_weak_acquire(locked, &open, true)) {
		open = false;
		weft_yield();
	}
	/* Or else nobody would find it busy where tasks take turns. */
	if (fault == BUSY_IS_EMPTY || fault == BUSY_IS_FULL)
		weft_yield();
}

static void unlock(_Atomic bool *locked)
{
	if (fault == LOCKS_WITHOUT_ORDER)
		weft_store_relaxed(locked, false);
	else
		weft_store_release(locked, false);
}

static void copy(void *to, const void *from, size_t n)
{
	if (fault == COPIES_8_BYTES && n > 8)
		n = 8;
	if (fault == COPIES_WORDS && n > 8)
		n &= ~(size_t)7;
	if (n)
		memcpy(to, from, n);
}

/* --- queues of waits --- */

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_push(struct queue *q, struct wait *w)
{
	w->next = NULL;
	*q->end = w;
	q->end = &w->next;
}

static void queue_remove(struct queue *q, struct wait *w);

static size_t waiting(const struct queue *q)
{
	size_t n = 0;

	for (const struct wait *w = q->first; w; w = w->next)
		n++;
	return n;
}

static struct wait *queue_pop(struct queue *q)
{
	struct wait *w = q->first;

	if (!w)
		return NULL;
	if (fault == COUNTS_WAITERS_IN_8_BITS && waiting(q) % 256 == 0)
		return NULL;
	if (fault == MEETS_THE_LAST_FIRST) {
		while (w->next)
			w = w->next;
		queue_remove(q, w);
		return w;
	}
	q->first = w->next;
	if (!q->first)
		q->end = &q->first;
	return w;
}

static void queue_remove(struct queue *q, struct wait *w)
{
	struct wait **at = &q->first;

	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = w->next;
	if (!w->next)
		q->end = at;
}

/* --- the ring, under the lock --- */

static size_t room(const struct faulty *f)
{
	if (fault == TAKES_ONE_MORE && f->cap)
		return f->cap + 1;
	if (fault == RENDEZVOUS_BUFFERS && f->cap == 0)
		return 1;
	if (fault == FULL_TOO_EARLY && f->cap > 1)
		return f->cap - 1;
	return f->cap;
}

/* Slots of the ring: one to spare for faults, one for a ghost. */
static size_t slots(const struct faulty *f)
{
	return f->cap + 2;
}

static unsigned char *slot(struct faulty *f, size_t i)
{
	size_t from = f->head;

	if (fault == FORGETS_PADDING_OF_COUNTER)
		from = f->at;
	if (fault == WRAPS_AT_32_BITS)
		from = f->at32;
	if (fault == WRAPS_AT_32_BITS_WITH_ALL_SLOTS_USED && f->cap)
		return f->ring + (uint32_t)(f->at32 + i) % f->cap * f->elem;
	return f->ring + (from + i) % slots(f) * f->elem;
}

static void swap_last(struct faulty *f)
{
	unsigned char *a = slot(f, f->len - 1), *b = slot(f, f->len - 2);

	for (size_t i = 0; i < f->elem; i++) {
		unsigned char t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static void push(struct faulty *f, const void *elem)
{
	f->pushed++;
	if (fault == LOSES_ONE_IN_50 && f->pushed % 50 == 0)
		return;
	if (fault == LOSES_ONE_AFTER_A_MILLION && f->pushed == 1000001)
		return;
	if (fault == LOSES_ONE_AFTER_TWO_MILLION && f->pushed == 2000001)
		return;
	if (fault == READS_BEYOND)
		f->beyond += ((const unsigned char *)elem)[f->elem];
	if (fault == SENDS_WITHOUT_MEMORY) {
		void *node = malloc(16);

		free(node);
		if (!node)
			return;
	}
	copy(slot(f, f->len++), elem, f->elem);
	if (fault == DOUBLES_ONE_IN_50 && f->pushed % 50 == 0 &&
	    f->len < f->cap)
		copy(slot(f, f->len++), elem, f->elem);
	if (fault == SWAPS_ONE_IN_20 && f->pushed % 20 == 0 && f->len >= 2)
		swap_last(f);
}

static void pop(struct faulty *f, void *elem)
{
	copy(elem, slot(f, 0), f->elem);
	if (fault == WRITES_BEYOND)
		((unsigned char *)elem)[f->elem] = 0;
	f->popped++;
	f->head = (f->head + 1) % slots(f);
	f->at++;
	f->at32++;
	f->len--;
	if (f->ghost) {
		copy(slot(f, f->len++), f->ring + slots(f) * f->elem, f->elem);
		f->ghost = false;
	}
}

/* What try_recv hands to drop when it goes wrong. */
static void pop_last(struct faulty *f, void *elem)
{
	copy(elem, slot(f, --f->len), f->elem);
}

static void *sleeps(void *arg)
{
	pause();
	return arg;
}

static void leave_something(void)
{
	pthread_t thread;

	if (fault == LEAVES_A_MAPPING)
		(void)mmap(NULL, 1 << 16, PROT_READ,
		           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fault == LEAVES_A_THREAD)
		pthread_create(&thread, NULL, sleeps, NULL);
}

/* Any task may fork while another makes a channel or destroys it. */
static struct faulty *_Atomic last_made;

static void forget_waiters(void)
{
	struct faulty *f = weft_load_acquire(&last_made);

	if (!f)
		return;
	lock(&f->locked);
	queue_init(&f->senders);
	queue_init(&f->receivers);
	unlock(&f->locked);
}

/* The tasks that wait are not in the child; but they are in its parent. */
static void forget_in_forks(struct faulty *f)
{
	static _Atomic bool registered;

	weft_store_release(&last_made, f);
	if (!weft_xchg_acq_rel(&registered, true))
		pthread_atfork(NULL, forget_waiters, forget_waiters);
}

static int faulty_create(void **state, const struct weft_chan_config *config)
{
	size_t bytes, n = config->cap + 3; /* slots, and the ghost */
	struct faulty *f;
	void *spare;

	if (fault == CRASHES_WITHOUT_BYTES && config->elem_size == 0)
		raise(SIGFPE);
	if (fault == WRAPS_AROUND_SIZES) {
		bytes = n * config->elem_size;
	} else if (fault == COUNTS_SIZES_IN_32_BITS) {
		bytes = (uint32_t)(n * config->elem_size);
	} else if (config->cap > SIZE_MAX - 3 ||
	           __builtin_mul_overflow(n, config->elem_size, &bytes) ||
	           bytes > SIZE_MAX / 2) {
		return -ENOMEM;
	}
	spare = malloc(16);
	if (!spare)
		return -ENOMEM;
	f = calloc(1, sizeof(*f) + bytes);
	if (f || fault != LEAKS_WHEN_CREATE_FAILS)
		free(spare);
	if (!f) /* NOLINT(clang-analyzer-unix.Malloc): the planted leak */
		return -ENOMEM;
	if (fault == LEAKS_DESCRIPTORS && dup(STDERR_FILENO) < 0) {
		free(f);
		return -ENOMEM;
	}
	queue_init(&f->senders);
	queue_init(&f->receivers);
	f->cap = config->cap;
	f->elem = config->elem_size;
	f->at32 = (uint32_t)config->start;
	leave_something();
	if (fault == FORGETS_WAITERS_IN_A_FORK)
		forget_in_forks(f);
	*state = f;
	return 0;
}

static void faulty_destroy(void *state)
{
	if (weft_load_relaxed(&last_made) == state)
		weft_store_relaxed(&last_made, NULL);
	if (fault != LEAKS_ITS_STATE)
		free(state);
}

/* What was taken in between is not what was put there. */
static size_t len_in_two_looks(struct faulty *f)
{
	size_t pushed, popped;

	lock(&f->locked);
	pushed = f->pushed;
	unlock(&f->locked);
	weft_yield();
	lock(&f->locked);
	popped = f->popped;
	unlock(&f->locked);
	return pushed - popped;
}

static size_t faulty_len(const void *state)
{
	struct faulty *f = (struct faulty *)(uintptr_t)state;
	size_t len;
	bool hangs;

	lock(&f->locked);
	len = f->len;
	hangs = fault == LEN_HANGS && f->senders.first;
	if (fault == LEN_IS_0_WHEN_CLOSED && f->closed)
		len = 0;
	if (fault == LEN_COUNTS_A_BATCH_ONCE)
		len -= f->miscounted;
	unlock(&f->locked);
	while (hangs)
		weft_relax();
	if (fault == LEN_IS_READ_IN_TWO_LOOKS)
		return len_in_two_looks(f);
	return fault == LEN_IS_ONE_MORE && len > 1 ? len + 1 : len;
}

/* --- what a select asks --- */

static bool answer(bool ready, bool closed, unsigned long count, uint64_t *pos)
{
	if (fault == POLL_IGNORES_CLOSE)
		closed = false;
	*pos = (uint64_t)count << 1 | closed;
	if (fault == POLL_COUNTS_NOTHING)
		*pos = 0;
	return fault != POLL_SEES_NOTHING && (ready || closed);
}

static bool faulty_poll(void *state, char dir, uint64_t *pos)
{
	struct faulty *f = state;
	bool ready;

	lock(&f->locked);
	if (fault == POLL_MISSES_CLOSE_WHEN_FULL && dir == 's' && f->closed &&
	    f->len == room(f))
		ready = false;
	else if (fault == POLL_MISSES_THE_LAST && dir == 'r' && f->len == 1)
		ready = false;
	else if (fault == POLL_COUNTS_TOO_EARLY && dir == 'r')
		ready = answer(f->len > 0, f->closed, f->announced, pos);
	else if (dir == 's' && fault == POLL_FALLS_BACK)
		ready = answer(f->len < room(f), f->closed,
		               1000 + 3 * f->popped - f->len, pos);
	else if (dir == 's')
		ready = answer(f->len < room(f), f->closed, f->popped, pos);
	else
		ready = answer(f->len > 0, f->closed, f->pushed, pos);
	unlock(&f->locked);
	return ready;
}

/* --- what may go wrong with a deadline --- */

static int64_t deadline_of(int64_t deadline_ns)
{
	if (fault == GIVES_UP_EARLY && deadline_ns != WEFT_FOREVER &&
	    deadline_ns > 0)
		return deadline_ns - 200 * WEFT_US;
	if (fault == FAR_IS_PAST && deadline_ns != WEFT_FOREVER &&
	    deadline_ns > WEFT_FOREVER - WEFT_SEC)
		return 1;
	if (fault == WAITS_FOR_EVER && deadline_ns != WEFT_NOW)
		return WEFT_FOREVER;
	if (fault == WAITS_FOR_EVER_PAST_2_SECONDS &&
	    deadline_ns > weft_deadline_in(2 * WEFT_SEC))
		return WEFT_FOREVER;
	if (fault == COUNTS_SPANS_IN_32_BITS && deadline_ns > weft_now() &&
	    deadline_ns < weft_deadline_in(10 * WEFT_SEC))
		return weft_deadline_in((uint32_t)(deadline_ns - weft_now()));
	return deadline_ns;
}

/* Whether the call is over before it begins. */
static int fails_at_once(struct faulty *f, void *elem, int64_t deadline_ns,
                         bool receives)
{
	if (fault == CRASHES && f->pushed == 3)
		raise(SIGSEGV);
	if (fault == WRITES_ON_FAILURE && receives && f->len == 0 && f->elem)
		memset(elem, 0, 1);
	if (fault == EXPIRED_DOES_NOT_LOOK && deadline_ns == 1)
		return -ETIMEDOUT;
	if (fault == EXPIRED_BEATS_CLOSE && deadline_ns == 1 && f->closed)
		return -ETIMEDOUT;
	return 0;
}

/* --- pairing: a waiting peer's call is finished for it --- */

/* Ends the wait; its record is gone afterwards. */
static void finish_wait(struct wait *w, int result)
{
	struct weft_task *task = w->task;

	w->result = result;
	weft_store_release(&w->over, true); /* [over] */
	if (fault != NEVER_WAKES)
		weft_unpark(task);
}

static int pair_send(struct faulty *f, const void *elem)
{
	struct wait *w;

	if (f->closed)
		return fault == SENDS_INTO_THE_VOID ? 0 : -EPIPE;
	w = queue_pop(&f->receivers);
	if (w) {
		f->pushed++;
		f->popped++;
		copy(w->elem, elem, f->elem);
		finish_wait(w, 0);
		return 0;
	}
	if (fault == TRY_SEND_NEEDS_NOBODY && f->cap == 0)
		return 0;
	if (f->len >= room(f)) {
		if (fault == LEAKS_WHEN_A_SEND_FAILS)
			f->lost = malloc(24);
		return -EAGAIN;
	}
	if (fault == COMES_IN_AFTER_CLOSE) {
		unlock(&f->locked);
		weft_yield(); /* holds the window open */
		lock(&f->locked);
	}
	push(f, elem);
	return 0;
}

static int pair_recv(struct faulty *f, void *elem)
{
	bool buffered = f->len > 0;
	struct wait *w;

	if (fault == CLOSED_HIDES_ELEMENTS && f->closed)
		return -EPIPE;
	if (buffered && fault == DROPS_BACKWARDS && f->closed)
		pop_last(f, elem);
	else if (buffered)
		pop(f, elem);
	w = f->len < room(f) || !buffered ? queue_pop(&f->senders) : NULL;
	if (w) {
		if (buffered) {
			push(f, w->elem);
		} else {
			f->pushed++;
			f->popped++;
			copy(elem, w->elem, f->elem);
		}
		finish_wait(w, 0);
		return 0;
	}
	if (buffered)
		return 0;
	return f->closed ? -EPIPE : -EAGAIN;
}

static int pair_timed_out(struct faulty *f, struct queue *q, struct wait *w)
{
	int err = -ETIMEDOUT;

	lock(&f->locked);
	if (weft_load_acquire(&w->over)) { /* [over] */
		err = w->result;
	} else {
		queue_remove(q, w);
		if (fault == DELIVERS_AFTER_TIMEOUT && q == &f->senders &&
		    f->cap) {
			copy(f->ring + slots(f) * f->elem, w->elem, f->elem);
			f->ghost = true;
		}
	}
	unlock(&f->locked);
	return err;
}

/* As sem_timedwait() and the like are, and a system call by itself. */
static bool is_interrupted(void)
{
	static const struct timespec long_enough = { .tv_sec = 10 };

	return nanosleep(&long_enough, NULL) != 0 && errno == EINTR;
}

static int64_t wall_time(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * WEFT_SEC + ts.tv_nsec;
}

static int wait_by_wall_time(struct faulty *f, struct queue *q, struct wait *w,
                             int64_t deadline_ns)
{
	int64_t until =
	        weft_deadline_add(deadline_ns, wall_time() - weft_now());

	while (!weft_load_acquire(&w->over)) { /* [over] */
		weft_park(weft_deadline_in(WEFT_MS));
		if (until < WEFT_FOREVER && wall_time() >= until)
			return pair_timed_out(f, q, w);
	}
	return w->result;
}

static int spin_for(const struct wait *w)
{
	while (!weft_load_acquire(&w->over)) /* [over] */
		weft_relax();
	return w->result;
}

static int pair_wait(struct faulty *f, struct queue *q, struct wait *w,
                     int64_t deadline_ns)
{
	if (fault == ENDS_AT_A_SIGNAL && is_interrupted())
		return pair_timed_out(f, q, w);
	if (fault == KEEPS_WALL_TIME)
		return wait_by_wall_time(f, q, w, deadline_ns);
	if (fault == SPINS_FOR_ITS_PEER && deadline_ns == WEFT_FOREVER)
		return spin_for(w);
	while (!weft_load_acquire(&w->over)) { /* [over] */
		if (weft_park(deadline_ns) == -ETIMEDOUT)
			return pair_timed_out(f, q, w);
		if (fault == TAKES_FROM_SENDERS_AFTER_CLOSE && f->closed)
			return pair_timed_out(f, q, w) ? -EPIPE : 0;
	}
	/* A deadline that came with the element must not win. */
	if (fault == TIMES_OUT_AND_TAKES && deadline_ns != WEFT_FOREVER &&
	    weft_now() + 5 * WEFT_US > deadline_ns)
		return -ETIMEDOUT;
	return w->result;
}

static int pair_call(struct faulty *f, void *elem, int64_t deadline_ns,
                     bool receives)
{
	struct queue *q = receives ? &f->receivers : &f->senders;
	struct wait w = { .task = weft_self(), .elem = elem };
	int err;

	deadline_ns = deadline_of(deadline_ns);
	lock(&f->locked);
	err = fails_at_once(f, elem, deadline_ns, receives);
	if (!err)
		err = receives ? pair_recv(f, elem) : pair_send(f, elem);
	if (err == -EAGAIN && deadline_ns > 0) {
		if (fault == WAITS_WITHOUT_A_SECOND_LOOK) {
			unlock(&f->locked);
			weft_yield(); /* holds the window open */
			lock(&f->locked);
		}
		if (fault != KNOWS_64_WAITERS || waiting(q) < 64)
			queue_push(q, &w);
	}
	unlock(&f->locked);
	if (err != -EAGAIN)
		return err;
	return deadline_ns > 0 ? pair_wait(f, q, &w, deadline_ns) : -ETIMEDOUT;
}

static int pairing_send(void *state, const void *elem, int64_t deadline_ns)
{
	return pair_call(state, (void *)(uintptr_t)elem, deadline_ns, false);
}

static int pairing_recv(void *state, void *elem, int64_t deadline_ns)
{
	return pair_call(state, elem, deadline_ns, true);
}

static int again(int err)
{
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static bool is_busy(struct faulty *f)
{
	return weft_load_relaxed(&f->locked);
}

/* First there is room; then it is used, if nobody has closed the channel in
 * between. The yield holds that window open. */
static int send_in_two_steps(struct faulty *f, const void *elem)
{
	bool claimed;
	int err;

	lock(&f->locked);
	claimed = !f->closed && f->len < f->cap && !f->receivers.first;
	unlock(&f->locked);
	weft_yield();
	err = pairing_send(f, elem, WEFT_NOW);
	return claimed && err == -EPIPE ? 0 : err;
}

/* The yield holds the window open. */
static void announce(struct faulty *f)
{
	lock(&f->locked);
	f->announced++;
	unlock(&f->locked);
	weft_yield();
}

static int pairing_try_send(void *state, const void *elem)
{
	if (fault == POLL_COUNTS_TOO_EARLY)
		announce(state);
	if (fault == BUSY_IS_FULL && is_busy(state))
		return -EAGAIN;
	if (fault == CLOSE_LOSES_CLAIMED)
		return again(send_in_two_steps(state, elem));
	return again(pairing_send(state, elem,
	                          fault == TRY_SEND_WAITS ? WEFT_FOREVER
	                                                  : WEFT_NOW));
}

static int pairing_try_recv(void *state, void *elem)
{
	if (fault == BUSY_IS_EMPTY && is_busy(state))
		return -EAGAIN;
	return again(pairing_recv(state, elem,
	                          fault == TRY_RECV_WAITS ? WEFT_FOREVER
	                                                  : WEFT_NOW));
}

static int pairing_send_many(void *state, const void *elems, size_t n,
                             size_t *done)
{
	const unsigned char *from = elems;
	struct faulty *f = state;
	size_t i = 0;
	int err = 0;

	for (; i < n && !err; i += !err)
		err = pairing_try_send(
		        state,
		        from + (fault == BATCH_IN_REVERSE ? n - 1 - i : i) *
		                        f->elem);
	if (fault == BATCH_SAYS_ONE_MORE && i < n)
		i++;
	if (fault == BATCH_SAYS_ONE_LESS && i > 1)
		i--;
	if (fault == BATCH_CUT_BY_CLOSE_SAYS_ONE_LESS && i && err == -EPIPE)
		i--;
	if (fault == LEN_COUNTS_A_BATCH_ONCE && i) {
		lock(&f->locked);
		f->miscounted += i - 1;
		unlock(&f->locked);
	}
	if (fault == READS_BEYOND_A_BATCH)
		f->beyond += from[n * f->elem];
	*done = i;
	return err;
}

static int pairing_recv_many(void *state, void *elems, size_t n, size_t *done)
{
	unsigned char *to = elems;
	struct faulty *f = state;
	int err = 0;

	*done = 0;
	if (fault == BATCH_ENDS_TOO_EARLY) {
		lock(&f->locked);
		err = f->closed && f->len < n ? -EPIPE : 0;
		unlock(&f->locked);
	}
	for (; *done < n && !err; *done += !err)
		err = pairing_try_recv(state, to + *done * f->elem);
	return err;
}

static void fail_all(struct queue *q)
{
	struct wait *w;

	while ((w = queue_pop(q))) {
		finish_wait(w, -EPIPE);
		if (fault == CLOSE_WAKES_ONE)
			break;
	}
}

/* They end themselves once they run, and until then can be met. */
static void let_them_see(const struct queue *q)
{
	for (const struct wait *w = q->first; w; w = w->next)
		weft_unpark(w->task);
}

static int pairing_close(void *state)
{
	struct faulty *f = state;
	bool was;

	lock(&f->locked);
	was = f->closed;
	if (fault == CLOSES_TWICE_AT_ONCE) {
		unlock(&f->locked);
		weft_yield(); /* holds the window open */
		lock(&f->locked);
	}
	f->closed = true;
	if (fault == TAKES_FROM_SENDERS_AFTER_CLOSE)
		let_them_see(&f->senders);
	else if (fault != CLOSE_FORGETS_SENDERS)
		fail_all(&f->senders);
	fail_all(&f->receivers);
	unlock(&f->locked);
	return was && fault != CLOSES_TWICE ? -EPIPE : 0;
}

const struct weft_chan_impl faulty_pairing = {
	WEFT_CHAN_ABI_HEADER,
	.name = "pairing",
	.summary = "for tests",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_RENDEZVOUS | WEFT_CAN_FIFO |
	       WEFT_CAN_PRODUCER_FIFO | WEFT_CAN_SELECT | WEFT_CAN_TIMEOUT |
	       WEFT_CAN_LEN | WEFT_CAN_BATCH | WEFT_CAN_START,
	.create = faulty_create,
	.destroy = faulty_destroy,
	.try_send = pairing_try_send,
	.try_recv = pairing_try_recv,
	.close = pairing_close,
	.len = faulty_len,
	.send = pairing_send,
	.recv = pairing_recv,
	.try_send_many = pairing_send_many,
	.try_recv_many = pairing_recv_many,
	.poll = faulty_poll,
};

/* --- notifying: a waiter is told to look again --- */

static void notify(struct queue *q)
{
	struct wait *w = queue_pop(q);

	if (!w)
		return;
	w->notified = true;
	weft_unpark(w->task);
}

static int look(struct faulty *f, void *elem, bool receives)
{
	if (!receives && f->closed)
		return -EPIPE;
	if (receives && f->len == 0)
		return f->closed ? -EPIPE : -EAGAIN;
	if (!receives && f->len == f->cap)
		return -EAGAIN;
	if (receives) {
		pop(f, elem);
		if (fault != WAKES_ONLY_FROM_FULL || f->len + 1 == f->cap)
			notify(&f->senders);
	} else {
		push(f, elem);
		if (fault != WAKES_ONLY_FROM_EMPTY || f->len == 1)
			notify(&f->receivers);
	}
	return 0;
}

/* A wait that was told and gives up tells the next. */
static void pass_on(struct faulty *f, struct queue *q, const struct wait *w)
{
	if (w->notified && fault != SWALLOWS_WAKE_UPS &&
	    (q == &f->receivers ? f->len > 0 : f->len < f->cap))
		notify(q);
}

/*
 * Being told just before the deadline is a window of a few instructions. With
 * the fault, a deadline that is near is waited for, so that the window is met
 * on every machine and under every sanitizer.
 */
static int outlast(int64_t deadline_ns)
{
	if (deadline_ns == WEFT_FOREVER)
		return 0;
	if (deadline_ns - weft_now() < WEFT_MS)
		weft_sleep_until(deadline_ns);
	return weft_now() >= deadline_ns ? -ETIMEDOUT : 0;
}

static int notify_call(struct faulty *f, void *elem, int64_t deadline_ns,
                       bool receives)
{
	struct queue *q = receives ? &f->receivers : &f->senders;
	struct wait w = { .task = weft_self() };
	int err, late = deadline_ns > 0 ? 0 : -ETIMEDOUT;

	lock(&f->locked);
	while ((err = fault == SWALLOWS_WAKE_UPS && late && w.notified
	                      ? -EAGAIN
	                      : look(f, elem, receives)) == -EAGAIN &&
	       !late) {
		queue_remove(q, &w);
		w.notified = false;
		queue_push(q, &w);
		unlock(&f->locked);
		late = weft_park(deadline_ns);
		if (fault == SWALLOWS_WAKE_UPS)
			late = outlast(deadline_ns);
		lock(&f->locked);
	}
	queue_remove(q, &w);
	if (err)
		pass_on(f, q, &w);
	unlock(&f->locked);
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

static int notifying_send(void *state, const void *elem, int64_t deadline_ns)
{
	return notify_call(state, (void *)(uintptr_t)elem, deadline_ns, false);
}

static int notifying_recv(void *state, void *elem, int64_t deadline_ns)
{
	return notify_call(state, elem, deadline_ns, true);
}

static int notifying_try_send(void *state, const void *elem)
{
	return again(notifying_send(state, elem, WEFT_NOW));
}

static int notifying_try_recv(void *state, void *elem)
{
	return again(notifying_recv(state, elem, WEFT_NOW));
}

static int notifying_close(void *state)
{
	struct faulty *f = state;
	bool was;

	lock(&f->locked);
	was = f->closed;
	f->closed = true;
	while (f->senders.first)
		notify(&f->senders);
	while (f->receivers.first)
		notify(&f->receivers);
	unlock(&f->locked);
	return was ? -EPIPE : 0;
}

const struct weft_chan_impl faulty_notifying = {
	WEFT_CHAN_ABI_HEADER,
	.name = "notifying",
	.summary = "for tests",
	.can = WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_SELECT |
	       WEFT_CAN_TIMEOUT | WEFT_CAN_LEN,
	.create = faulty_create,
	.destroy = faulty_destroy,
	.try_send = notifying_try_send,
	.try_recv = notifying_try_recv,
	.close = notifying_close,
	.len = faulty_len,
	.send = notifying_send,
	.recv = notifying_recv,
	.poll = faulty_poll,
};

/* --- chaining: unbounded, one block for each element --- */

struct block {
	struct block *next;
	unsigned char elem[];
};

struct chain {
	_Atomic bool locked;
	bool closed;
	unsigned long pushed;
	size_t len, elem;
	struct block *first, **end;
	struct block *hoard;
	void *lost; /* the last of what it leaks */
};

static int chaining_create(void **state, const struct weft_chan_config *config)
{
	struct chain *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->elem = config->elem_size;
	c->end = &c->first;
	*state = c;
	return 0;
}

static void free_blocks(struct block *b)
{
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

static void chaining_destroy(void *state)
{
	struct chain *c = state;

	free_blocks(c->first);
	free_blocks(c->hoard);
	free(c);
}

static int chain_push(struct chain *c, const void *elem)
{
	struct block *b = c->hoard;
	void *before = fault == LEAKS_WITHOUT_MEMORY ? malloc(16) : NULL;

	if (b)
		c->hoard = b->next;
	else
		b = malloc(sizeof(*b) + c->elem);
	if (!b && fault == LEAKS_WITHOUT_MEMORY)
		c->lost = before;
	else
		free(before);
	if (!b)
		return fault == SENDS_WITHOUT_MEMORY ? 0 : -ENOMEM;
	copy(b->elem, elem, c->elem);
	b->next = NULL;
	*c->end = b;
	c->end = &b->next;
	c->len++;
	c->pushed++;
	return 0;
}

static void chain_pop(struct chain *c, void *elem)
{
	struct block *b = c->first;

	copy(elem, b->elem, c->elem);
	c->first = b->next;
	if (!c->first)
		c->end = &c->first;
	c->len--;
	if (fault == HOARDS) {
		b->next = c->hoard;
		c->hoard = b;
	} else {
		free(b);
	}
}

static int chaining_try_send(void *state, const void *elem)
{
	struct chain *c = state;
	int err;

	lock(&c->locked);
	err = c->closed ? -EPIPE : chain_push(c, elem);
	unlock(&c->locked);
	return err;
}

static int chain_take(struct chain *c, void *elem)
{
	void *twin = fault == RECEIVES_BY_A_COPY ? malloc(c->elem) : NULL;

	if (fault == RECEIVES_BY_A_COPY && !twin)
		return -ENOMEM;
	chain_pop(c, elem);
	free(twin);
	return 0;
}

static int chaining_try_recv(void *state, void *elem)
{
	struct chain *c = state;
	int err;

	lock(&c->locked);
	if (c->first)
		err = chain_take(c, elem);
	else
		err = c->closed ? -EPIPE : -EAGAIN;
	unlock(&c->locked);
	return err;
}

static int chaining_close(void *state)
{
	struct chain *c = state;
	bool was;

	lock(&c->locked);
	was = c->closed;
	c->closed = true;
	unlock(&c->locked);
	return was ? -EPIPE : 0;
}

static size_t chaining_len(const void *state)
{
	struct chain *c = (struct chain *)(uintptr_t)state;
	size_t len;

	lock(&c->locked);
	len = c->len;
	unlock(&c->locked);
	return len;
}

static bool chaining_poll(void *state, char dir, uint64_t *pos)
{
	struct chain *c = state;
	bool ready;

	lock(&c->locked);
	ready = answer(dir == 's' || c->len > 0, c->closed, c->pushed, pos);
	unlock(&c->locked);
	return ready;
}

const struct weft_chan_impl faulty_chaining = {
	WEFT_CHAN_ABI_HEADER,
	.name = "chaining",
	.summary = "for tests",
	.can = WEFT_CAN_UNBOUNDED | WEFT_CAN_FIFO | WEFT_CAN_SELECT |
	       WEFT_CAN_TIMEOUT | WEFT_CAN_LEN,
	.create = chaining_create,
	.destroy = chaining_destroy,
	.try_send = chaining_try_send,
	.try_recv = chaining_try_recv,
	.close = chaining_close,
	.len = chaining_len,
	.poll = chaining_poll,
};
