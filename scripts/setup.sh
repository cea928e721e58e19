#!/bin/sh
# Install what weft needs to be built, tested and measured, through apt.
#
# What is there already is found by trying it, not by asking the package
# database, so a compiler or a cmake from elsewhere counts. Safe to run again:
# nothing missing means nothing done.
set -eu

me=scripts/setup.sh
cmake_least=3.25
format_major=14 # the clang-format the tree is formatted with

usage()
{
	cat <<END
usage: $me [--dev] [--peers] [--check]

Install what is missing to build, test and measure weft (needs apt, and root
or sudo).

  --dev    also what developing needs: clang, clang-format, clang-tidy,
           cppcheck, the sanitizer run-times, and a headless Chromium, in
           which the report is tested
  --peers  also the libraries whose channels can be measured beside ours
           (docs/peers.md)
  --check  only say what is missing; exit 1 if anything is
  --help   print this
END
}

say()
{
	printf '%s: %s\n' "$me" "$*"
}

die()
{
	say "$*" >&2
	exit 1
}

dev=false
peers=false
check=false
for arg in "$@"; do
	case $arg in
	--dev) dev=true ;;
	--peers) peers=true ;;
	--check) check=true ;;
	-h | --help)
		usage
		exit 0
		;;
	*)
		say "unknown option '$arg': expected --dev, --peers, --check or --help" >&2
		exit 2
		;;
	esac
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/weft-setup.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cat >"$scratch/c17.c" <<'END'
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
_Static_assert(__STDC_VERSION__ >= 201710L, "C17");
int main(void) { return (int)sizeof(pthread_t) + FUTEX_WAIT < 0; }
END
cat >"$scratch/cxx17.cc" <<'END'
#include <string_view>
static_assert(__cplusplus >= 201703L, "C++17");
int main() { return std::string_view("").empty() ? 0 : 1; }
END
cat >"$scratch/benchmark.cc" <<'END'
#include <benchmark/benchmark.h>
int main(int argc, char **argv) { benchmark::Initialize(&argc, argv); }
END
cat >"$scratch/cmocka.c" <<'END'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
static void nothing(void **state) { (void)state; }
int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
END

# The compilers as CMake looks for them: $CC and $CXX first, then what is there.
first_of()
{
	for candidate in "$@"; do
		if command -v "$candidate" >/dev/null; then
			echo "$candidate"
			return
		fi
	done
	echo "$1"
}

# $CC may carry arguments ("ccache gcc"), so it is split on purpose.
# shellcheck disable=SC2086
compile_c()
{
	${CC:-$(first_of cc gcc clang)} -std=c17 -pthread -o "$scratch/out" "$@"
}

# shellcheck disable=SC2086
compile_cxx()
{
	${CXX:-$(first_of c++ g++ clang++)} -std=c++17 -pthread -o "$scratch/out" "$@"
}

has_cmake()
{
	command -v cmake && ! cmake_too_old
}

# True when there is a cmake and it is older than we can use.
cmake_too_old()
{
	command -v cmake >/dev/null || return 1
	cmake_found=$(cmake --version | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')
	[ "$(printf '%s\n' "$cmake_least" "$cmake_found" | sort -V | head -n 1)" \
		!= "$cmake_least" ]
}

has_cmocka()
{
	command -v pkg-config || return 1
	# shellcheck disable=SC2046
	compile_c "$scratch/cmocka.c" $(pkg-config --cflags --libs cmocka)
}

has_benchmark()
{
	compile_cxx "$scratch/benchmark.cc" -lbenchmark
}

has_python()
{
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))'
}

has_sanitizers()
{
	compile_c -fsanitize=address,undefined "$scratch/c17.c" &&
		compile_c -fsanitize=thread "$scratch/c17.c"
}

has_clang()
{
	clang -std=c17 -o "$scratch/out" "$scratch/c17.c" &&
		clang++ -std=c++17 -o "$scratch/out" "$scratch/cxx17.cc"
}

has_clang_sanitizers()
{
	has_clang &&
		clang -fsanitize=address,undefined -o "$scratch/out" "$scratch/c17.c" &&
		clang -fsanitize=thread -o "$scratch/out" "$scratch/c17.c"
}

# Any clang-format serves where apt does not have ours.
has_clang_format()
{
	command -v "clang-format-$format_major" && return
	case $(clang-format --version) in
	*"version $format_major."*) return 0 ;;
	esac
	command -v clang-format && ! apt_knows "clang-format-$format_major"
}

# Any will do (scripts/chromium.py knows their names), and where apt has none the
# test is skipped.
has_chromium()
{
	for name in chromium-headless-shell chromium chromium-browser google-chrome; do
		command -v "$name" && return
	done
	! apt_knows chromium-headless-shell && ! apt_knows chromium
}

# has_library MODULE: pkg-config knows it.
has_library()
{
	command -v pkg-config && pkg-config --exists "$1"
}

# has_header HEADER [LIBRARY...]: C++ can include it and link with these.
has_header()
{
	printf '#include <%s>\nint main() {}\n' "$1" >"$scratch/header.cc"
	shift
	compile_cxx "$scratch/header.cc" "$@"
}

# Debian and its authors put it into different folders.
has_moodycamel()
{
	has_header concurrentqueue/blockingconcurrentqueue.h ||
		has_header concurrentqueue/moodycamel/blockingconcurrentqueue.h
}

apt_knows()
{
	apt-cache show --no-all-versions "$1" >/dev/null 2>&1
}

missing=
packages=

# need WHAT PACKAGES TEST...: note WHAT as missing unless TEST succeeds. In
# PACKAGES, "a|b" is a where apt has it and b elsewhere.
need()
{
	what=$1
	from=$2
	shift 2
	if "$@" >/dev/null 2>&1 </dev/null; then
		return
	fi
	missing="$missing${missing:+, }$what"
	packages="$packages $from"
}

