#!/bin/sh
# A user's program builds and runs against what was installed, though it has
# functions named as weft's own are inside.
#
#   install_test.sh CMAKE BUILD_DIR PROGRAM.c LIBDIR CC [FLAG...]
#
# LIBDIR is where the archives land below the prefix. The program is linked as
# pkg-config says, with the libraries named by hand, and with all that is in
# them, where two functions of one name cannot pass unseen.
#
# Exit status 77: pkg-config is not here.
set -eu

cmake=$1 build=$2 program=$3 libdir=$4 cc=$5
shift 5

command -v pkg-config >/dev/null || exit 77

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$cmake" --install "$build" --prefix "$dir/weft" >"$dir/install.log" 2>&1 || {
	cat "$dir/install.log"
	exit 1
}
PKG_CONFIG_PATH="$dir/weft/$libdir/pkgconfig"
export PKG_CONFIG_PATH

# build NAME CFLAGS LIBS [FLAG...]: the words of CFLAGS and LIBS are split.
build()
{
	name=$1 cflags=$2 libs=$3
	shift 3
	echo "$name: $libs"
	# shellcheck disable=SC2086
	"$cc" -std=c17 -O2 -Wall -Wextra -Werror "$@" $cflags \
		-o "$dir/$name" "$program" $libs
	"$dir/$name"
}

include="-I$dir/weft/include"
archives="-L$dir/weft/$libdir -lweft_patterns -lweft"
system="-pthread -ldl -lm"

build pkg_config "$(pkg-config --cflags weft)" \
	"$(pkg-config --static --libs weft)" "$@"
build by_hand "$include" "$archives $system" "$@"
build whole "$include" \
	"-Wl,--whole-archive $archives -Wl,--no-whole-archive $system" "$@"
