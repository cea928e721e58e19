# Planted in the monitor, for its kernel to catch.

weft_add_pattern_mutant(heartbeat buries_too_early heartbeat/monitor.c
  "silent_ns >= h->m->opts.timeout_ns"
  "silent_ns >= h->m->opts.timeout_ns / 3"
  KNOBS "interval=1000 lives=16"
  CHANNELS handoff
  WORDS "reported too early")
weft_add_pattern_mutant(heartbeat buries_twice heartbeat/monitor.c
  "	h->state = WEFT_HEART_DEAD;"
  "	h->state = WEFT_HEART_ALIVE;"
  KNOBS "lives=16"
  CHANNELS handoff
  WORDS "that had been reported")
weft_add_pattern_mutant(heartbeat does_not_notice heartbeat/monitor.c
  "h->state == WEFT_HEART_UNKNOWN || h->state == WEFT_HEART_DEAD)"
  "h->state != WEFT_HEART_SUSPECT)"
  KNOBS "beaters=1"
  CHANNELS handoff
  WORDS "never reported")
weft_add_pattern_mutant(heartbeat remembers_the_gone heartbeat/monitor.c
  "	if (!h)
		return;
	m = h->m;"
  "	if (h)
		return;
	m = h->m;"
  CHANNELS handoff
  WORDS "after they had left")
weft_add_pattern_mutant(heartbeat drops_a_pulse heartbeat/monitor.c
  "		h->received++;"
  "		h->received += beats % 7 != 0;"
  KNOBS "variant=channel cap=512 beaters=1"
  WORDS "did not come")
