#!/bin/sh
# mutant_test.sh CAUGHT-BY COMMAND...: whether a planted bug is found.
#
# COMMAND is `conform` or `stress` with select's source mutated. It must say
# that something failed, hung or crashed, which is exit status 1; any other end
# is not a finding. CAUGHT-BY is only what to print.
#
# Some bugs show only if two tasks meet in the right moment, which on a busy
# machine they may not: what finds nothing is tried again, up to five times. A
# source without a bug fails here however often it is tried.
set -u

what=$1
shift
for try in 1 2 3 4 5; do
	out=$("$@" 2>&1)
	status=$?
	[ "$status" -ne 0 ] && break
	echo "try $try: nothing found"
done
printf '%s\n' "$out"
if [ "$status" -ne 1 ]; then
	echo "exit status $status: the planted bug was not found by $what" >&2
	exit 1
fi
printf '%s\n' "$out" | grep -Eq 'FAIL|HUNG|CRASHED' || {
	echo "exit status 1 without a verdict" >&2
	exit 1
}
