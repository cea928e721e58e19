# Planted in the fan for its kernel to catch, one for each promise: everything
# comes out once, in order, to all, and the end comes after all of it.
weft_add_pattern_mutant(fan loses_a_result fan/worker.c
  "err = weft_chan_send(out, w->made, WEFT_FOREVER);"
  "err = weft_load_relaxed(&w->in) % 100 ? weft_chan_send(out, w->made, WEFT_FOREVER) : 0;"
  KNOBS "batch=1"
  WORDS lost)
weft_add_pattern_mutant(fan does_not_reorder fan/fan.c
  "if (o->merge == WEFT_FAN_UNORDERED)"
  "if (o->merge <= WEFT_FAN_ORDERED)"
  KNOBS "variant=ordered workers=4 work=20000 dist=exp" TRIES 20
  WORDS "out of order")
weft_add_pattern_mutant(fan leaves_one_out fan/relay.c
  "for (size_t i = 0; i < r->nto; i++) {"
  "for (size_t i = weft_load_relaxed(&r->moved[0].n) == 99; i < r->nto; i++) {"
  KNOBS "variant=broadcast workers=3"
  WORDS lost)
weft_add_pattern_mutant(fan ends_with_its_first_input fan/relay.c
  "if (status)"
  "close_all(r->to, r->nto); if (status)"
  KNOBS "variant=merge workers=3 cap=1 work=1000 dist=straggler" TRIES 20
  WORDS lost)
