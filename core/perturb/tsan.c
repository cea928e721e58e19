/*
 * What code built with -fsanitize=thread calls, by gcc and by clang: the names
 * and signatures are those of the sanitizer's run-time
 * (compiler-rt/lib/tsan/rtl/tsan_interface*.h).
 *
 * An atomic operation is done as its caller asks: a store that is stronger than
 * that would hide what another order lets happen.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "perturb/perturb.h"

/* The compiler declares these itself, each in its own way. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
/* NOLINTBEGIN(bugprone-reserved-identifier) */

#define HERE __builtin_return_address(0)

/* --- plain accesses --- */

#define ACCESS(name, writes, bytes)                                            \
	void __tsan_##name(const void *at)                                     \
	{                                                                      \
		weft_perturb_access(writes, at, bytes);                        \
	}                                                                      \
	void __tsan_##name##_pc(const void *at, const void *pc)                \
	{                                                                      \
		(void)pc;                                                      \
		weft_perturb_access(writes, at, bytes);                        \
	}

#define ACCESSES(bytes)                                                        \
	ACCESS(read##bytes, false, bytes)                                      \
	ACCESS(write##bytes, true, bytes)                                      \
	ACCESS(read_write##bytes, true, bytes)                                 \
	ACCESS(volatile_read##bytes, false, bytes)                             \
	ACCESS(volatile_write##bytes, true, bytes)                             \
	ACCESS(unaligned_read##bytes, false, bytes)                            \
	ACCESS(unaligned_write##bytes, true, bytes)                            \
	ACCESS(unaligned_read_write##bytes, true, bytes)                       \
	ACCESS(unaligned_volatile_read##bytes, false, bytes)                   \
	ACCESS(unaligned_volatile_write##bytes, true, bytes)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(const void *at, size_t bytes)
{
	weft_perturb_access(false, at, (unsigned)bytes);
}

void __tsan_write_range(const void *at, size_t bytes)
{
	weft_perturb_access(true, at, (unsigned)bytes);
}

void __tsan_vptr_update(const void *at, const void *to)
{
	(void)to;
	weft_perturb_access(true, at, sizeof(void *));
}

void __tsan_vptr_read(const void *at)
{
	weft_perturb_access(false, at, sizeof(void *));
}

void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
	return memcpy(to, from, bytes);
}

void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
	return memmove(to, from, bytes);
}

void *__tsan_memset(void *to, int byte, size_t bytes)
{
	return memset(to, byte, bytes);
}

/* --- what there is nothing to do for --- */

void __tsan_init(void)
{
}

void __tsan_func_entry(const void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

/* Annotations, for those that make them. */
void __tsan_acquire(void *at)
{
	(void)at;
}

void __tsan_release(void *at)
{
	(void)at;
}

/* --- atomic operations --- */

static void fence(int order)
{
	switch (order) {
	case __ATOMIC_RELAXED:
		break;
	case __ATOMIC_CONSUME:
	case __ATOMIC_ACQUIRE:
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		break;
	case __ATOMIC_RELEASE:
		__atomic_thread_fence(__ATOMIC_RELEASE);
		break;
	case __ATOMIC_ACQ_REL:
		__atomic_thread_fence(__ATOMIC_ACQ_REL);
		break;
	default:
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

void __tsan_atomic_thread_fence(int order)
{
	weft_perturb_point(PERTURB_FENCE, NULL, HERE);
	fence(order);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#define LOAD(bits, type)                                                       \
	type __tsan_atomic##bits##_load(const type *at, int order)             \
	{                                                                      \
		weft_perturb_point(PERTURB_LOAD, at, HERE);                    \
		switch (order) {                                               \
		case __ATOMIC_RELAXED:                                         \
			return __atomic_load_n(at, __ATOMIC_RELAXED);          \
		case __ATOMIC_CONSUME:                                         \
		case __ATOMIC_ACQUIRE:                                         \
			return __atomic_load_n(at, __ATOMIC_ACQUIRE);          \
		default:                                                       \
			return __atomic_load_n(at, __ATOMIC_SEQ_CST);          \
		}                                                              \
	}

#define STORE(bits, type)                                                      \
	void __tsan_atomic##bits##_store(type *at, type value, int order)      \
	{                                                                      \
		weft_perturb_point(PERTURB_STORE, at, HERE);                   \
		switch (order) {                                               \
		case __ATOMIC_RELAXED:                                         \
			__atomic_store_n(at, value, __ATOMIC_RELAXED);         \
			break;                                                 \
		case __ATOMIC_RELEASE:                                         \
			__atomic_store_n(at, value, __ATOMIC_RELEASE);         \
			break;                                                 \
		default:                                                       \
			__atomic_store_n(at, value, __ATOMIC_SEQ_CST);         \
		}                                                              \
	}

/* The CPU's read-modify-write operations, of which x86 has one order. Elsewhere
 * a relaxed one is kept, and what is more is sequentially consistent. */
#define RMW(bits, type, name, builtin)                                         \
	type __tsan_atomic##bits##_##name(type *at, type value, int order)     \
	{                                                                      \
		weft_perturb_point(PERTURB_RMW, at, HERE);                     \
		switch (order) {                                               \
		case __ATOMIC_RELAXED:                                         \
			return builtin(at, value, __ATOMIC_RELAXED);           \
		case __ATOMIC_CONSUME:                                         \
		case __ATOMIC_ACQUIRE:                                         \
			return builtin(at, value, __ATOMIC_ACQUIRE);           \
		case __ATOMIC_RELEASE:                                         \
			return builtin(at, value, __ATOMIC_RELEASE);           \
		case __ATOMIC_ACQ_REL:                                         \
			return builtin(at, value, __ATOMIC_ACQ_REL);           \
		default:                                                       \
			return builtin(at, value, __ATOMIC_SEQ_CST);           \
		}                                                              \
	}

#define CAS_AS(type, at, expected, value, order)                               \
	__atomic_compare_exchange_n(at, expected, value, 0, order,             \
	                            __ATOMIC_RELAXED)

/* A failure is as strong as a success is, or as is allowed. */
#define CAS(bits, type)                                                        \
	static int cas##bits(type *at, type *expected, type value, int order)  \
	{                                                                      \
		switch (order) {                                               \
		case __ATOMIC_RELAXED:                                         \
			return CAS_AS(type, at, expected, value,               \
			              __ATOMIC_RELAXED);                       \
		case __ATOMIC_RELEASE:                                         \
			return CAS_AS(type, at, expected, value,               \
			              __ATOMIC_RELEASE);                       \
		default:                                                       \
			return __atomic_compare_exchange_n(                    \
			        at, expected, value, 0, __ATOMIC_SEQ_CST,      \
			        __ATOMIC_SEQ_CST);                             \
		}                                                              \
	}                                                                      \
	int __tsan_atomic##bits##_compare_exchange_strong(                     \
	        type *at, type *expected, type value, int order, int fail)     \
	{                                                                      \
		weft_perturb_point(PERTURB_RMW, at, HERE);                     \
		return cas##bits(at, expected, value,                          \
		                 fail == __ATOMIC_RELAXED ? order : 99);       \
	}                                                                      \
	int __tsan_atomic##bits##_compare_exchange_weak(                       \
	        type *at, type *expected, type value, int order, int fail)     \
	{                                                                      \
		weft_perturb_point(PERTURB_RMW, at, HERE);                     \
		return cas##bits(at, expected, value,                          \
		                 fail == __ATOMIC_RELAXED ? order : 99);       \
	}                                                                      \
	type __tsan_atomic##bits##_compare_exchange_val(                       \
	        type *at, type expected, type value, int order, int fail)      \
	{                                                                      \
		weft_perturb_point(PERTURB_RMW, at, HERE);                     \
		cas##bits(at, &expected, value,                                \
		          fail == __ATOMIC_RELAXED ? order : 99);              \
		return expected;                                               \
	}

#define ATOMICS(bits, type)                                                    \
	LOAD(bits, type)                                                       \
	STORE(bits, type)                                                      \
	RMW(bits, type, exchange, __atomic_exchange_n)                         \
	RMW(bits, type, fetch_add, __atomic_fetch_add)                         \
	RMW(bits, type, fetch_sub, __atomic_fetch_sub)                         \
	RMW(bits, type, fetch_and, __atomic_fetch_and)                         \
	RMW(bits, type, fetch_or, __atomic_fetch_or)                           \
	RMW(bits, type, fetch_xor, __atomic_fetch_xor)                         \
	RMW(bits, type, fetch_nand, __atomic_fetch_nand)                       \
	CAS(bits, type)

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

/* NOLINTEND(bugprone-reserved-identifier) */
