# Planted in the pool for its kernel to catch, one for each promise: every job is
# run, and once; a class has no more workers than its share.
weft_add_pattern_mutant(worker_pool forgets_a_job worker_pool/worker.c
  "weft_pool_finish(w, job->fn(job->arg, (unsigned)m->index));"
  "weft_pool_finish(w, weft_load_relaxed(&w->started) % 100 ? job->fn(job->arg, (unsigned)m->index) : 0);"
  KNOBS "workers=1"
  CHANNELS handoff ring
  WORDS lost)
weft_add_pattern_mutant(worker_pool runs_a_job_twice worker_pool/worker.c
  "struct weft_job *job = w->run.job;"
  "struct weft_job *job = w->run.job; if (weft_load_relaxed(&w->started) % 100 == 0) job->fn(job->arg, (unsigned)m->index);"
  KNOBS "variant=stealing workers=1"
  CHANNELS handoff ring
  WORDS twice)
weft_add_pattern_mutant(worker_pool ignores_shares worker_pool/worker.c
  "word / CLASS_RUNNING < limit)"
  "word / CLASS_RUNNING < limit + 1)"
  KNOBS "workers=1 beside=1 work=100000" ITEMS 100 TRIES 20
  CHANNELS handoff
  WORDS share)
weft_add_pattern_mutant(worker_pool steals_without_a_claim worker_pool/deque.c
  "return weft_cas_seq_cst(&d->top, &top, top + 1) ? 0 : -EBUSY;"
  "weft_yield(); weft_store_seq_cst(&d->top, top + 1); return 0;"
  KNOBS "variant=stealing workers=4 tree=64 work=5000" ITEMS 10000 TRIES 50
  CHANNELS ring
  WORDS error)
