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

# Built from what was installed, with the line that each says of itself.
sources=$(find "$dir/weft" -path '*examples/mychan.c')
[ -n "$sources" ] || { echo "the examples were not installed"; exit 1; }
sources=$(dirname "$sources")
for name in mychan mychan_broken rendezvous; do
	std=$(sed -n 's/^ \*\tcc -std=\([a-z0-9]*\) .*/\1/p' "$sources/$name.c")
	[ -n "$std" ] || { echo "$name.c does not say how to build it"; exit 1; }
	# shellcheck disable=SC2046 # pkg-config's words are to be split
	"$cc" -std="$std" -O2 -Wall -Wextra -Werror "$@" -fPIC -shared \
		$(pkg-config --cflags weft) -o "$dir/$name.so" \
		"$sources/$name.c"
	cmp "$sources/$name.c" "$examples/$name.c"
done

"$conform" --load="$dir/mychan.so"
"$conform" --load="$dir/rendezvous.so" --percent=10

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
