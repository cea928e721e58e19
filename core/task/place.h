/* place: tasks on CPUs that are chosen for them. */
#ifndef WEFT_TASK_PLACE_H
#define WEFT_TASK_PLACE_H

/*
 * From now on each task that is spawned in the run of the caller is kept to one
 * of these CPUs, which are taken in turn, by whatever task it is spawned; a
 * task of a service may use all of them. Waits go by their number meanwhile:
 * on a single one no task spins. That is known to the whole process: two runs
 * at a time must not both ask for it.
 *
 * n = 0 ends it, and so does the end of the run.
 *
 * Returns 0; -EINVAL outside of a run; -ENOMEM. A CPU that is not there shows
 * when a task is spawned: -EAGAIN.
 */
int weft_run_spread(const unsigned *cpu, unsigned n);

#endif
