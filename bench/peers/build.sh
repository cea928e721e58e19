#!/bin/sh
# Builds the peers of other languages into build/peers/: peer_go and peer_rust.
#
#   bench/peers/build.sh [--test] [FOLDER]     default build/peers
#
# Neither language is a requirement: what is not here is said in one line, and
# what cannot be built (no network for its libraries, say) in one line and a log.
# --test runs the tests of both instead, and fails when one of them does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# An older Go would fetch a newer one by itself.
export GOTOOLCHAIN=local
task=build
if [ "${1:-}" = --test ]; then
	task=test
	shift
fi
case $#${1:-} in
0 | 1[!-]*) ;;
*)
	echo "build.sh: '$*': allowed [--test] [FOLDER]" >&2
	exit 2
	;;
esac
out=${1:-$here/../../build/peers}
mkdir -p "$out"
out=$(cd "$out" && pwd)
status=0

say() { printf 'peers: %s\n' "$*"; }

build_go() {
	cd "$here/go" && go build -trimpath -o "$out/peer_go" .
}

test_go() {
	cd "$here/go" && go vet . && go test .
}

# Cargo leaves a lock file beside its manifest; this is a copy.
copy_rust() {
	mkdir -p "$out/rust" && rm -rf "$out/rust/src" &&
		cp -pR "$here/rust/." "$out/rust/" && cd "$out/rust"
}

build_rust() {
	copy_rust && cargo build --release --quiet --target-dir "$out/rust/target" &&
		cp "$out/rust/target/release/peer_rust" "$out/peer_rust"
}

test_rust() {
	copy_rust && cargo test --quiet --target-dir "$out/rust/target"
}

last_line() { grep -v '^ *$' "$1" | tail -n 1; }

# attempt LANGUAGE TOOL: do the task, and leave no old binary behind if that fails.
attempt() {
	log=$out/peer_$1.log
	if ! command -v "$2" >/dev/null; then
		rm -f "$out/peer_$1"
		say "no $2 here: the channels of $1 are left out"
	elif (${task}_"$1") >"$log" 2>&1; then
		say "peer_$1: $task done"
	elif [ "$task" = test ]; then
		cat "$log" >&2
		say "peer_$1: tests failed"
		status=1
	else
		rm -f "$out/peer_$1"
		say "peer_$1 cannot be built and is left out: $(last_line "$log") ($log)"
	fi
}

attempt go go
attempt rust cargo
exit $status
