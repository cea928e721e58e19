/*
 * message: what the kernels send.
 *
 * A message is `bytes` long, a multiple of 8. Its first word is the value: the
 * sender's number in the upper bits, the number of the item among the sender's
 * own in the lower. Its last word, where there is more than one, is a check
 * that belongs to the value it was written for, so a message put together from
 * two others is noticed, and one whose value was changed on its way is still
 * known to be whole.
 */
#ifndef WEFT_PATTERNS_KERNEL_MESSAGE_H
#define WEFT_PATTERNS_KERNEL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MESSAGE_MIN 8
#define MESSAGE_MAX 4096

#define MESSAGE_SEQ_BITS 32

static inline uint64_t message_value_of(uint64_t who, uint64_t seq)
{
	return who << MESSAGE_SEQ_BITS | seq;
}

static inline uint64_t message_who(uint64_t value)
{
	return value >> MESSAGE_SEQ_BITS;
}

static inline uint64_t message_seq(uint64_t value)
{
	return value & ((UINT64_C(1) << MESSAGE_SEQ_BITS) - 1);
}

static inline uint64_t message_check(uint64_t value)
{
	return (value + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t message_value(const void *m)
{
	uint64_t value;

	memcpy(&value, m, sizeof(value));
	return value;
}

static inline void message_set(void *m, uint64_t value)
{
	memcpy(m, &value, sizeof(value));
}

/* A new message. What lies between first and last word stays. */
static inline void message_write(void *m, size_t bytes, uint64_t value)
{
	uint64_t check = message_check(value);

	if (bytes > sizeof(value))
		memcpy((char *)m + bytes - sizeof(check), &check,
		       sizeof(check));
	message_set(m, value);
}

/* Whether this is all of what was written for `value`. */
static inline bool message_is_of(const void *m, size_t bytes, uint64_t value)
{
	uint64_t check;

	if (bytes <= sizeof(check))
		return true;
	memcpy(&check, (const char *)m + bytes - sizeof(check), sizeof(check));
	return check == message_check(value);
}

#endif
