/* Implementations: the built-in ones, plug-ins, and what either must fulfil. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/instrumented.h"
#include "chan/internal.h"

static const struct weft_chan_impl *const builtin[] = {
#define CHAN(name) &weft_chan_impl_##name,
#include "chan/chan.def"
#undef CHAN
};

#define BUILTINS (sizeof(builtin) / sizeof(builtin[0]))

const struct weft_chan_impl *weft_chan_impl_at(size_t i)
{
	return i < BUILTINS ? builtin[i] : NULL;
}

const struct weft_chan_impl *weft_chan_impl_find(const char *name)
{
	for (size_t i = 0; name && i < BUILTINS; i++)
		if (strcmp(builtin[i]->name, name) == 0)
			return builtin[i];
	return NULL;
}

const char *weft_chan_can_name(uint64_t bit)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ WEFT_CAN_BOUNDED, "bounded" },
		{ WEFT_CAN_UNBOUNDED, "unbounded" },
		{ WEFT_CAN_RENDEZVOUS, "rendezvous" },
		{ WEFT_CAN_FIFO, "fifo" },
		{ WEFT_CAN_PRODUCER_FIFO, "producer_fifo" },
		{ WEFT_CAN_SELECT, "select" },
		{ WEFT_CAN_TIMEOUT, "timeout" },
		{ WEFT_CAN_BATCH, "batch" },
		{ WEFT_CAN_LEN, "len" },
		{ WEFT_NO_DATA, "no_data" },
		{ WEFT_BLOCKS_THREAD, "blocks_thread" },
		{ WEFT_CAN_START, "start" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].bit == bit)
			return names[i].name;
	return NULL;
}

/* Write the reason, if the caller wants it, and be the error. */
WEFT_PRINTF(3, 4)
static int refuse(char *why, size_t why_bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (why_bytes)
		vsnprintf(why, why_bytes, format, args);
	va_end(args);
	return -EINVAL;
}

static bool name_is_good(const char *name)
{
	return name && *name &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] ==
	               '\0';
}

/* Every bit of enum weft_chan_can that this ABI knows. */
#define CAN_ALL ((uint64_t)(WEFT_CAN_START << 1) - 1)

static bool reserves(const struct weft_chan_impl *impl)
{
	size_t n = sizeof(impl->reserved) / sizeof(impl->reserved[0]);

	for (size_t i = 0; i < n; i++)
		if (impl->reserved[i])
			return true;
	return false;
}

/* The capability that `impl` declares against its operations; NULL if none. */
static const char *contradiction(const struct weft_chan_impl *impl)
{
	uint64_t can = impl->can;

	if (can & ~CAN_ALL)
		return "declares a capability that this weft does not know";
	if (!(can &
	      (WEFT_CAN_BOUNDED | WEFT_CAN_UNBOUNDED | WEFT_CAN_RENDEZVOUS)))
		return "has no capacity: neither bounded, unbounded nor "
		       "rendezvous";
	if ((can & WEFT_CAN_UNBOUNDED) &&
	    (can & (WEFT_CAN_BOUNDED | WEFT_CAN_RENDEZVOUS)))
		return "is unbounded and bounded at once";
	if (!impl->send != !impl->recv)
		return "has only one of send and recv";
	if ((can & WEFT_CAN_RENDEZVOUS) && !impl->send)
		return "declares rendezvous without its own send and recv";
	if (impl->max_elem > WEFT_ELEM_MAX ||
	    impl->min_elem > (impl->max_elem ? impl->max_elem : WEFT_ELEM_MAX))
		return "has limits on elements outside of 0..4096 bytes";
	if (!impl->summary)
		return "has no summary";
	if ((can & WEFT_CAN_BATCH) &&
	    (!impl->try_send_many || !impl->try_recv_many))
		return "declares batch without try_send_many and try_recv_many";
	if ((can & WEFT_CAN_SELECT) && !impl->poll)
		return "declares select without poll";
	if ((can & WEFT_BLOCKS_THREAD) && !impl->send)
		return "declares that it blocks the thread without its own "
		       "send and recv";
	if (reserves(impl))
		return "has something other than NULL in a reserved member";
	return NULL;
}

