# The registry check fails where it should, with a message that says what to do.
#
#   cmake -DWORK_DIR=<scratch folder> -P registry_test.cmake
#
# Each case is a small tree, right but for one thing.

cmake_minimum_required(VERSION 3.25)

set(tree "${WORK_DIR}/tree")
set(failures 0)

function(write_pattern NAME COMPONENT)
  foreach(file ${COMPONENT}.h ${COMPONENT}.c kernel.c demo.c life.c ${NAME}_test.c README.md)
    file(WRITE "${tree}/patterns/${NAME}/${file}" "")
  endforeach()
endfunction()

# A tree in which everything agrees: two patterns, two channels.
function(write_good_tree)
  file(REMOVE_RECURSE "${tree}")
  file(WRITE "${tree}/patterns/patterns.def" [[
/*
 * One line per folder, sorted; [brackets]; and semicolons; do no harm here.
 * PATTERN(in_a_comment)
 */
PATTERN(pipeline, pipeline) /* a word about it */

// PATTERN(in_another)
PATTERN(producer_consumer, buffer)
]])
  file(WRITE "${tree}/core/chan/chan.def" "CHAN(condvar)\nCHAN(handoff)\n")
  write_pattern(pipeline pipeline)
  write_pattern(producer_consumer buffer)
  foreach(file condvar handoff chan chan_test)
    file(WRITE "${tree}/core/chan/${file}.c" "")
  endforeach()
endfunction()

# expect(CASE MESSAGE): the check of the tree fails and says MESSAGE; with an
# empty MESSAGE, it passes.
function(expect CASE MESSAGE)
  execute_process(
    COMMAND "${CMAKE_COMMAND}" "-DWEFT_ROOT=${tree}"
            -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_registry.cmake"
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(FIND "${output}" "${MESSAGE}" at)
  if(MESSAGE STREQUAL "" AND result EQUAL 0)
    message(STATUS "ok: ${CASE}")
  elseif(NOT MESSAGE STREQUAL "" AND NOT result EQUAL 0 AND NOT at EQUAL -1)
    message(STATUS "ok: ${CASE}")
  else()
    message(STATUS "FAILED: ${CASE}: expected '${MESSAGE}', got exit ${result} and:\n${output}")
    math(EXPR failures "${failures} + 1")
    set(failures ${failures} PARENT_SCOPE)
  endif()
endfunction()

write_good_tree()
expect("everything agrees" "")

write_good_tree()
write_pattern(fan fan)
expect("a pattern folder without its line"
       "patterns/fan/ has no line PATTERN(fan, COMPONENT) in patterns/patterns.def: add the line or remove the folder")

write_good_tree()
file(APPEND "${tree}/patterns/patterns.def" "PATTERN(singleflight, flight)\n")
expect("a pattern line without its folder"
       "patterns/patterns.def names singleflight, but there is no folder patterns/singleflight/")

write_good_tree()
file(REMOVE "${tree}/patterns/pipeline/kernel.c")
expect("a pattern without its kernel"
       "patterns/pipeline/kernel.c is missing: every pattern has one")

write_good_tree()
file(REMOVE "${tree}/patterns/pipeline/life.c")
expect("a component that does not register with the life-cycle suite"
       "patterns/pipeline/life.c is missing: every pattern has one")

write_good_tree()
file(REMOVE "${tree}/patterns/producer_consumer/buffer.h")
expect("a component without its header"
       "patterns/producer_consumer/buffer.h is missing: every pattern has one")

write_good_tree()
file(APPEND "${tree}/patterns/patterns.def" "PATTERN(select)\n")
write_pattern(select mux)
expect("a pattern that names no component"
       "patterns/patterns.def: PATTERN(select) names no component: PATTERN(select, COMPONENT)")

write_good_tree()
file(MAKE_DIRECTORY "${tree}/patterns/common")
expect("a folder that is no pattern" "")

write_good_tree()
file(APPEND "${tree}/patterns/patterns.def" "PATTERN(producer_consumer)\n")
expect("the same pattern twice"
       "patterns/patterns.def:9: PATTERN(producer_consumer) is there twice: remove one")

write_good_tree()
file(APPEND "${tree}/patterns/patterns.def" "PATTERN(fan)\n")
expect("an unsorted list"
       "patterns/patterns.def:9: PATTERN(fan) comes after PATTERN(producer_consumer): keep the list sorted")

foreach(line "PATTERN(Fan)" "PATTERN(fan" "PATERN(fan)" "PATTERN(a);PATTERN(b)" "[PATTERN(fan)]" "#include \"x.def\"")
  write_good_tree()
  file(APPEND "${tree}/patterns/patterns.def" "${line}\n")
  expect("a line that is no entry: ${line}" "patterns/patterns.def:9: '${line}' is not a line PATTERN(name)")
endforeach()

write_good_tree()
file(REMOVE "${tree}/patterns/patterns.def")
expect("no list" "patterns/patterns.def is missing")

write_good_tree()
file(WRITE "${tree}/core/chan/ring.c" "")
expect("a channel file without its line"
       "core/chan/ring.c has no line CHAN(ring) in core/chan/chan.def: add the line or remove the file")

write_good_tree()
file(APPEND "${tree}/core/chan/chan.def" "CHAN(ring)\n")
expect("a channel line without its file"
       "core/chan/chan.def names ring, but there is no file core/chan/ring.c")

file(REMOVE_RECURSE "${tree}")
if(failures)
  message(FATAL_ERROR " ${failures} of the cases failed")
endif()
