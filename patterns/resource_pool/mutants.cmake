# Planted in the resource pool for its kernel to catch, one for each promise: one
# holder at a time, no more than max, in the order in which they came, destroyed
# once, figures that add up.
weft_add_pattern_mutant(resource_pool gives_one_to_two resource_pool/respool.c
  "{ .res = place->res,"
  "{ .res = p->places[0].state == HELD ? p->places[0].res : place->res,"
  KNOBS "workers=8 max=4 work=100000"
  TRIES 20
  CHANNELS handoff
  WORDS two holders)
weft_add_pattern_mutant(resource_pool frees_a_place_too_early resource_pool/respool.c
  "	call(p, place, DESTROY);
	settle(p, place, &p->stats.destroyed, FREE);"
  "	struct place copy = *place;
	settle(p, place, &p->stats.destroyed, FREE);
	weft_relent(200);
	call(p, &copy, DESTROY);"
  KNOBS "workers=8 max=1 broken=500"
  TRIES 20
  CHANNELS handoff
  WORDS beyond)
weft_add_pattern_mutant(resource_pool serves_the_last_first resource_pool/respool.c
  "		list_push(&p->line, &w.line.link);"
  "		list_push_front(&p->line, &w.line.link);"
  CHANNELS handoff
  WORDS overtaken)
weft_add_pattern_mutant(resource_pool forgets_to_destroy resource_pool/respool.c
  "		o->destroy(place->res, o->arg);"
  "		if (place->id % 4)
			o->destroy(place->res, o->arg);"
  KNOBS "workers=1 max=8 broken=50"
  CHANNELS handoff
  WORDS not destroyed)
weft_add_pattern_mutant(resource_pool does_not_count_a_place resource_pool/respool.c
  "	++*figure;
	if (to == FREE)"
  "	*figure += figure != &p->stats.destroyed;
	if (to == FREE)"
  KNOBS "broken=500"
  CHANNELS handoff
  WORDS add up)
