#!/bin/sh
# The examples of docs/examples, built the way a user does: against what was
# installed, with one compiler line. The good one passes every check; of the
# other, the check that is about its fault says so.
#
#   examples_test.sh CMAKE BUILD_DIR EXAMPLES_DIR CONFORM CC [FLAG...]
#
# Exit status 77: pkg-config is not here.
set -eu

cmake=$1 build=$2 examples=$3 conform=$4 cc=$5
shift 5

command -v pkg-config >/dev/null || exit 77

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$cmake" --install "$build" --prefix "$dir/weft" >"$dir/install.log" 2>&1 || {
	cat "$dir/install.log"
	exit 1
}
pc=$(find "$dir/weft" -name weft.pc)
[ -n "$pc" ] || { echo "weft.pc was not installed"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH

for name in mychan mychan_broken; do
	# shellcheck disable=SC2046 # pkg-config's words are to be split
	"$cc" -std=c17 -O2 -Wall -Wextra -Werror "$@" -fPIC -shared \
		$(pkg-config --cflags weft) -o "$dir/$name.so" \
		"$examples/$name.c"
done

"$conform" --load="$dir/mychan.so"

status=0
"$conform" --load="$dir/mychan_broken.so" --time-limit=5 \
	--only='closed|close' >"$dir/broken.log" || status=$?
cat "$dir/broken.log"
[ "$status" -eq 1 ] || {
	echo "the broken one ended with status $status, and not with 1"
	exit 1
}
grep -q '^  FAIL .*a_closed_channel_drains_and_then_ends' "$dir/broken.log" || {
	echo "the check that is about the fault did not find it"
	exit 1
}
