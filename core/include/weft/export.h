/*
 * What the public headers share: attributes, and what makes them the same text
 * in C17 and in C++17.
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

/* Around everything that a header declares, behind its #includes. In C++ a
 * function hides the constructor of the struct it shares its name with, which
 * is no loss here. */
#ifdef __cplusplus
#define WEFT_BEGIN_DECLS                                                       \
	_Pragma("GCC diagnostic push")                                         \
	        _Pragma("GCC diagnostic ignored \"-Wshadow\"") extern "C"      \
	{
#define WEFT_END_DECLS                                                         \
	}                                                                      \
	_Pragma("GCC diagnostic pop")
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

/* Before a member or an object: at a multiple of so many bytes. */
#ifdef __cplusplus
#define WEFT_ALIGNED(bytes) alignas(bytes)
#else
#define WEFT_ALIGNED(bytes) _Alignas(bytes)
#endif

/* Bytes that two CPUs must not share without need. */
#define WEFT_CACHE_LINE 64

#endif
