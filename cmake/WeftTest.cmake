# weft_add_test(NAME [SERIAL]
#               [SOURCES file...] [LIBS target...] [LABELS label...]
#               [TIMEOUT seconds] [EACH argument...])
#
# Build a cmocka test, build/<preset>/tests/NAME, and register it with ctest
# under the same NAME. Each test is a process of its own with a time limit; one
# that exits 77 (the machine cannot do what it needs) counts as skipped.
#
#   SERIAL   do not run it beside other tests
#   SOURCES  default: what follows the last dot of NAME, with _test.c
#   LIBS     beyond weft and cmocka
#   LABELS   default: unit
#   TIMEOUT  default: 200; under a sanitizer it is WEFT_TEST_SLOWDOWN times that
#   EACH     register it once for each of these, as NAME.argument, instead
#
# The target is NAME with test. before it. Does nothing when WEFT_TESTS is off,
# so callers need not ask.

set(WEFT_TEST_SLOWDOWN 1)
if(WEFT_SANITIZE)
  set(WEFT_TEST_SLOWDOWN 5)
endif()

if(WEFT_TESTS)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

function(weft_add_test NAME)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT" "SOURCES;LIBS;LABELS;EACH")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "weft_add_test(${NAME}): cannot make sense of: "
                        "${arg_UNPARSED_ARGUMENTS} ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT WEFT_TESTS)
    return()
  endif()
  if(NOT arg_SOURCES)
    string(REGEX REPLACE "^.*[.]" "" last "${NAME}")
    set(arg_SOURCES "${last}_test.c")
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 200)
  endif()
  math(EXPR timeout "${arg_TIMEOUT} * ${WEFT_TEST_SLOWDOWN}")

  add_executable(test.${NAME} ${arg_SOURCES})
  target_link_libraries(test.${NAME} PRIVATE weft PkgConfig::CMOCKA ${arg_LIBS})
  # A test that its main() does not list would be left out without a word.
  target_compile_options(test.${NAME} PRIVATE -Werror=unused-function)
  set_target_properties(
    test.${NAME} PROPERTIES
    OUTPUT_NAME "${NAME}"
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")

  set(tests "")
  if(NOT arg_EACH)
    add_test(NAME ${NAME} COMMAND test.${NAME})
    set(tests ${NAME})
  endif()
  foreach(argument IN LISTS arg_EACH)
    add_test(NAME ${NAME}.${argument} COMMAND test.${NAME} ${argument})
    list(APPEND tests ${NAME}.${argument})
  endforeach()
  set_tests_properties(
    ${tests} PROPERTIES
    LABELS "${arg_LABELS}"
    TIMEOUT ${timeout}
    SKIP_RETURN_CODE 77
    RUN_SERIAL ${arg_SERIAL})
endfunction()
