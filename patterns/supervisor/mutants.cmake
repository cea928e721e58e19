# Planted in the supervisor for its kernel to catch, one for each promise: what has
# ended in order stays so, those are started again whom the strategy names, in
# order, when they are due, and not too often.
weft_add_pattern_mutant(supervisor success_is_a_failure supervisor/manager.c
  "ended_itself(s, c, !by_return || status != 0, 0, now);"
  "ended_itself(s, c, true, 0, now);"
  ITEMS 20
  CHANNELS handoff
  WORDS order)
weft_add_pattern_mutant(supervisor restarts_too_many supervisor/manager.c
  "if (s->opts.strategy == WEFT_ONE_FOR_ALL)"
  "if (true)"
  KNOBS "workers=3 strategy=rest_for_one" ITEMS 20
  CHANNELS handoff
  WORDS lives)
weft_add_pattern_mutant(supervisor stops_all_at_once supervisor/manager.c
  "if (c->info.state == WEFT_CHILD_STOPPING)"
  "if (false)"
  KNOBS "workers=8 strategy=one_for_all" ITEMS 100 TRIES 20
  CHANNELS handoff
  WORDS order)
weft_add_pattern_mutant(supervisor does_not_back_off supervisor/manager.c
  "await_start(s, c, c->due_ns);"
  "await_start(s, c, now);"
  KNOBS "backoff=2000" ITEMS 6
  CHANNELS handoff
  WORDS before)
weft_add_pattern_mutant(supervisor one_restart_too_many supervisor/manager.c
  "if (score <= s->opts.intensity || s->paused)"
  "if (score <= s->opts.intensity + 1 || s->paused)"
  KNOBS "intensity=3" ITEMS 20
  CHANNELS handoff
  WORDS pauses)

# No bug: a service that gets no CPU for long when it begins is rightly taken for
# hung, and the kernel must not hold that against the supervisor.
weft_add_pattern_mutant(supervisor is_late_but_right supervisor/kernel.c
  "	v->lives++;
	err = is_extra(v)"
  "	v->lives++;
	if (v->died == v->share && !v->through)
		weft_sleep_until(weft_deadline_in(200 * WEFT_MS));
	err = is_extra(v)"
  KNOBS "variant=hung workers=2" ITEMS 8 CHANNELS handoff
  WORDS nothing)
if(NOT WEFT_SANITIZE)
  set_tests_properties(patterns.supervisor.mutant.is_late_but_right PROPERTIES
    PASS_REGULAR_EXPRESSION "handoff: was not caught")
endif()
