/*
 * Atomic operations with the memory order in the name.
 *
 * Everything in weft that two tasks may touch at once goes through here, for
 * two reasons: a reader sees the order without counting arguments, and a build
 * can hand these operations to a perturber or a scheduler instead of the CPU.
 * A channel plug-in that uses them is checked the same way.
 *
 * `p` points to a WEFT_ATOMIC(type), which is _Atomic(type) in C and
 * std::atomic<type> in C++, with the same layout for whatever a CPU has
 * operations for: a struct may be shared between the two languages. CAS takes a
 * pointer to the expected value, writes the value found there when it fails
 * (then with the failure order: relaxed, or acquire where the name says
 * acquire, acq_rel or seq_cst), and returns true when it stored. There are no
 * stand-alone fences: TSan cannot see them. See weft_barrier_heavy() for the
 * one pair that needs more.
 */
#ifndef WEFT_ATOMIC_H
#define WEFT_ATOMIC_H

#ifdef __cplusplus
#include <atomic>
#else
#include <stdatomic.h>
#endif
#include <stdbool.h>
#include <stdint.h>

#include <weft/export.h>

#ifdef __cplusplus
#define WEFT_ATOMIC(type) std::atomic<type>
#define WEFT_STD std::
#else
#define WEFT_ATOMIC(type) _Atomic(type)
#define WEFT_STD
#endif

WEFT_BEGIN_DECLS

/*
 * In a build with WEFT_PERTURB, the `perturb` preset, each operation calls this
 * first (core/perturb/); in others there is nothing.
 */
#ifdef WEFT_PERTURB
enum weft_atomic_kind { WEFT_LOAD, WEFT_STORE, WEFT_RMW };
void weft_perturb_atomic(unsigned kind);
#define WEFT_BEFORE(kind) weft_perturb_atomic(kind),
#else
#define WEFT_BEFORE(kind)
#endif

#define weft_load_relaxed(p)                                                   \
	(WEFT_BEFORE(WEFT_LOAD) WEFT_STD atomic_load_explicit(                 \
	        p, WEFT_STD memory_order_relaxed))
#define weft_load_acquire(p)                                                   \
	(WEFT_BEFORE(WEFT_LOAD) WEFT_STD atomic_load_explicit(                 \
	        p, WEFT_STD memory_order_acquire))
#define weft_load_seq_cst(p)                                                   \
	(WEFT_BEFORE(WEFT_LOAD) WEFT_STD atomic_load_explicit(                 \
	        p, WEFT_STD memory_order_seq_cst))

#define weft_store_relaxed(p, v)                                               \
	(WEFT_BEFORE(WEFT_STORE) WEFT_STD atomic_store_explicit(               \
	        p, v, WEFT_STD memory_order_relaxed))
#define weft_store_release(p, v)                                               \
	(WEFT_BEFORE(WEFT_STORE) WEFT_STD atomic_store_explicit(               \
	        p, v, WEFT_STD memory_order_release))
#define weft_store_seq_cst(p, v)                                               \
	(WEFT_BEFORE(WEFT_STORE) WEFT_STD atomic_store_explicit(               \
	        p, v, WEFT_STD memory_order_seq_cst))

#define weft_xchg_relaxed(p, v)                                                \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_exchange_explicit(              \
	        p, v, WEFT_STD memory_order_relaxed))
#define weft_xchg_acquire(p, v)                                                \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_exchange_explicit(              \
	        p, v, WEFT_STD memory_order_acquire))
#define weft_xchg_release(p, v)                                                \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_exchange_explicit(              \
	        p, v, WEFT_STD memory_order_release))
#define weft_xchg_acq_rel(p, v)                                                \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_exchange_explicit(              \
	        p, v, WEFT_STD memory_order_acq_rel))
#define weft_xchg_seq_cst(p, v)                                                \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_exchange_explicit(              \
	        p, v, WEFT_STD memory_order_seq_cst))

#define weft_cas_relaxed(p, expected, v)                                       \
	(WEFT_BEFORE(WEFT_RMW)                                                 \
	         WEFT_STD atomic_compare_exchange_strong_explicit(             \
	                 p, expected, v, WEFT_STD memory_order_relaxed,        \
	                 WEFT_STD memory_order_relaxed))
#define weft_cas_acquire(p, expected, v)                                       \
	(WEFT_BEFORE(WEFT_RMW)                                                 \
	         WEFT_STD atomic_compare_exchange_strong_explicit(             \
	                 p, expected, v, WEFT_STD memory_order_acquire,        \
	                 WEFT_STD memory_order_acquire))
#define weft_cas_release(p, expected, v)                                       \
	(WEFT_BEFORE(WEFT_RMW)                                                 \
	         WEFT_STD atomic_compare_exchange_strong_explicit(             \
	                 p, expected, v, WEFT_STD memory_order_release,        \
	                 WEFT_STD memory_order_relaxed))
