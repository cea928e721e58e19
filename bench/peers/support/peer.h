/*
 * peer: what every adapter exports.
 *
 * An adapter is a channel as any plug-in is (docs/adding-a-channel.md) and says
 * with weft_peer whose library it is and what it adds.
 */
#ifndef BENCH_PEERS_PEER_H
#define BENCH_PEERS_PEER_H

#include <stdio.h>

#include <weft/chan_impl.h>

#include "cli/peers.h"

/* What several adapters add, in the words that are shown with the results. */
#define ADDED_CLOSE "close (a flag, a seat per thread)"
#define ADDED_SPINS "spins only: pauses, then yields"
#define ADDED_BOXES "boxes for elements over 8 bytes"
#define ADDED_NO_LEN "no length: it does not count"

WEFT_BEGIN_DECLS
WEFT_API extern const struct weft_chan_impl weft_chan_impl;
WEFT_API extern const struct weft_peer weft_peer;
WEFT_END_DECLS

#ifdef __cplusplus
/* C++17 has no designators: a declaration to be filled in member by member. */
static inline struct weft_chan_impl peer_blank()
{
	struct weft_chan_impl impl = {};

	impl.abi = WEFT_CHAN_ABI;
	impl.size = sizeof(impl);
	return impl;
}
#endif

#endif
