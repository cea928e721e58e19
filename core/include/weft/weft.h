/* Everything public in one include. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/chan.h>
#include <weft/chan_impl.h>
#include <weft/ctx.h>
#include <weft/group.h>
#include <weft/select.h>
#include <weft/sync.h>
#include <weft/task.h>
#include <weft/time.h>
#include <weft/timer.h>

#endif