probe()
{
	missing=
	packages=
	need "a C17 compiler${CC:+ (CC=$CC is not one)}" 'gcc libc6-dev' \
		compile_c "$scratch/c17.c"
	need "a C++17 compiler${CXX:+ (CXX=$CXX is not one)}" 'g++' \
		compile_cxx "$scratch/cxx17.cc"
	need 'make' 'make' command -v make
	need "cmake $cmake_least or newer" 'cmake' has_cmake
	need 'ninja' 'ninja-build' command -v ninja
	need 'pkg-config' 'pkg-config' command -v pkg-config
	need 'Google Benchmark' 'libbenchmark-dev' has_benchmark
	need 'cmocka' 'libcmocka-dev' has_cmocka
	need 'gnuplot' 'gnuplot-nox' command -v gnuplot
	need 'python3 3.9 or newer' 'python3' has_python
	need 'git' 'git' command -v git
	$dev || return 0
	need "the compiler's sanitizer run-times" 'gcc-sanitizers' has_sanitizers
	need 'clang' 'clang' has_clang
	need "clang's sanitizer run-times" 'clang-sanitizers' has_clang_sanitizers
	need "clang-format (best: $format_major)" \
		"clang-format-$format_major|clang-format" has_clang_format
	need 'clang-tidy' 'clang-tidy' command -v clang-tidy
	need 'cppcheck' 'cppcheck' command -v cppcheck
	need 'a headless Chromium' 'chromium-headless-shell|chromium' has_chromium
}

# The libraries behind bench/peers. An empty name after the | means that a system
# whose apt does not have it does without.
probe_peers()
{
	need 'GLib' 'libglib2.0-dev|' has_library glib-2.0
	need 'APR-util' 'libaprutil1-dev|' has_library apr-util-1
	need 'Concurrency Kit' 'libck-dev|' has_library ck
	need 'oneTBB' 'libtbb-dev|' has_library tbb
	need 'Boost.Lockfree' 'libboost-dev|' has_header boost/lockfree/queue.hpp
	need 'Boost.Fiber' 'libboost-fiber-dev|' \
		has_header boost/fiber/buffered_channel.hpp -lboost_fiber -lboost_context
	need 'moodycamel::ConcurrentQueue' 'libconcurrentqueue-dev|' \
		has_moodycamel
	need 'Userspace RCU' 'liburcu-dev|' has_library liburcu
	need 'ZeroMQ' 'libzmq3-dev|' has_library libzmq
	need 'nng' 'libnng-dev|' has_header nng/nng.h -lnng
}

# The major version of the clang that is here, or of the one apt would install.
clang_major()
{
	if command -v clang >/dev/null; then
		clang -dumpversion | cut -d. -f1
	else
		apt-cache depends clang 2>/dev/null |
			sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1
	fi
}

# Turn what need() collected into names that apt has, once each, on one line.
# Only worth asking once the package lists are there.
resolve()
{
	for entry in $packages; do
		case $entry in
		*'|'*)
			if apt_knows "${entry%%|*}"; then
				echo "${entry%%|*}"
			else
				echo "${entry#*|}"
			fi
			;;
		gcc-sanitizers)
			major=$(gcc -dumpversion 2>/dev/null | cut -d. -f1)
			echo "${major:+libgcc-$major-dev}"
			;;
		clang-sanitizers)
			rt=libclang-rt-$(clang_major)-dev
			if apt_knows "$rt"; then
				echo "$rt"
			fi
			;;
		*) echo "$entry" ;;
		esac
	done | sort -u | tr '\n' ' ' | sed 's/^ *//; s/ *$//'
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then
		DEBIAN_FRONTEND=noninteractive "$@" </dev/null
	else
		sudo env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

apt()
{
	as_root apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
		-o Dpkg::Use-Pty=0 "$@"
}

too_old_to_use()
{
	die "cmake $cmake_found is too old: weft needs $cmake_least or newer" \
		"(Debian 12 and Ubuntu 24.04 have it)"
}

probe
if $peers; then
	probe_peers
fi
if [ -z "$missing" ]; then
	say 'nothing is missing'
	exit 0
fi
if $check; then
	say "missing: $missing"
	exit 1
fi
if cmake_too_old; then
	too_old_to_use
fi
if ! command -v apt-get >/dev/null; then
	die "there is no apt here; install by hand: $missing"
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
	say "missing: $missing. Neither root nor sudo here; run this as root:" >&2
	echo "apt-get update && apt-get install -y --no-install-recommends" \
		"$(resolve)" >&2
	exit 1
fi

say "missing: $missing"
# One unreachable source need not matter; the install will tell.
if ! apt update >"$scratch/apt.log"; then
	say 'apt-get update failed; going on with the lists there are' >&2
fi
chosen=$(resolve)
say "installing: ${chosen:-nothing, apt has none of it}"
# shellcheck disable=SC2086
if [ -n "$chosen" ] &&
	! apt install -y --no-install-recommends $chosen >"$scratch/apt.log"; then
	tail -n 20 "$scratch/apt.log" >&2
	die "apt-get could not install: $chosen"
fi

hash -r
probe
if cmake_too_old; then
	too_old_to_use
fi
if [ -n "$missing" ]; then
	die "installed, but still missing: $missing"
fi
if $peers; then
	probe_peers
	if [ -n "$missing" ]; then
		say "peers that are not to be had here: $missing"
	fi
	# So that the next build looks for them again.
	touch "$(dirname "$0")/../bench/peers/CMakeLists.txt"
fi
say 'done'
