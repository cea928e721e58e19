#include "cli/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "perturb/perturb.h"

/* The one that was adopted. Until a child has loaded it, the pointers in impl
 * are of no use but to be compared with NULL. */
static struct {
	const char *path; /* NULL when there is none */
	struct plugin_said said;
	struct weft_chan_impl impl;
	weft_perturb_begin_fn *perturb; /* in a child; NULL without */
	weft_perturb_set_fn *hook;      /* the same */
} adopted;

/* Fill a text from one that foreign code has made. */
static void take_text(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from ? from : "");
}

static void ask_peer(const struct weft_chan_impl *impl, struct plugin_said *to)
{
	const struct weft_peer *peer = peer_of(impl);

	to->is_peer = peer;
	if (!peer)
		return;
	peer_version(peer, to->library, sizeof(to->library));
	take_text(to->adapter, sizeof(to->adapter), peer->adapter);
}

void plugin_ask(const char *path, struct plugin_said *to)
{
	const struct weft_chan_impl *impl;

	to->err = weft_chan_load(path, &impl, to->why, sizeof(to->why));
	if (to->err)
		return;
	to->impl = *impl;
	take_text(to->name, sizeof(to->name), impl->name);
	take_text(to->summary, sizeof(to->summary), impl->summary);
	ask_peer(impl, to);
}

const struct weft_chan_impl *plugin_adopt(const char *path,
                                          const struct plugin_said *said)
{
	adopted.path = path;
	adopted.said = *said;
	adopted.impl = said->impl;
	adopted.impl.name = adopted.said.name;
	adopted.impl.summary = adopted.said.summary;
	return &adopted.impl;
}

void plugin_forget(void)
{
	adopted.path = NULL;
}

bool plugin_is(const struct weft_chan_impl *impl)
{
	return adopted.path && impl == &adopted.impl;
}

/* What the object exports under that name; or NULL. It is loaded for good. */
static void *symbol(const struct weft_chan_impl *impl, const char *name)
{
	void *object, *found;
	Dl_info info;

	if (!dladdr(impl, &info) || !info.dli_fname)
		return NULL;
	object = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
	if (!object)
		return NULL;
	found = dlsym(object, name);
	dlclose(object);
	return found;
}

/* Whether it declares what it did when it was asked. */
static bool declares_the_same(const struct weft_chan_impl *impl)
{
	const struct weft_chan_impl *was = &adopted.said.impl;

	return impl->can == was->can && impl->max_senders == was->max_senders &&
	       impl->max_receivers == was->max_receivers &&
	       impl->max_cap == was->max_cap &&
	       impl->min_elem == was->min_elem &&
	       impl->max_elem == was->max_elem &&
	       strncmp(impl->name, adopted.said.name,
	               sizeof(adopted.said.name) - 1) == 0;
}

int plugin_load_here(char *why, size_t why_bytes)
{
	const struct weft_chan_impl *impl;
	int err;

	if (!adopted.path)
		return 0;
	err = weft_chan_load(adopted.path, &impl, why, why_bytes);
	if (err)
		return err;
	if (!declares_the_same(impl)) {
		snprintf(why, why_bytes,
		         "it declares something else than in another process");
		return -EINVAL;
	}
	adopted.impl = *impl;
	adopted.perturb = (weft_perturb_begin_fn *)(uintptr_t)symbol(
	        impl, "weft_perturb_begin");
	adopted.hook = (weft_perturb_set_fn *)(uintptr_t)symbol(
	        impl, "weft_perturb_set");
	return 0;
}

/* There in a build with WEFT_PERTURB alone. */
#pragma weak weft_perturb_begin
#pragma weak weft_perturb_set

void plugin_seed(uint64_t seed)
{
	if (weft_perturb_begin)
		weft_perturb_begin(seed);
	if (adopted.path && adopted.perturb)
		adopted.perturb(seed);
}

bool plugin_hook(const struct perturb_hooks *hooks)
{
	bool its_own = adopted.path && adopted.hook;

	if (weft_perturb_set)
		weft_perturb_set(hooks);
	if (its_own)
		adopted.hook(hooks);
	return weft_perturb_set || its_own;
}

void plugin_print_peer(FILE *to, const char *before,
                       const struct weft_chan_impl *impl)
{
	const struct plugin_said *said = &adopted.said;

	if (!plugin_is(impl))
		peer_print(to, before, impl);
	else if (said->is_peer)
		fprintf(to, "%s%s%s%s\n", before, said->library,
		        *said->adapter ? "; added: " : "", said->adapter);
}
