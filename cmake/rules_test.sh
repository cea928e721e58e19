#!/bin/sh
# The rules that keep other runtimes and sanitizers possible, as a grep:
# outside of core/task and core/base nothing blocks a thread, sleeps or reads a
# clock; nowhere is there a volatile, a fence or a bare C11 atomic, and nothing
# goes by the wall clock.
#
#   cmake/rules_test.sh ROOT [--self-test]
#
# Exceptions are by name: the channels whose point is to wait in the kernel, the
# kernel that measures POSIX semaphores, and the event loop's descriptors: it
# asks epoll with a timeout of 0, and waits in weft_wait_fd().
set -eu

root=${1:?usage: rules_test.sh ROOT [--self-test]}

blocking='(pthread_(mutex|cond|rwlock|barrier|spin|join|create|timedjoin)[a-z_]*|sem_(wait|timedwait|post|init)|(clock_)?nanosleep|usleep|sleep|s?poll|ppoll|p?select|epoll_[a-z_]+|clock_gettime|gettimeofday|timespec_get|clock_mono|sched_yield|syscall|futex)[[:space:]]*\('
atomics='(volatile|atomic_thread_fence|__sync_[a-z_]+|__atomic_[a-z_]+|atomic_(load|store|exchange|fetch|compare)[a-z_]*)'

# Steps of the wall clock must change nothing.
wall='(CLOCK_REALTIME[A-Z_]*|(gettimeofday|timespec_get|pthread_timedjoin_np|pthread_mutex_timedlock|sem_timedwait)[[:space:]]*\(|time\((NULL|0|&))'

# Comments are not code: this cuts /* ... */ on one line, and lines that start
# as the inside of a comment does.
hits() { # hits PATTERN FILE...
	pattern=$1
	shift
	for file; do
		sed -e 's|/\*[^*]*\*/||g' -e 's|^[[:space:]]*/\*.*||' \
			-e 's|^[[:space:]]*\* .*||' -e 's|^ \*/*$||' "$file" |
			grep -nE "(^|[^A-Za-z0-9_>.])$pattern" |
			sed "s|^|$file:|" || true
	done
}

sources() { # sources of the rooms, without tests
	find "$@" -name '*.[ch]' ! -name '*_test.c' | sort
}

check() { # check ROOT
	cd "$1"
	found=$(
		hits "$blocking" $(sources core/chan core/sync patterns \
			stress 2>/dev/null | grep -vE \
			'core/chan/(condvar|pipe|socketpair|chan_fd)\.[ch]$' |
			grep -vE '^patterns/semaphore/kernel\.c$' |
			grep -vE '^stress/(broken|conform|correct|faults|random|source/planted)/') |
			grep -vE '^patterns/event_loop/poller\.c:.*epoll_(create1\(|ctl\(|wait\(.*, 0\);)' ||
			true
		hits "$wall" $(sources core cli patterns testing stress bench \
			2>/dev/null | grep -vE '^stress/(faults/jump|conform/faulty)\.c$')
		# clang-format leaves this of a comment line that was too long.
		grep -nE '^ \*[A-Za-z(]' $(find core cli patterns testing stress \
			bench -name '*.[ch]' 2>/dev/null) || true
		hits "$atomics" $(sources core cli patterns testing stress bench \
			2>/dev/null | grep -vE '^core/(include/weft/(atomic|perturb)\.h$|perturb/)')
	)
	[ -z "$found" ] || { printf '%s\n' "$found"; return 1; }
}

# A check that cannot fail is no check.
self_test() {
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	mkdir -p "$tree/core/chan" "$tree/core/sync" "$tree/patterns/x" \
		"$tree/stress" "$tree/bench" "$tree/core/include/weft"
	printf '/* usleep(1) in a comment */\nint ok;\n' >"$tree/patterns/x/x.c"
	(check "$tree") || { echo "a clean tree is refused"; exit 1; }
	for line in 'usleep(5);' 'pthread_mutex_lock(&m);' 'clock_gettime(a, b);' \
		'clock_id = CLOCK_REALTIME;' 'volatile int x;' 'atomic_thread_fence(o);' 'poll(p, 1, 2);' \
		' *broken'; do
		printf '%s\n' "$line" >"$tree/patterns/x/bad.c"
		if (check "$tree") >/dev/null; then
			echo "not found: $line"
			exit 1
		fi
	done
	rm "$tree/patterns/x/bad.c"
	mkdir "$tree/patterns/event_loop"
	printf '%s\n' 'n = epoll_wait(fd, e, 1, 0);' \
		>"$tree/patterns/event_loop/poller.c"
	(check "$tree") || { echo "what does not wait is refused"; exit 1; }
	printf '%s\n' 'n = epoll_wait(fd, e, 1, -1);' \
		>"$tree/patterns/event_loop/poller.c"
	if (check "$tree") >/dev/null; then
		echo "not found: epoll that waits"
		exit 1
	fi
}

if [ "${2:-}" = --self-test ]; then
	self_test
else
	check "$root" || {
		echo "core and patterns wait and tell time through weft/task.h," \
			"and share memory through weft/atomic.h"
		exit 1
	}
fi
