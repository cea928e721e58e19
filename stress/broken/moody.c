/*
 * moody: each process that makes it finds it in another mood, the next of
 * those in the file that WEFT_MOODS names: a letter each, which is taken out.
 * When there are none, it is sound.
 */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <unistd.h>

#include "base.h"

enum mood {
	GOOD = 'g',
	LOSES = 'l',   /* what is sent first */
	CRASHES = 'c', /* when it is sent to */
	HANGS = 'h',   /* has room for nothing, and sets the locale */
	CANNOT = 'n',  /* be made: there is no memory */
};

static enum mood mood;

static enum mood next_mood(void)
{
	const char *path = getenv("WEFT_MOODS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	char moods[64];
	ssize_t n = fd >= 0 ? read(fd, moods, sizeof(moods)) : 0;

	if (n > 0 && (pwrite(fd, moods + 1, (size_t)n - 1, 0) != n - 1 ||
	              ftruncate(fd, n - 1)))
		abort();
	if (fd >= 0)
		close(fd);
	return n > 0 ? (enum mood)moods[0] : GOOD;
}

static int push(struct ring *r, const void *elem)
{
	return mood == LOSES && r->sent == 1 ? 0 : ring_push(r, elem);
}

static int moody_create(void **state, const struct weft_chan_config *config)
{
	if (!mood)
		mood = next_mood();
	if (mood == HANGS)
		setlocale(LC_ALL, "");
	return mood == CANNOT ? -ENOMEM : ring_create(state, config);
}

static int moody_try_send(void *state, const void *elem)
{
	if (mood == CRASHES)
		raise(SIGKILL);
	return mood == HANGS ? -EAGAIN : ring_send_by(state, elem, push);
}

PLUG_IN("moody", "for tests: each process finds it in another mood",
        RING_CAN & ~WEFT_CAN_SELECT,
        RING_OPS_BUT(moody_create, moody_try_send, ring_try_recv));
