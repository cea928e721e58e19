#include "kernel/kernel.h"

#include "kernel/cell.h"

const char *const kernel_waits[] = { "adaptive", "spin", "park", NULL };
const char *const kernel_no_choices[] = { NULL };

int kernel_buffers(struct cell *cell, unsigned n, size_t batch)
{
	cell->message = calloc(n, sizeof(*cell->message));
	if (!cell->message)
		return -ENOMEM;
	cell->messages = n;
	for (unsigned i = 0; i < n; i++) {
		cell->message[i] = cacheline_new(batch, cell->payload);
		if (!cell->message[i])
			return -ENOMEM;
	}
	return 0;
}

int kernel_probe(const struct cell *cell, size_t *cap)
{
	return cell_probe(&cell->params, cell->chan, cap, NULL, 0);
}

void kernel_error(struct cell *cell, int err)
{
	int none = 0;

	if (err)
		weft_cas_acq_rel(&cell->error, &none, err);
}

void kernel_fail(struct cell *cell, int err)
{
	if (!err)
		return;
	kernel_error(cell, err);
	cell->pattern->halt(cell);
}

void kernel_end(struct cell *cell, int err)
{
	if (err == -EPIPE)
		weft_store_relaxed(&cell->ended, true);
	else
		kernel_fail(cell, err);
}

void kernel_record_latency(struct cell *cell, unsigned consumer, uint64_t item,
                           int64_t now)
{
	struct gap *gap = &cell->gap[consumer];
	int64_t waited = now - (gap->last ? gap->last : cell->t0);

	gap->longest = waited > gap->longest ? waited : gap->longest;
	gap->last = now;
	if (item < cell->items)
		hist_record(&cell->latency[consumer],
		            now - pace_due(cell, item));
}
