# Planted in the pipeline for its kernel to catch.

# A batch goes on without its last item.
weft_add_pattern_mutant(pipeline loses_the_last_of_a_batch pipeline/worker.c
  "weft_chan_send_many(to, items, n, sent,"
  "weft_chan_send_many(to, items, n - 1, sent,"
  KNOBS "batch=16"
  WORDS lost)

# The first worker of a stage to end ends the stage, not the last: what the
# others hold is lost. The second stage is so slow that those of the first are
# waiting for room then.
weft_add_pattern_mutant(pipeline ends_with_the_first_worker common/crew.c
  "weft_fetch_sub_acq_rel(&c->working, (size_t)1) == 1 "
  "weft_fetch_sub_acq_rel(&c->working, (size_t)1) == c->n "
  KNOBS "workers=4 cap=1 work=1000 slow=500"
  ITEMS 20
  TRIES 20
  WORDS lost)

# A worker of an ordered stage does not wait for its turn. Now and then one is so
# late that it is overtaken.
weft_add_pattern_mutant(pipeline passes_on_out_of_turn pipeline/worker.c
  "weft_order_put(o, w->ticket, &w->made, w->nmade);"
  "(weft_relent(w->ticket % 100 == 50 ? 200 : 0), send(w, w->made, w->nmade, &w->sent), weft_order_put(o, w->ticket, &w->made, 0));"
  KNOBS "variant=ordered workers=4"
  TRIES 20
  WORDS out of order)

# More is let in than there are tokens for.
weft_add_pattern_mutant(pipeline has_no_limit pipeline/pipeline.c
  "weft_tokens_init(&p->tokens, opts->tokens,"
  "weft_tokens_init(&p->tokens, opts->tokens * 4,"
  KNOBS "tokens=8 stages=3 slow=100 work=200"
  WORDS inside allowed)

# The kernel's own stage counts wrong.
weft_add_pattern_mutant(pipeline adds_eleven pipeline/kernel.c
  "STAGE(add_ten, x + 10)"
  "STAGE(add_ten, x + 11)"
  WORDS corrupt)
