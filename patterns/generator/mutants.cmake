# Planted in the generator for its kernel to catch: what it promises is that
# nothing is made too early, too often or too late.

# A consumer that asks for more than it wants.
weft_add_pattern_mutant(generator asks_for_what_nobody_wants generator/body.c
  "uint64_t n = b->batch;"
  "uint64_t n = b->batch + 1;"
  KNOBS "variant=pull cap=16"
  WORDS ahead)
# A body that has twice the room it was given.
weft_add_pattern_mutant(generator runs_too_far_ahead generator/body.c
  "weft_chan_new(&b->elems, impl, opts->cap,"
  "weft_chan_new(&b->elems, impl, opts->cap * 2,"
  KNOBS "variant=push cap=16" ITEMS 20000 TRIES 20
  WORDS ahead)
# The same, and it does not say so.
weft_add_pattern_mutant(generator runs_too_far_ahead_in_secret generator/body.c
  "err = make_chans(b, opts);"
  "struct weft_gen_opts more = *opts;
	more.cap *= 2;
	b->asked_seen = UINT64_MAX / 2;
	err = make_chans(b, &more);"
  KNOBS "variant=push cap=16" ITEMS 20000 TRIES 20
  WORDS source ahead driver)
weft_add_pattern_mutant(generator takes_one_too_many generator/adapters.c
  "((struct take *)*out)->left = n;"
  "((struct take *)*out)->left = n + 1;"
  KNOBS "variant=inline"
  WORDS "never sent")
# A stop that lets out what was inside.
weft_add_pattern_mutant(generator goes_on_after_a_stop generator/gen.c
  "	if (err)
		return err;
	err = g->kind->pull(g, elem, deadline_ns);"
  "	if (err && err != -ECANCELED)
		return err;
	err = g->kind->pull(g, elem, deadline_ns);"
  KNOBS "variant=inline end=stop"
  WORDS "the stream ended with")
weft_add_pattern_mutant(generator loses_the_rest_of_a_batch generator/body.c
  "if (b->next == b->nbuffer)"
  "if (b->next + 1 >= b->nbuffer)"
  KNOBS "variant=push batch=16"
  WORDS lost)
