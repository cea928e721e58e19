#include "cli/peers.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft/chan_impl.h>

#define PATH_BYTES 4096
#define FOLDER "peers/"
#define SUFFIX ".so"

/* The path of a file in peers/ beside the running command. False when it is
 * too long or unknown. */
static bool path_of(const char *name, const char *suffix, char path[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_BYTES - 1);
	size_t folder;
	char *slash;
	int added;

	if (n <= 0)
		return false;
	path[n] = '\0';
	slash = strrchr(path, '/');
	folder = slash ? (size_t)(slash + 1 - path) : 0;
	added = snprintf(path + folder, PATH_BYTES - folder, FOLDER "%s%s",
	                 name, suffix);
	return added > 0 && (size_t)added < PATH_BYTES - folder;
}

/* Take a line of the list apart. */
static bool take_line(char *line, struct peer_line *out)
{
	char *tab = strchr(line, '\t');

	if (!tab || tab == line)
		return false;
	*tab++ = '\0';
	tab[strcspn(tab, "\n")] = '\0';
	out->ready = strcmp(tab, "ready") == 0;
	snprintf(out->name, sizeof(out->name), "%.*s", PEER_NAME_BYTES - 1,
	         line);
	snprintf(out->missing, sizeof(out->missing), "%.*s", PEER_WHY_BYTES - 1,
	         out->ready ? "" : tab);
	return true;
}

bool peer_at(size_t i, struct peer_line *out)
{
	char path[PATH_BYTES], line[PEER_NAME_BYTES + PEER_WHY_BYTES];
	bool found = false;
	size_t n = 0;
	FILE *f;

	if (!path_of("peers", ".list", path))
		return false;
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = take_line(line, out) && n++ == i;
	fclose(f);
	return found;
}

static int load(const char *name, const struct weft_chan_impl **out, char *why,
                size_t why_bytes)
{
	char path[PATH_BYTES];

	if (!path_of(name, SUFFIX, path)) {
		snprintf(why, why_bytes, "its path is too long");
		return -EINVAL;
	}
	if (weft_chan_load(path, out, why, why_bytes))
		return -EINVAL;
	if (strcmp((*out)->name, name) == 0)
		return 0;
	snprintf(why, why_bytes, "%s" SUFFIX " calls itself %s", name,
	         (*out)->name);
	return -EINVAL;
}

int peer_find(const char *name, const struct weft_chan_impl **out, char *why,
              size_t why_bytes)
{
	struct peer_line peer;

	for (size_t i = 0; peer_at(i, &peer); i++) {
		if (strcmp(peer.name, name) != 0)
			continue;
		if (peer.ready)
			return load(name, out, why, why_bytes);
		snprintf(why, why_bytes, "not built: %s", peer.missing);
		return -EINVAL;
	}
	snprintf(why, why_bytes, "%s", "");
	return -ENOENT;
}

const struct weft_peer *peer_of(const struct weft_chan_impl *impl)
{
	const struct weft_peer *peer;
	void *object;
	Dl_info info;

	if (weft_chan_impl_find(impl->name) == impl || !dladdr(impl, &info) ||
	    !info.dli_fname)
		return NULL;
	/* Loaded already, for good: this only finds it again. */
	object = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
	if (!object)
		return NULL;
	peer = dlsym(object, "weft_peer");
	dlclose(object);
	return peer;
}

const char *peer_version(const struct weft_peer *peer, char *to, size_t bytes)
{
	char version[64] = "";

	if (peer->version)
		peer->version(version, sizeof(version));
	snprintf(to, bytes, "%s%s%s", peer->library, *version ? " " : "",
	         version);
	return to;
}

void peer_print(FILE *to, const char *before, const struct weft_chan_impl *impl)
{
	const struct weft_peer *peer = peer_of(impl);
	char version[PEER_VERSION_BYTES];

	if (peer)
		fprintf(to, "%s%s%s%s\n", before,
		        peer_version(peer, version, sizeof(version)),
		        *peer->adapter ? "; added: " : "", peer->adapter);
}
