/*
 * timer_queue: timer entries, in a heap or in a wheel. docs/adr/0015 says which
 * of them when.
 */
#ifndef WEFT_BASE_TIMER_QUEUE_H
#define WEFT_BASE_TIMER_QUEUE_H

#include "base/timer_heap.h"
#include "base/timer_wheel.h"

enum timer_kind { TIMER_HEAP, TIMER_WHEEL };

/* Zero is an empty heap. */
struct timer_queue {
	enum timer_kind kind; /* may change as long as it is empty */
	struct timer_heap heap;
	struct timer_wheel wheel;
};

static inline size_t timer_queue_len(const struct timer_queue *q)
{
	return q->kind == TIMER_HEAP ? q->heap.n : q->wheel.n;
}

/* How many pushes there have been: the number of the next one. */
static inline uint64_t timer_queue_pushed(const struct timer_queue *q)
{
	return q->kind == TIMER_HEAP ? q->heap.pushed : q->wheel.pushed;
}

static inline int timer_queue_reserve(struct timer_queue *q, size_t n)
{
	return q->kind == TIMER_HEAP ? weft_timer_heap_reserve(&q->heap, n)
	                             : weft_timer_wheel_reserve(&q->wheel, n);
}

static inline void timer_queue_fini(struct timer_queue *q)
{
	weft_timer_heap_fini(&q->heap);
	weft_timer_wheel_fini(&q->wheel);
}

static inline void timer_queue_push(struct timer_queue *q,
                                    struct timer_entry *e, int64_t due_ns)
{
	if (q->kind == TIMER_HEAP)
		weft_timer_heap_push(&q->heap, e, due_ns);
	else
		weft_timer_wheel_push(&q->wheel, e, due_ns);
}

static inline void timer_queue_remove(struct timer_queue *q,
                                      struct timer_entry *e)
{
	if (q->kind == TIMER_HEAP)
		weft_timer_heap_remove(&q->heap, e);
	else
		weft_timer_wheel_remove(&q->wheel, e);
}

/* Time has come to now_ns: nothing that is due earlier is pushed any more. */
static inline void timer_queue_pass(struct timer_queue *q, int64_t now_ns)
{
	if (q->kind == TIMER_WHEEL)
		weft_timer_wheel_pass(&q->wheel, now_ns);
}

static inline struct timer_entry *timer_queue_first(struct timer_queue *q)
{
	return q->kind == TIMER_HEAP ? timer_heap_first(&q->heap)
	                             : weft_timer_wheel_first(&q->wheel);
}

#endif
