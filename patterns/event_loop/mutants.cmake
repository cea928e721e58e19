# Planted in the event loop, for its kernel to catch.

# A close discards what is queued instead of draining it.
weft_add_pattern_mutant(event_loop closes_too_soon event_loop/loop.c
  "int why = weft_ending_why(&l->end);"
  "int why = weft_load_relaxed(&l->closed) ? -EPIPE : weft_ending_why(&l->end);"
  KNOBS "work=20000 batch=1"
  ITEMS 200
  CHANNELS handoff ring list
  WORDS lost)
weft_add_pattern_mutant(event_loop takes_it_for_another event_loop/source.c
  "return i < l->slots && tag == tag_of(l, i) ? l->slot[i].source : NULL;"
  "return i < l->slots ? l->slot[(i + 1) % l->slots].source : NULL;"
  KNOBS "variant=queue"
  WORDS never sent)
weft_add_pattern_mutant(event_loop fires_early event_loop/timers.c
  "while (weft_loop_timers_next(l) <= l->now_ns)"
  "while (weft_loop_timers_next(l) <= l->now_ns + WEFT_MS)"
  KNOBS "timers=10"
  CHANNELS handoff ring
  WORDS early)
