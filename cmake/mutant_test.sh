#!/bin/sh
# Run a test in which a bug is planted: it must fail, by a check or a signal, or
# hang. Before that the same test without the bug must pass; from how long it
# takes, here and now, follows what counts as hanging.
#
#   cmake/mutant_test.sh TEST MUTANT
#
# Exits 77 when TEST does: this machine cannot run it.
set -u

test=${1:?usage: mutant_test.sh TEST MUTANT}
mutant=${2:?usage: mutant_test.sh TEST MUTANT}
ulimit -c 0

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

begin=$(now_ms)
"$test" >/dev/null 2>&1
status=$?
limit=$((1000 + 4 * ($(now_ms) - begin)))
case $status in
0) ;;
77)
	echo "$test is skipped"
	exit 77
	;;
*)
	echo "$test fails without a bug: status $status"
	exit 1
	;;
esac

# A bug that shows only if two tasks meet in the right moment may be missed once.
for try in 1 2 3 4 5; do
	timeout -k 1 "$((limit / 1000)).$(printf %03d $((limit % 1000)))" "$mutant" >/dev/null 2>&1
	status=$?
	[ "$status" -ne 0 ] && break
	echo "try $try: nothing found"
done
case $status in
0 | 77)
	echo "$mutant did not find the bug that is planted in it: status $status"
	exit 1
	;;
125 | 126 | 127)
	echo "$mutant cannot be run"
	exit 1
	;;
124 | 137) echo "found: still running after $limit ms" ;;
*) echo "found: status $status" ;;
esac
