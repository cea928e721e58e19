# weft_mutate(OUT NAME SOURCE FROM TO)
#
# Set OUT to a copy of SOURCE in which the one place that reads FROM reads TO: a
# bug planted for a test that must find it. The copy is
# <build>/mutants/NAME/<file>, made anew whenever SOURCE changes. FROM must
# occur exactly once, so that a mutant cannot quietly become the original.
#
# Linked into a test before the library it belongs to, the copy takes the
# original's place: of an archive, only what is still missing is taken. What
# SOURCE includes beside itself needs its folder as an include directory.
function(weft_mutate OUT NAME SOURCE FROM TO)
  get_filename_component(SOURCE "${SOURCE}" ABSOLUTE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${SOURCE}")
  file(READ "${SOURCE}" text)
  string(FIND "${text}" "${FROM}" first)
  string(FIND "${text}" "${FROM}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    file(RELATIVE_PATH shown "${PROJECT_SOURCE_DIR}" "${SOURCE}")
    message(FATAL_ERROR "weft_mutate(${NAME}): ${shown} has not exactly one place that reads '${FROM}'")
  endif()
  string(REPLACE "${FROM}" "${TO}" text "${text}")
  get_filename_component(file "${SOURCE}" NAME)
  set(copy "${PROJECT_BINARY_DIR}/mutants/${NAME}/${file}")
  file(CONFIGURE OUTPUT "${copy}" CONTENT "${text}" @ONLY)
  set(${OUT} "${copy}" PARENT_SCOPE)
endfunction()

# weft_add_mutant_test(NAME TEST SOURCE FROM TO [OPTION...])
#
# Link the test of that name with the bug that weft_mutate() plants, and register
# under NAME that it then fails, or hangs: takes much longer than the test does
# without the bug. OPTION is for the linker.
#
# Not under a sanitizer: what is asked is whether the test's own checks find the
# bug, and the answer is the same in every build.
function(weft_add_mutant_test NAME TEST SOURCE FROM TO)
  if(NOT WEFT_TESTS OR WEFT_SANITIZE)
    return()
  endif()
  weft_mutate(mutated "${NAME}" "${SOURCE}" "${FROM}" "${TO}")
  add_executable(test.${NAME} $<TARGET_OBJECTS:test.${TEST}> "${mutated}")
  target_compile_options(test.${NAME} PRIVATE -fexceptions -w)
  target_link_libraries(test.${NAME} PRIVATE weft PkgConfig::CMOCKA)
  target_link_options(test.${NAME} PRIVATE ${ARGN})
  set_target_properties(
    test.${NAME} PROPERTIES
    OUTPUT_NAME "${NAME}"
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${NAME}
           COMMAND "${PROJECT_SOURCE_DIR}/cmake/mutant_test.sh"
                   $<TARGET_FILE:test.${TEST}> $<TARGET_FILE:test.${NAME}>)
  # The test's own limit, and four times as long as it takes for the mutant.
  set_tests_properties(
    ${NAME} PROPERTIES
    LABELS "unit;mutant"
    TIMEOUT 310
    SKIP_RETURN_CODE 77)
endfunction()
