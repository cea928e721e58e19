# Planted in select for its kernel to catch. With equal parts for all writers, so
# that every input matters.

# A call that takes the wrong input for closed looks at one that has ended, and
# no longer at one that has not.
weft_add_pattern_mutant(select drops_another_input select/mux.c
  "s->cases[i].c = NULL;"
  "s->cases[0].c = NULL;"
  KNOBS "variant=mixed"
  TRIES 20
  WORDS lost)
weft_add_pattern_mutant(select names_the_wrong_port select/mux.c
  "*call->which = e->port->id;"
  "*call->which = 0;"
  KNOBS "variant=mixed"
  WORDS never sent)
weft_add_pattern_mutant(select counts_to_one select/mux.c
  "count_add(&e->moved, 1);"
  "weft_store_relaxed(&e->moved, 1);"
  KNOBS "variant=both"
  WORDS counted)
