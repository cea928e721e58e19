/*
 * CHECK: invariants that are tested in every build type.
 *
 * A failed check prints where, what, both values and the seed, then aborts. It
 * is for our own bugs, never for what a caller or the machine may do.
 */
#ifndef WEFT_BASE_CHECK_H
#define WEFT_BASE_CHECK_H

#include <stdint.h>

#include <weft/export.h>

/* The seed that a failed check prints. The one global that may change. */
void weft_check_seed(uint64_t seed);

WEFT_NORETURN void weft_check_failed(const char *file, int line,
                                     const char *what);
WEFT_NORETURN void weft_check_op_failed(const char *file, int line,
                                        const char *what, intmax_t a,
                                        intmax_t b);

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (__builtin_expect(!(cond), 0))                              \
			weft_check_failed(__FILE__, __LINE__, #cond);          \
	} while (0)

#define CHECK_OP(a, op, b)                                                     \
	do {                                                                   \
		__extension__ __auto_type check_a_ = (a);                      \
		__extension__ __auto_type check_b_ = (b);                      \
		if (__builtin_expect(!(check_a_ op check_b_), 0))              \
			weft_check_op_failed(                                  \
			        __FILE__, __LINE__, #a " " #op " " #b,         \
			        (intmax_t)check_a_, (intmax_t)check_b_);       \
	} while (0)

#define CHECK_EQ(a, b) CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) CHECK_OP(a, !=, b)
#define CHECK_LE(a, b) CHECK_OP(a, <=, b)
#define CHECK_LT(a, b) CHECK_OP(a, <, b)

#endif
