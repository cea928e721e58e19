#!/bin/sh
# Run a test in which a bug is planted: it must fail, by a check, a signal or a
# sanitizer, or hang.
#
#   cmake/mutant_test.sh SECONDS TEST
set -u

seconds=${1:?usage: mutant_test.sh SECONDS TEST}
ulimit -c 0
timeout -k 1 "$seconds" "$2" >/dev/null 2>&1
status=$?
case $status in
0)
	echo "$2 did not find the bug that is planted in it"
	exit 1
	;;
126 | 127)
	echo "$2 cannot be run"
	exit 1
	;;
esac
echo "found: status $status"
