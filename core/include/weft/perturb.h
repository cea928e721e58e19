/*
 * perturb: yields and short delays at random before atomic operations and
 * calls of mutexes, in C, for what is compiled with
 *
 *	cc -include weft/perturb.h ...
 *
 * It brings windows of a few instructions within reach of an ordinary test,
 * with nothing else of weft's. WEFT_PERTURB=SEED in the environment is the
 * seed. weft/atomic.h is met too. What is written with operators (x++ on an
 * _Atomic) is not, nor is C++, where there are mutexes only: for those there
 * is libweft_perturb.a, by `weft check --load=FILE.c --build=perturb`.
 *
 * Not for code that is measured.
 */
#ifndef WEFT_PERTURB_H
#define WEFT_PERTURB_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef __cplusplus
#include <stdatomic.h>
#endif

__attribute__((unused)) static inline void weft_perturb_here(void)
{
	static __thread uint64_t state;
	static uint64_t threads;
	const char *seed = state ? NULL : getenv("WEFT_PERTURB");

	if (!state)
		state = ((seed ? strtoull(seed, NULL, 10) : 1) + 1) *
		        UINT64_C(0x9e3779b97f4a7c15) *
		        (2 * __atomic_add_fetch(&threads, 1, 5) + 1);
	/* Marsaglia's xorshift64. */
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	if (state >> 32 & 3)
		return;
	/* One in four yields, one in 128 goes on for some 10 to 100 us. */
	for (unsigned n = state >> 34 & 31 ? 1 : 100; n > 0; n--)
		sched_yield();
}

#define pthread_mutex_lock(m) (weft_perturb_here(), pthread_mutex_lock(m))
#define pthread_mutex_trylock(m) (weft_perturb_here(), pthread_mutex_trylock(m))
#define pthread_mutex_unlock(m) (weft_perturb_here(), pthread_mutex_unlock(m))
#define pthread_cond_wait(c, m) (weft_perturb_here(), pthread_cond_wait(c, m))
#define pthread_cond_signal(c) (weft_perturb_here(), pthread_cond_signal(c))
#define pthread_cond_broadcast(c)                                              \
	(weft_perturb_here(), pthread_cond_broadcast(c))

#ifndef __cplusplus

/* An operation by the builtin under it, of either compiler, after a point. */
#ifdef __clang__
#define WEFT_PERTURB_LOAD(p, o) __c11_atomic_load(p, o)
#define WEFT_PERTURB_STORE(p, v, o) __c11_atomic_store(p, v, o)
#define WEFT_PERTURB_XCHG(p, v, o) __c11_atomic_exchange(p, v, o)
#define WEFT_PERTURB_CAS(p, e, v, weak, o, f)                                  \
	__c11_atomic_compare_exchange_strong(p, e, v, o, f)
#define WEFT_PERTURB_FETCH(op, p, v, o) __c11_atomic_fetch_##op(p, v, o)
#else
#define WEFT_PERTURB_LOAD(p, o)                                                \
	__extension__({                                                        \
		__auto_type weft_p = (p);                                      \
		__typeof__((void)0, *weft_p) weft_v;                           \
		__atomic_load(weft_p, &weft_v, (o));                           \
		weft_v;                                                        \
	})
#define WEFT_PERTURB_STORE(p, v, o)                                            \
	__extension__({                                                        \
		__auto_type weft_p = (p);                                      \
		__typeof__((void)0, *weft_p) weft_v = (v);                     \
		__atomic_store(weft_p, &weft_v, (o));                          \
	})
#define WEFT_PERTURB_XCHG(p, v, o)                                             \
	__extension__({                                                        \
		__auto_type weft_p = (p);                                      \
		__typeof__((void)0, *weft_p) weft_v = (v), weft_was;           \
		__atomic_exchange(weft_p, &weft_v, &weft_was, (o));            \
		weft_was;                                                      \
	})
#define WEFT_PERTURB_CAS(p, e, v, weak, o, f)                                  \
	__extension__({                                                        \
		__auto_type weft_p = (p);                                      \
		__typeof__((void)0, *weft_p) weft_v = (v);                     \
		__atomic_compare_exchange(weft_p, (e), &weft_v, weak, (o),     \
		                          (f));                                \
	})
#define WEFT_PERTURB_FETCH(op, p, v, o) __atomic_fetch_##op(p, v, o)
#endif

#undef atomic_load_explicit
#undef atomic_load
#undef atomic_store_explicit
#undef atomic_store
#undef atomic_exchange_explicit
#undef atomic_exchange
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak_explicit
#undef atomic_compare_exchange_weak
#undef atomic_fetch_add_explicit
#undef atomic_fetch_add
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_or_explicit
#undef atomic_fetch_or
#undef atomic_fetch_and_explicit
#undef atomic_fetch_and
#define atomic_load_explicit(p, o)                                             \
	(weft_perturb_here(), WEFT_PERTURB_LOAD(p, o))
#define atomic_load(p) atomic_load_explicit(p, memory_order_seq_cst)
#define atomic_store_explicit(p, v, o)                                         \
	(weft_perturb_here(), WEFT_PERTURB_STORE(p, v, o))
#define atomic_store(p, v) atomic_store_explicit(p, v, memory_order_seq_cst)
#define atomic_exchange_explicit(p, v, o)                                      \
	(weft_perturb_here(), WEFT_PERTURB_XCHG(p, v, o))
#define atomic_exchange(p, v)                                                  \
	atomic_exchange_explicit(p, v, memory_order_seq_cst)
#define atomic_compare_exchange_strong_explicit(p, e, v, o, f)                 \
	(weft_perturb_here(), WEFT_PERTURB_CAS(p, e, v, 0, o, f))
#define atomic_compare_exchange_strong(p, e, v)                                \
	atomic_compare_exchange_strong_explicit(p, e, v, memory_order_seq_cst, \
	                                        memory_order_seq_cst)
#define atomic_compare_exchange_weak_explicit(p, e, v, o, f)                   \
	(weft_perturb_here(), WEFT_PERTURB_CAS(p, e, v, 1, o, f))
#define atomic_compare_exchange_weak(p, e, v)                                  \
	atomic_compare_exchange_weak_explicit(p, e, v, memory_order_seq_cst,   \
	                                      memory_order_seq_cst)
#define atomic_fetch_add_explicit(p, v, o)                                     \
	(weft_perturb_here(), WEFT_PERTURB_FETCH(add, p, v, o))
#define atomic_fetch_add(p, v)                                                 \
	atomic_fetch_add_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_sub_explicit(p, v, o)                                     \
	(weft_perturb_here(), WEFT_PERTURB_FETCH(sub, p, v, o))
#define atomic_fetch_sub(p, v)                                                 \
	atomic_fetch_sub_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_or_explicit(p, v, o)                                      \
	(weft_perturb_here(), WEFT_PERTURB_FETCH(or, p, v, o))
#define atomic_fetch_or(p, v)                                                  \
	atomic_fetch_or_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_and_explicit(p, v, o)                                     \
	(weft_perturb_here(), WEFT_PERTURB_FETCH(and, p, v, o))
#define atomic_fetch_and(p, v)                                                 \
	atomic_fetch_and_explicit(p, v, memory_order_seq_cst)

#endif

#endif
