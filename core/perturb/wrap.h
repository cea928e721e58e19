/* wrap: what stands in for a call of an object linked with --wrap. */
#ifndef WEFT_PERTURB_WRAP_H
#define WEFT_PERTURB_WRAP_H

#include "perturb/perturb.h"

#define HERE __builtin_return_address(0)

/* A call that may block, and one that may not. */
#define BLOCKING(type, name, kind, at, parameters, arguments)                  \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		type result;                                                   \
		weft_perturb_point(kind, at, HERE);                            \
		weft_perturb_blocks(kind, at);                                 \
		result = __real_##name arguments;                              \
		weft_perturb_goes_on();                                        \
		return result;                                                 \
	}

/* A wait, which `woken` stands in for when it is woken for no reason. */
#define WAITING(type, name, at, parameters, arguments, woken)                  \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		type result;                                                   \
		weft_perturb_point(PERTURB_WAIT, at, HERE);                    \
		if (weft_perturb_wakes(at, HERE))                              \
			return woken;                                          \
		weft_perturb_blocks(PERTURB_WAIT, at);                         \
		result = __real_##name arguments;                              \
		weft_perturb_goes_on();                                        \
		return result;                                                 \
	}

#define PLAIN(type, name, kind, at, parameters, arguments)                     \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters                                          \
	{                                                                      \
		weft_perturb_point(kind, at, HERE);                            \
		return __real_##name arguments;                                \
	}

#endif
