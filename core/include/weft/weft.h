/*
 * weft: all of the library in one include, but for the components of the
 * patterns. Each of these has its own, <weft/patterns/fan.h> and so on.
 *
 *	cc prog.c $(pkg-config --cflags --static --libs weft)
 *
 * links with both archives, libweft_patterns.a and libweft.a below it. They
 * define nothing but weft_*; macros and constants are WEFT_*.
 */
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
