#!/bin/sh
# Every symbol that the library defines for others to link with is weft_*.
#
#   cmake/symbols_test.sh LIBRARY...
set -eu

for library; do
	others=$(nm -g --defined-only "$library" 2>/dev/null |
		awk 'NF == 3 { print $3 }' |
		grep -vE '^(weft_|__asan|__ubsan|__tsan|__odr_asan|_*DW\.ref|__local_asan)' || true)
	if [ -n "$others" ]; then
		echo "$library defines symbols without the prefix weft_:"
		echo "$others"
		exit 1
	fi
done
