#!/bin/sh
# cmp-pattern as it is called: exit codes, usage, complaints, one demo.
#
#	cmp_pattern_test.sh path/to/cmp-pattern
set -u

cmp_pattern=$1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
	echo "FAILED: $1" >&2
	cat "$scratch/out" "$scratch/err" >&2
	failures=$((failures + 1))
}

# run STATUS ARGS...: call it; its exit status must be STATUS.
run() {
	expected=$1
	shift
	"$cmp_pattern" "$@" >"$scratch/out" 2>"$scratch/err"
	status=$?
	[ "$status" -eq "$expected" ] ||
		fail "cmp-pattern $*: exit status $status, not $expected"
}

# says FILE TEXT: a line of FILE (out or err) has TEXT in it.
says() {
	grep -qF -e "$2" "$scratch/$1" || fail "std$1 does not say: $2"
}

# complains TEXT: one line on stderr, TEXT in it, nothing on stdout.
complains() {
	says err "$1"
	[ "$(wc -l <"$scratch/err")" -eq 1 ] || fail "not one line: $1"
	[ ! -s "$scratch/out" ] || fail "prints something: $1"
}

patterns=$(grep -c '^PATTERN(' "$(dirname "$0")/patterns.def")

run 1
says out 'Usage: cmp-pattern'
# Each on a line of its own, in its group, and four options.
[ "$(grep '^  --[a-z-]*  *[a-z]' "$scratch/out" | grep -v -e --all -e --help |
	sort -u | wc -l)" -eq "$patterns" ] || fail 'not every pattern is listed once'
[ "$(grep -c '^  --' "$scratch/out")" -eq $((patterns + 4)) ] ||
	fail 'something else is listed'
grep -q '^Others:' "$scratch/out" && fail 'a pattern is in no group'
for group in 'Data on its way' 'Work and workers' 'Limits' 'Staying alive'; do
	says out "$group:"
done
run 1 --seed=5
says out 'Usage: cmp-pattern'
run 0 --help
says out 'Usage: cmp-pattern'
run 0 --pipeline --help
says out 'Usage: cmp-pattern'

run 2 --piepline
complains "unknown flag '--piepline', did you mean '--pipeline'?"
run 2 --producer_consumer
complains "did you mean '--producer-consumer'?"
run 2 pipeline
complains "unknown flag 'pipeline', did you mean '--pipeline'?"
run 2 --sed=3
complains "'--sed=3'"
run 2 --xyzzyxyzzy
complains "unknown flag '--xyzzyxyzzy', --help lists what there is"
run 2 --pipeline ''
complains "unknown flag ''"

for seed in 0 -1 12x '' ' 7' 18446744073709551616; do
	run 2 --pipeline "--seed=$seed"
	complains "--seed=$seed: allowed 1..18446744073709551615"
done
run 2 --seed many
complains '--seed=many: allowed 1..18446744073709551615'
run 2 --pipeline --seed
complains '--seed needs a number'

for speed in 0 0.09 1001 -1 fast '' '1 ' 1e1 nan; do
	run 2 --pipeline "--speed=$speed"
	complains "--speed=$speed: allowed 0.1..1000"
done
run 2 --speed
complains '--speed needs a number'
run 2 --speeed=3
complains "'--speeed=3'"
run 2 --al
complains "unknown flag '--al', did you mean '--all'?"

# Several, in the order given, as often as given.
run 0 --select --speed=100 --ping-pong --seed=7 --select
[ "$(grep '^Running' "$scratch/out" | cut -d' ' -f2 | tr '\n' ' ')" = \
	'Select Ping-Pong Select ' ] || fail 'another order'

# All of them, ten times as fast: less than ten seconds where nothing else is going
# on. They sleep for more than half of that, and for a minute if speed were not
# heeded.
begin=$(date +%s)
run 0 --all --speed 10 --seed 7
took=$(($(date +%s) - begin))
[ "$took" -lt 40 ] || fail "all of them take too long: $took s"
[ "$(grep -c '^Running .* Pattern Example\.\.\.$' "$scratch/out")" -eq \
	"$patterns" ] || fail 'not all of them'
mv "$scratch/out" "$scratch/all"

# Plain where there is no terminal, colours where there is one that wants them.
grep -q "$(printf '\033')" "$scratch/all" && fail 'colours in a file'
if script --version 2>/dev/null | grep -q util-linux &&
	script -qec true /dev/null >/dev/null 2>&1; then
	escape=$(printf '\033')
	for env in TERM=xterm 'TERM=xterm NO_COLOR=1' TERM=dumb; do
		env -u NO_COLOR $env script -qec \
			"$cmp_pattern --fan --speed=100 --seed=7" /dev/null \
			</dev/null >"$scratch/out" 2>"$scratch/err"
		colours=$(grep -c "${escape}\[3[1-6]m" "$scratch/out")
		if [ "$env" = TERM=xterm ]; then
			[ "$colours" -gt 10 ] || fail 'no colours'
		else
			[ "$colours" -eq 0 ] || fail "colours with $env"
		fi
		tr -d '\r' <"$scratch/out" | sed "s/$escape\[[0-9]*m//g" |
			grep -qx 'Fan-out/Fan-in completed! Processed 20 items.' ||
			fail "another text with $env"
	done
fi

run 0 --pipeline --seed 7
[ ! -s "$scratch/err" ] || fail 'the demo complains'
head -n 3 "$scratch/out" | cmp -s - <<'END' || fail 'the heading is another'
Running Pipeline Pattern Example...
=== Pipeline Pattern Example ===
Pipeline stages:
END
[ "$(grep -c '^Result: [0-9]*$' "$scratch/out")" -eq 10 ] ||
	fail 'not ten results'

run 0 --fan --seed 7
[ ! -s "$scratch/err" ] || fail 'the demo complains'
head -n 5 "$scratch/out" | cmp -s - <<'END' || fail 'the heading is another'
Running Fan-out/Fan-in Pattern Example...
=== Fan-out/Fan-in Pattern Example ===
Distributing 20 work items across 4 workers...

Generated work item: 0
END
[ "$(grep -c '^Processed: processed-data-[0-9]*-by-worker-[1-4]$' \
	"$scratch/out")" -eq 20 ] || fail 'not twenty results'
tail -n 1 "$scratch/out" | cmp -s - <<'END' || fail 'the end is another'
Fan-out/Fan-in completed! Processed 20 items.
END

if [ -w /dev/full ]; then
	"$cmp_pattern" --help >/dev/full 2>"$scratch/err"
	[ $? -eq 1 ] || fail 'a full disk is not noticed'
	says err 'cannot write the output'
fi

[ "$failures" -eq 0 ] && echo 'all passed'
exit $((failures > 0))