/* What a plug-in must fulfil; the built-in ones do, by our tests. */
static int impl_check(const struct weft_chan_impl *impl, char *why,
                      size_t why_bytes)
{
	const char *wrong;

	if (impl->abi != WEFT_CHAN_ABI)
		return refuse(
		        why, why_bytes,
		        "was built for channel ABI %u; this weft takes %d",
		        impl->abi, WEFT_CHAN_ABI);
	if (impl->size != sizeof(*impl))
		return refuse(why, why_bytes,
		              "has an operations table of %u bytes; ABI %d has "
		              "%zu",
		              impl->size, WEFT_CHAN_ABI, sizeof(*impl));
	if (!name_is_good(impl->name))
		return refuse(why, why_bytes,
		              "has a name other than [a-z0-9_-]+");
	if (!impl->create || !impl->destroy || !impl->try_send ||
	    !impl->try_recv || !impl->close || !impl->len)
		return refuse(why, why_bytes,
		              "lacks one of create, destroy, try_send, "
		              "try_recv, close and len");
	wrong = contradiction(impl);
	if (wrong)
		return refuse(why, why_bytes, "%s", wrong);
	if (weft_chan_impl_find(impl->name))
		return refuse(why, why_bytes,
		              "is named %s, as a built-in channel is",
		              impl->name);
	return 0;
}

int weft_chan_load(const char *path, const struct weft_chan_impl **out,
                   char *why, size_t why_bytes)
{
	const struct weft_chan_impl *impl;
	char here[4096];
	void *object;
	int err;

	if (!path || !*path || !out)
		return refuse(why, why_bytes, "no path given");
	/* Without a slash dlopen would search the library path instead. */
	if (!strchr(path, '/')) {
		if (strlen(path) + 3 > sizeof(here))
			return refuse(why, why_bytes, "its name is too long");
		snprintf(here, sizeof(here), "./%s", path);
		path = here;
	}
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		refuse(why, why_bytes, "%s", dlerror());
		return -ENOENT;
	}
	impl = dlsym(object, "weft_chan_impl");
	err = impl ? impl_check(impl, why, why_bytes)
	           : refuse(why, why_bytes,
	                    "does not export the symbol weft_chan_impl");
	if (!err && !weft_is_instrumented(impl))
		err = refuse(why, why_bytes,
		             "is built without -fsanitize=thread; this weft is "
		             "built with it and would report races that are "
		             "none");
	if (err) {
		dlclose(object);
		return err;
	}
	*out = impl;
	return 0;
}

/* The capacities that impl takes, in words. */
static void cap_range(const struct weft_chan_impl *impl, char *to, size_t n)
{
	const char *low = impl->can & WEFT_CAN_RENDEZVOUS ? "0" : "1";

	if (impl->can & WEFT_CAN_UNBOUNDED)
		snprintf(to, n, "1 or more, and it is unbounded");
	else if (!(impl->can & WEFT_CAN_BOUNDED))
		snprintf(to, n, "0 only");
	else if (impl->max_cap)
		snprintf(to, n, "%s..%zu", low, impl->max_cap);
	else
		snprintf(to, n, "%s or more", low);
}

static bool cap_is_good(const struct weft_chan_impl *impl, size_t cap)
{
	/* An unbounded channel makes nothing of its capacity, but 0 asks for a
	 * rendezvous, which it cannot be. */
	if (impl->can & WEFT_CAN_UNBOUNDED)
		return cap != 0;
	if (cap == 0)
		return impl->can & WEFT_CAN_RENDEZVOUS;
	return (impl->can & WEFT_CAN_BOUNDED) &&
	       (!impl->max_cap || cap <= impl->max_cap);
}

int weft_chan_impl_accepts(const struct weft_chan_impl *impl, size_t cap,
                           size_t elem_size, char *why, size_t why_bytes)
{
	size_t max;
	char range[64];

	if (!impl)
		return refuse(why, why_bytes, "no implementation given");
	if (!cap_is_good(impl, cap)) {
		cap_range(impl, range, sizeof(range));
		return refuse(why, why_bytes,
		              "channel %s cannot have capacity %zu (allowed: "
		              "%s)",
		              impl->name, cap, range);
	}
	max = impl->max_elem && impl->max_elem < WEFT_ELEM_MAX ? impl->max_elem
	                                                       : WEFT_ELEM_MAX;
	if (elem_size < impl->min_elem || elem_size > max)
		return refuse(why, why_bytes,
		              "channel %s cannot carry elements of %zu bytes "
		              "(allowed: %zu..%zu)",
		              impl->name, elem_size, impl->min_elem, max);
	return 0;
}
