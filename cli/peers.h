/*
 * peers: channels of other libraries, each a shared object beside the command.
 *
 * They are measured and checked like the channels of weft's own, but only when
 * asked for by name. The folder peers/ beside the running command has one
 * NAME.so for each whose library was found, and in peers.list one line for each
 * that there could be: its name, a tab, and "ready" or what is missing.
 */
#ifndef WEFT_CLI_PEERS_H
#define WEFT_CLI_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <weft/chan.h>
#include <weft/export.h>

WEFT_BEGIN_DECLS

/* What a shared object may export as `weft_peer` beside its `weft_chan_impl`:
 * what cannot be seen in its declaration, and is shown with its results. */
struct weft_peer {
	const char *library; /* its name, as its authors write it */

	/* Write the version of the library that is in use; NULL for none. */
	void (*version)(char *to, size_t bytes);

	/* What the adapter adds to the library, in one line; "" for nothing. */
	const char *adapter;
};

#define PEER_NAME_BYTES 32
#define PEER_WHY_BYTES 512
#define PEER_VERSION_BYTES 128

/* One line of peers.list. */
struct peer_line {
	char name[PEER_NAME_BYTES];
	bool ready;
	char missing[PEER_WHY_BYTES]; /* "" when it is ready */
};

/* The i-th peer, in order of name. False past the last, and where the command
 * has no peers. */
bool peer_at(size_t i, struct peer_line *out);

/*
 * The channel of the peer of that name, loaded.
 *
 * why  receives one line that says what is wrong with it.
 *
 * Returns 0; -ENOENT when no peer has that name, with an empty line; -EINVAL
 * when it is missing or cannot be loaded.
 */
int peer_find(const char *name, const struct weft_chan_impl **out, char *why,
              size_t why_bytes);

/* What the shared object of a channel exports as `weft_peer`; NULL when it
 * exports none or the channel is built in. */
const struct weft_peer *peer_of(const struct weft_chan_impl *impl);

/* "GLib 2.74.6", shortened to fit. Returns `to`. */
const char *peer_version(const struct weft_peer *peer, char *to, size_t bytes);

/* Print "GLib 2.74.6; added: a close" and a newline, after `before`. Prints
 * nothing about a channel that is no peer. */
void peer_print(FILE *to, const char *before,
                const struct weft_chan_impl *impl);

WEFT_END_DECLS

#endif
