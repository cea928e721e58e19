#include "base/instrumented.h"

#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif

#ifdef WITH_TSAN
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

/* Of a shared object, as far as it lists what it needs from others. */
struct symbols {
	const ElfW(Sym) * first;
	const char *names;
	size_t n;
};

static struct symbols symbols_of(const struct link_map *object)
{
	struct symbols s = { 0 };

	for (const ElfW(Dyn) *d = object->l_ld; d->d_tag != DT_NULL; d++) {
		const void *at = (const void *)d->d_un.d_ptr;

		if (d->d_tag == DT_SYMTAB)
			s.first = at;
		else if (d->d_tag == DT_STRTAB)
			s.names = at;
		else if (d->d_tag == DT_HASH || d->d_tag == DT_GNU_HASH)
			/* How many there are; or, in a table of GNU's kind,
			 * how many before those that the object has itself:
			 * what it needs stands there. */
			s.n = ((const uint32_t *)at)[1];
	}
	return s;
}

bool weft_is_instrumented(const void *inside)
{
	static const char prefix[] = "__tsan_";
	struct link_map *object;
	struct symbols s;
	Dl_info info;

	if (!dladdr1(inside, &info, (void **)&object, RTLD_DL_LINKMAP))
		return true; /* nobody knows */
	s = symbols_of(object);
	if (!s.first || !s.names)
		return true;
	for (size_t i = 0; i < s.n; i++)
		if (strncmp(s.names + s.first[i].st_name, prefix,
		            sizeof(prefix) - 1) == 0)
			return true;
	return false;
}
#else
bool weft_is_instrumented(const void *inside)
{
	(void)inside;
	return true;
}
#endif
