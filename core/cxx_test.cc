/*
 * The public headers at work in a C++ program: tasks, channels, select,
 * contexts, groups, timers, and a channel that is written in C++.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <vector>

#include <weft/atomic.h>
#include <weft/weft.h>

#define CHECK(x)                                                               \
	((x) ? (void)0                                                         \
	     : (std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x),   \
	        std::abort()))

namespace
{

constexpr uint64_t kItems = 1000;

/* --- a channel of our own --- */

class Box
{
      public:
	explicit Box(const weft_chan_config &config)
	    : cap_(config.cap), size_(config.elem_size)
	{
	}

	int TrySend(const void *elem)
	{
		std::lock_guard<std::mutex> hold(lock_);

		if (closed_)
			return -EPIPE;
		if (items_.size() == cap_)
			return -EAGAIN;
		const auto *from = static_cast<const unsigned char *>(elem);
		items_.emplace_back(from, from + size_);
		return 0;
	}

	int TryRecv(void *elem)
	{
		std::lock_guard<std::mutex> hold(lock_);

		if (items_.empty())
			return closed_ ? -EPIPE : -EAGAIN;
		std::memcpy(elem, items_.front().data(), size_);
		items_.pop_front();
		return 0;
	}

	int Close()
	{
		std::lock_guard<std::mutex> hold(lock_);
		bool was = closed_;

		closed_ = true;
		return was ? -EPIPE : 0;
	}

	std::size_t Len() const
	{
		std::lock_guard<std::mutex> hold(lock_);

		return items_.size();
	}

      private:
	mutable std::mutex lock_;
	std::deque<std::vector<unsigned char>> items_;
	std::size_t cap_, size_;
	bool closed_ = false;
};

int box_create(void **state, const weft_chan_config *config)
{
	*state = new (std::nothrow) Box(*config);
	return *state ? 0 : -ENOMEM;
}

void box_destroy(void *state)
{
	delete static_cast<Box *>(state);
}

int box_try_send(void *state, const void *elem)
{
	return static_cast<Box *>(state)->TrySend(elem);
}

int box_try_recv(void *state, void *elem)
{
	return static_cast<Box *>(state)->TryRecv(elem);
}

int box_close(void *state)
{
	return static_cast<Box *>(state)->Close();
}

std::size_t box_len(const void *state)
{
	return static_cast<const Box *>(state)->Len();
}

const struct weft_chan_impl box = {
	WEFT_CHAN_ABI_HEADER,
	"box",
	"a deque behind a mutex, in C++",
	WEFT_CAN_BOUNDED | WEFT_CAN_FIFO | WEFT_CAN_PRODUCER_FIFO |
	        WEFT_CAN_TIMEOUT | WEFT_CAN_LEN,
	0, /* senders */
	0, /* receivers */
	0, /* capacity */
	1, /* bytes */
	0,
	box_create,
	box_destroy,
	box_try_send,
	box_try_recv,
	box_close,
	box_len,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	nullptr,
	{},
};

/* --- tasks and channels --- */

int produce(void *arg)
{
	auto *c = static_cast<weft_chan *>(arg);

	for (uint64_t i = 1; i <= kItems; i++)
		CHECK(weft_chan_send(c, &i, WEFT_FOREVER) == 0);
	return weft_chan_close(c);
}

void everything_arrives_in_order_over(const weft_chan_impl *impl)
{
	weft_chan *c = nullptr;
	weft_task *task = nullptr;
	uint64_t got = 0, expected = 0;
	int status = -1;

	CHECK(weft_chan_new(&c, impl, 4, sizeof(got), nullptr) == 0);
	CHECK(weft_spawn(&task, nullptr, produce, c) == 0);
	while (weft_chan_recv(c, &got, WEFT_FOREVER) == 0)
		CHECK(got == ++expected);
	CHECK(expected == kItems);
	CHECK(weft_join(task, &status) == 0 && status == 0);
	weft_chan_unref(c);
}

