/* The demo: one publisher, five messages, three subscribers. */
#include <errno.h>
#include <stdio.h>

#include "bus.h"
#include "kernel/pattern.h"

#define SUBSCRIBERS 3
#define MESSAGES 5
#define TOPIC 1
#define CAP 2
#define PAUSE_MS 500

struct subscriber {
	FILE *out;
	int id;
	struct weft_sub *sub;
	struct weft_task *task;
};

static int subscribe(void *arg)
{
	const struct subscriber *s = arg;
	int message, err;

	while (!(err = weft_sub_recv(s->sub, &message, NULL, WEFT_FOREVER)))
		fprintf(s->out, "Subscriber %d received: Message %d\n", s->id,
		        message);
	return err == -EPIPE ? 0 : err;
}

static int start(struct subscriber *s, struct weft_bus *bus)
{
	const struct weft_task_opts opts = { .name = "subscriber" };
	int err = weft_sub_new(&s->sub, bus, NULL);

	if (!err)
		err = weft_sub_join(s->sub, TOPIC);
	return err ? err : weft_spawn(&s->task, &opts, subscribe, s);
}

static int publish_all(FILE *out, struct weft_bus *bus)
{
	int got = 0;

	for (int i = 1; i <= MESSAGES && got >= 0; i++) {
		fprintf(out, "Publisher sending: Message %d\n", i);
		got = weft_bus_publish(bus, TOPIC, &i, WEFT_FOREVER);
		weft_sleep_until(weft_deadline_in(PAUSE_MS * WEFT_MS));
	}
	return got < 0 ? got : weft_bus_close(bus);
}

static int run(FILE *out, struct weft_bus *bus)
{
	struct subscriber subs[SUBSCRIBERS];
	int started = 0, err = 0, status;

	for (; started < SUBSCRIBERS && !err; started += !err) {
		subs[started] =
		        (struct subscriber){ .out = out, .id = started + 1 };
		err = start(&subs[started], bus);
	}
	if (!err)
		err = publish_all(out, bus);
	if (err)
		weft_bus_stop(bus);
	for (int i = 0; i < started; i++) {
		weft_join(subs[i].task, &status);
		err = err ? err : status;
	}
	return err;
}

int pub_sub_demo(FILE *out)
{
	const struct weft_bus_opts opts = { .cap = CAP,
		                            .elem_size = sizeof(int) };
	struct weft_bus *bus;
	int err = weft_bus_new(&bus, &opts);

	if (err)
		return err;
	err = run(out, bus);
	if (!err)
		fprintf(out, "Pub/Sub example completed!\n");
	weft_bus_free(bus);
	return err;
}
