# Read both registries and check them against the tree.
#
# Included by the top CMakeLists.txt, where it leaves WEFT_PATTERNS,
# WEFT_PATTERNS_OF_<name> and WEFT_CHANS; and run as a script (cmake -DWEFT_ROOT=... -P) at every build, so
# that a folder that appears after the configure step is noticed too.

if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/WeftRegistry.cmake")

weft_read_def(WEFT_PATTERNS "${WEFT_ROOT}/patterns/patterns.def" PATTERN)
weft_check_patterns("${WEFT_ROOT}/patterns" WEFT_PATTERNS common kernel)

# What stands beside the channels without being one: the front, the loader of
# plug-ins, the registry, select and the tests.
weft_read_def(WEFT_CHANS "${WEFT_ROOT}/core/chan/chan.def" CHAN)
weft_check_chans("${WEFT_ROOT}/core/chan" "${WEFT_CHANS}"
                 chan.c chan_*.c load.c registry.c select.c select_*.c *_test.c)