void a_select_uses_what_is_ready()
{
	const weft_chan_impl *impl = weft_chan_impl_find("ring");
	weft_chan *full = nullptr, *empty = nullptr;
	uint64_t sent = 7, got = 0;

	CHECK(weft_chan_new(&full, impl, 1, sizeof(sent), nullptr) == 0);
	CHECK(weft_chan_new(&empty, impl, 1, sizeof(sent), nullptr) == 0);
	CHECK(weft_chan_try_send(full, &sent) == 0);

	weft_case cases[] = { weft_case_send(full, &sent),
		              weft_case_recv(empty, &got),
		              weft_case_recv(full, &got) };
	CHECK(weft_select(cases, 3, WEFT_FOREVER) == 2);
	CHECK(cases[2].err == 0 && got == sent);
	weft_chan_unref(empty);
	weft_chan_unref(full);
}

void an_error_ends_the_group()
{
	weft_group *g = nullptr;

	CHECK(weft_group_new(&g, weft_ctx_background(), 0) == 0);
	for (int i = 0; i < 2; i++) {
		auto fn = i ? +[](void *) { return -EIO; } : +[](void *arg) {
			auto *ctx = static_cast<weft_ctx *>(arg);

			return weft_sleep_ctx(ctx, WEFT_FOREVER);
		};
		CHECK(weft_group_go(g, fn, weft_group_ctx(g), WEFT_FOREVER) ==
		      0);
	}
	CHECK(weft_group_wait(g, WEFT_FOREVER) == -EIO);
	CHECK(weft_ctx_cause(weft_group_ctx(g)) == -EIO);
	weft_group_free(g);
}

void a_timer_comes()
{
	weft_chan *c = nullptr;
	int64_t at = 0;

	CHECK(weft_after(&c, weft_deadline_in(WEFT_MS)) == 0);
	CHECK(weft_chan_recv(c, &at, WEFT_FOREVER) == 0);
	CHECK(at > 0);
	weft_chan_unref(c);
}

/* --- what lives in the caller's memory, and what both share --- */

struct counter {
	weft_lock lock;
	weft_waitgroup done;
	uint64_t plain;
	WEFT_ATOMIC(uint64_t) atomic;
};

int count(void *arg)
{
	auto *c = static_cast<counter *>(arg);

	for (uint64_t i = 0; i < kItems; i++) {
		weft_lock_acquire(&c->lock);
		c->plain++;
		weft_lock_release(&c->lock);
		weft_fetch_add_relaxed(&c->atomic, 1u);
	}
	return weft_waitgroup_done(&c->done);
}

void a_lock_and_an_atomic_count()
{
	counter c;
	uint64_t expected = 2 * kItems;

	static_assert(alignof(weft_lock) == WEFT_CACHE_LINE &&
	                      sizeof(c.atomic) == sizeof(uint64_t) &&
	                      alignof(WEFT_ATOMIC(uint64_t)) ==
	                              alignof(uint64_t),
	              "the layout is that of C");
	weft_lock_init(&c.lock);
	weft_waitgroup_init(&c.done);
	c.plain = 0;
	weft_store_relaxed(&c.atomic, 0);
	CHECK(weft_waitgroup_add(&c.done, 2) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(weft_spawn(nullptr, nullptr, count, &c) == 0);
	CHECK(weft_waitgroup_wait(&c.done, WEFT_FOREVER) == 0);
	CHECK(c.plain == 2 * kItems);
	CHECK(weft_cas_acq_rel(&c.atomic, &expected, uint64_t{ 1 }));
	CHECK(weft_load_acquire(&c.atomic) == 1);
}

int all(void *)
{
	for (std::size_t i = 0; const auto *impl = weft_chan_impl_at(i); i++)
		if (!(impl->can & WEFT_NO_DATA))
			everything_arrives_in_order_over(impl);
	everything_arrives_in_order_over(&box);
	a_select_uses_what_is_ready();
	an_error_ends_the_group();
	a_timer_comes();
	a_lock_and_an_atomic_count();
	return 0;
}

} // namespace

int main()
{
	return weft_run(WEFT_THREADS, nullptr, all, nullptr);
}
