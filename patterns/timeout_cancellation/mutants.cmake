# Planted in what the pattern stands on and in its component, for its kernel to catch.

weft_add_pattern_mutant(timeout_cancellation nobody_woken ../core/sync/ctx.c
  "		wake(ctx);" "		(void)wake;"
  KNOBS "variant=chain nodes=1 workers=3 patience=300 pause=20000000"
  ITEMS 3
  CHANNELS handoff ring
  WORDS left asleep)
weft_add_pattern_mutant(timeout_cancellation cause_forgotten ../core/sync/ctx.c
  "cause ? cause : -ECANCELED" "cause ? -ECANCELED : cause - ECANCELED"
  KNOBS "variant=cube nodes=40 workers=4"
  ITEMS 40
  CHANNELS handoff
  WORDS results were wrong)
weft_add_pattern_mutant(timeout_cancellation children_left_out ../core/sync/ctx.c
  "mark_children(ctx, end, now_ns, &last);" "if (!end) mark_children(ctx, end, now_ns, &last);"
  KNOBS "variant=wide nodes=10 workers=2 patience=300"
  ITEMS 2
  CHANNELS handoff
  WORDS left asleep)
weft_add_pattern_mutant(timeout_cancellation wheel_rounds_down ../core/base/timer_wheel.c
  "e->due_ns = due_ns > w->passed_ns ? due_ns : w->passed_ns;"
  "e->due_ns = (due_ns > w->passed_ns ? due_ns : w->passed_ns) & -4194304;"
  KNOBS "variant=wheel live=1000 workers=1"
  ITEMS 100
  TRIES 50
  CHANNELS handoff
  WORDS too early)
weft_add_pattern_mutant(timeout_cancellation late_reply_lost timeout_cancellation/timeout.c
  "return status != 0;" "return true;"
  KNOBS "variant=call limit=2000000 work=10000000 workers=1"
  ITEMS 4
  TRIES 20
  CHANNELS handoff
  WORDS neither delivered nor dropped)
