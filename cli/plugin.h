/*
 * plugin: a channel in a shared object, which only child processes load.
 *
 * What foreign code does as it is loaded, in threads of its own, or as it is
 * unloaded, it does to the process that it is in. So the command itself never
 * loads an object that it was given: a child says what the object declares, and
 * the command goes by that; each child that is to call the channel loads the
 * object first.
 */
#ifndef WEFT_CLI_PLUGIN_H
#define WEFT_CLI_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/chan_impl.h>

#include "cli/peers.h"

/* What an object declares, without pointers into it: it lies in memory that a
 * child shares with its parent. */
struct plugin_said {
	int err; /* 0, or of weft_chan_load(): then `why` says more */
	char why[512];
	char name[256], summary[512];
	struct weft_chan_impl impl; /* of its pointers only NULL is told */

	bool is_peer; /* exports weft_peer */
	char library[PEER_VERSION_BYTES], adapter[256];
};

/* In a child: load the object and fill *to. */
void plugin_ask(const char *path, struct plugin_said *to);

/*
 * In the parent: the channel of the object, by what was said of it. It can be
 * asked what it declares, and not be called. There is one at a time: the next
 * call of this, or plugin_forget(), ends what the last one returned.
 */
const struct weft_chan_impl *plugin_adopt(const char *path,
                                          const struct plugin_said *said);

void plugin_forget(void);

/* Whether `impl` is what plugin_adopt() returned. */
bool plugin_is(const struct weft_chan_impl *impl);

/*
 * In a child, before it calls any channel: load what was adopted, if anything
 * was, after which it can be called. Returns 0, or -errno with one line in
 * `why`.
 */
int plugin_load_here(char *why, size_t why_bytes);

/* In a child: what the object has to delay (core/perturb/) follows from the
 * seed from here on. */
void plugin_seed(uint64_t seed);

/* In a child: these decide (core/perturb/perturb.h), NULL for what is random.
 * False when the object was not built to be delayed, nor weft itself. */
struct perturb_hooks;
bool plugin_hook(const struct perturb_hooks *hooks);

/* As peer_print(), for an adopted channel too. */
void plugin_print_peer(FILE *to, const char *before,
                       const struct weft_chan_impl *impl);

#endif
