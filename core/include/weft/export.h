/*
 * Attributes shared by the public headers.
 *
 * The library is built with hidden visibility: what carries WEFT_API is the
 * whole of what it exports.
 */
#ifndef WEFT_EXPORT_H
#define WEFT_EXPORT_H

#define WEFT_API __attribute__((visibility("default")))
#define WEFT_NODISCARD __attribute__((warn_unused_result))
#define WEFT_NORETURN __attribute__((noreturn))
#define WEFT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Bytes that two CPUs must not share without need. */
#define WEFT_CACHE_LINE 64

#endif
