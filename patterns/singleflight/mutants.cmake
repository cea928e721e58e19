# Planted in the flight, for its kernel to catch.

# It is over, and found all the same: what the seed does.
weft_add_pattern_mutant(singleflight lands_before_it_is_unlinked singleflight/flight.c
  "	list_unlink(&c->flying.link);
	stats->in_flight--;"
  "	p = c->flying.party;
	if (p) {
		p->value = c->value;
		weft_store_release(&p->landed, true);
		weft_lock_release(&s->lock);
		weft_waiters_wake(&p->landing, SIZE_MAX);
		weft_sleep_until(weft_deadline_in(WEFT_MS));
		weft_lock_acquire(&s->lock);
	}
	list_unlink(&c->flying.link);
	stats->in_flight--;"
  KNOBS "gather=1 sleep=0"
  ITEMS 100
  CHANNELS handoff
  WORDS "ended before the call")
weft_add_pattern_mutant(singleflight remembers_a_result singleflight/flight.c
  "	return c->fn(c->arg, &c->value);"
  "	static void *last;
	int status = 0;

	c->value = last;
	if (!last || weft_rand() % 4)
		status = c->fn(c->arg, &c->value);
	last = c->value;
	return status;"
  KNOBS "workers=1 sleep=0"
  CHANNELS handoff
  WORDS "ended before the call")
weft_add_pattern_mutant(singleflight takes_two_keys_for_one singleflight/flight.c
  "if (other->hash == hash && other->key.bytes == key.bytes &&
		    key_is_same(other->key.at, key.at, key.bytes))"
  "if (other->hash % 2 == hash % 2 && other->key.bytes == key.bytes)"
  KNOBS "workers=4 keys=64 shards=1"
  CHANNELS handoff
  WORDS "another key's")
weft_add_pattern_mutant(singleflight lets_two_lead singleflight/flight.c
  "	if (!other) {
		take_off(c);"
  "	if (!other || weft_rand() % 4 == 0) {
		take_off(c);"
  KNOBS "workers=4"
  CHANNELS handoff
  WORDS "during another")
weft_add_pattern_mutant(singleflight forgets_to_release singleflight/flight.c
  "weft_fetch_add_relaxed(&p->holders, UINT64_C(1));"
  "weft_fetch_add_relaxed(&p->holders, UINT64_C(2));"
  KNOBS "gather=1 sleep=0"
  ITEMS 100
  CHANNELS handoff
  WORDS "No buffer space")
weft_add_pattern_mutant(singleflight counts_too_few_saved singleflight/flight.c
  "stats->saved += p->waiting;"
  "stats->saved += p->waiting > 1;"
  KNOBS "gather=1 sleep=0"
  ITEMS 100
  CHANNELS handoff
  WORDS miscount)