#define weft_cas_acq_rel(p, expected, v)                                       \
	(WEFT_BEFORE(WEFT_RMW)                                                 \
	         WEFT_STD atomic_compare_exchange_strong_explicit(             \
	                 p, expected, v, WEFT_STD memory_order_acq_rel,        \
	                 WEFT_STD memory_order_acquire))
#define weft_cas_seq_cst(p, expected, v)                                       \
	(WEFT_BEFORE(WEFT_RMW)                                                 \
	         WEFT_STD atomic_compare_exchange_strong_explicit(             \
	                 p, expected, v, WEFT_STD memory_order_seq_cst,        \
	                 WEFT_STD memory_order_seq_cst))

/* May fail without cause: for loops that would retry anyway. */
#define weft_cas_weak_acquire(p, expected, v)                                  \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_compare_exchange_weak_explicit( \
	        p, expected, v, WEFT_STD memory_order_acquire,                 \
	        WEFT_STD memory_order_relaxed))
#define weft_cas_weak_acq_rel(p, expected, v)                                  \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_compare_exchange_weak_explicit( \
	        p, expected, v, WEFT_STD memory_order_acq_rel,                 \
	        WEFT_STD memory_order_acquire))
#define weft_cas_weak_relaxed(p, expected, v)                                  \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_compare_exchange_weak_explicit( \
	        p, expected, v, WEFT_STD memory_order_relaxed,                 \
	        WEFT_STD memory_order_relaxed))
#define weft_cas_weak_seq_cst(p, expected, v)                                  \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_compare_exchange_weak_explicit( \
	        p, expected, v, WEFT_STD memory_order_seq_cst,                 \
	        WEFT_STD memory_order_seq_cst))

#define weft_fetch_add_relaxed(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_add_explicit(             \
	        p, v, WEFT_STD memory_order_relaxed))
#define weft_fetch_add_acquire(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_add_explicit(             \
	        p, v, WEFT_STD memory_order_acquire))
#define weft_fetch_add_release(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_add_explicit(             \
	        p, v, WEFT_STD memory_order_release))
#define weft_fetch_add_acq_rel(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_add_explicit(             \
	        p, v, WEFT_STD memory_order_acq_rel))
#define weft_fetch_add_seq_cst(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_add_explicit(             \
	        p, v, WEFT_STD memory_order_seq_cst))

#define weft_fetch_sub_relaxed(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_sub_explicit(             \
	        p, v, WEFT_STD memory_order_relaxed))
#define weft_fetch_sub_release(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_sub_explicit(             \
	        p, v, WEFT_STD memory_order_release))
#define weft_fetch_sub_acq_rel(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_sub_explicit(             \
	        p, v, WEFT_STD memory_order_acq_rel))
#define weft_fetch_sub_seq_cst(p, v)                                           \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_sub_explicit(             \
	        p, v, WEFT_STD memory_order_seq_cst))

#define weft_fetch_or_acq_rel(p, v)                                            \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_or_explicit(              \
	        p, v, WEFT_STD memory_order_acq_rel))
#define weft_fetch_or_seq_cst(p, v)                                            \
	(WEFT_BEFORE(WEFT_RMW) WEFT_STD atomic_fetch_or_explicit(              \
	        p, v, WEFT_STD memory_order_seq_cst))

/* Stops the compiler, not the CPU, from moving memory accesses across it. */
#define weft_barrier_compiler()                                                \
	WEFT_STD atomic_signal_fence(WEFT_STD memory_order_seq_cst)

/*
 * The heavy half of an asymmetric store-load barrier.
 *
 * Orders every access of the caller before it against every access after it,
 * and makes each running thread of the process behave as if it had a full
 * barrier somewhere during the call. A thread whose store and later load are
 * kept in program order by weft_barrier_compiler() is therefore ordered with
 * the caller's store before and load after this call, without paying for a
 * barrier of its own.
 *
 * Costs a system call: for the side that is about to sleep. Only to be relied
 * on when weft_barrier_is_asymmetric() says so; where it does not, this is a
 * full barrier of the calling thread alone.
 *
 * In a process that is refused membarrier(2) after it was granted, such as one
 * that has sandboxed itself, this costs a visit to every CPU by
 * sched_setaffinity(2), which may take milliseconds, and aborts when that is
 * refused too.
 */
WEFT_API void weft_barrier_heavy(void);

/*
 * Whether weft_barrier_heavy() reaches the other threads (membarrier(2) with
 * private expedited commands, and a build that may use it). Constant for the
 * life of the process.
 */
WEFT_API bool weft_barrier_is_asymmetric(void);

/* Tells the CPU that this is a spin loop. Does not yield: see weft_relax(). */
static inline void weft_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ __volatile__("yield" ::: "memory");
#endif
}

/*
 * Asks for the cache line at p, which the caller is about to write to, before
 * it does; it may be one that is here already, shared with other CPUs. A hint:
 * p need not be valid. On x86 a compiler that is to serve all CPUs asks for a
 * line to read only. CPUs without the instruction take it for a no-op.
 */
static inline void weft_prefetch_own(const void *p)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

WEFT_END_DECLS

#endif
