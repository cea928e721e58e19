# The registries: patterns/patterns.def and core/chan/chan.def.
#
# Each is a sorted X-macro list, read by the C registry and by CMake, so that
# adding a pattern or a channel is one folder or file and one line. What a list
# names and what is there must agree; these functions say so when they do not.
# cmake/check_registry.cmake calls them, on every configure and on every build.
#
# Messages name files relative to WEFT_ROOT, the project's top folder.

# Fail with TEXT, one problem per line. The leading space keeps CMake from
# breaking the lines.
function(_weft_registry_fail TEXT)
  string(REPLACE "\n" "\n " TEXT "${TEXT}")
  message(FATAL_ERROR " ${TEXT}")
endfunction()

function(_weft_relative OUT FILE)
  file(RELATIVE_PATH relative "${WEFT_ROOT}" "${FILE}")
  set(${OUT} "${relative}" PARENT_SCOPE)
endfunction()

# weft_read_def(OUT_LIST FILE MACRO)
#
# Set OUT_LIST to the names in FILE, which holds lines MACRO(name) or
# MACRO(name, part, ...), sorted and without duplicates, C comments and blank
# lines, and nothing else. OUT_LIST_OF_<name> becomes the list of its parts. CMake
# runs again when FILE changes.
function(weft_read_def OUT_LIST FILE MACRO)
  _weft_relative(shown "${FILE}")
  if(NOT EXISTS "${FILE}")
    _weft_registry_fail("${shown} is missing")
  endif()
  if(NOT CMAKE_SCRIPT_MODE_FILE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${FILE}")
  endif()

  # The text is cut by hand: in a CMake list, brackets and semicolons of a
  # wrong line would join it with its neighbours.
  file(READ "${FILE}" rest)
  set(names "")
  set(previous "")
  set(number 0)
  set(in_comment FALSE)
  while(NOT rest STREQUAL "")
    string(FIND "${rest}" "\n" end)
    if(end EQUAL -1)
      set(line "${rest}")
      set(rest "")
    else()
      string(SUBSTRING "${rest}" 0 ${end} line)
      math(EXPR end "${end} + 1")
      string(SUBSTRING "${rest}" ${end} -1 rest)
    endif()
    math(EXPR number "${number} + 1")

    set(code "${line}")
    if(in_comment)
      string(FIND "${code}" "*/" end)
      if(end EQUAL -1)
        continue()
      endif()
      math(EXPR end "${end} + 2")
      string(SUBSTRING "${code}" ${end} -1 code)
      set(in_comment FALSE)
    endif()
    string(REGEX REPLACE "/[*]([^*]|[*]+[^*/])*[*]+/" " " code "${code}")
    string(REGEX REPLACE "//.*$" "" code "${code}")
    string(FIND "${code}" "/*" start)
    if(NOT start EQUAL -1)
      string(SUBSTRING "${code}" 0 ${start} code)
      set(in_comment TRUE)
    endif()
    string(STRIP "${code}" code)
    if(code STREQUAL "")
      continue()
    endif()

    if(NOT code MATCHES "^${MACRO}\\(([a-z][a-z0-9_]*)((, *[a-z][a-z0-9_]*)*)\\)$")
      string(STRIP "${line}" line)
      _weft_registry_fail("${shown}:${number}: '${line}' is not a line ${MACRO}(name), with name in a-z, 0-9 and _")
    endif()
    set(name "${CMAKE_MATCH_1}")
    string(REGEX MATCHALL "[a-z0-9_]+" parts "${CMAKE_MATCH_2}")
    if(name IN_LIST names)
      _weft_registry_fail("${shown}:${number}: ${MACRO}(${name}) is there twice: remove one")
    endif()
    if(name STRLESS previous)
      _weft_registry_fail("${shown}:${number}: ${MACRO}(${name}) comes after ${MACRO}(${previous}): keep the list sorted")
    endif()
    set(previous "${name}")
    list(APPEND names "${name}")
    set(${OUT_LIST}_OF_${name} "${parts}" PARENT_SCOPE)
  endwhile()

  set(${OUT_LIST} "${names}" PARENT_SCOPE)
endfunction()

# weft_check_patterns(DIR LIST EXEMPT...)
#
# Every folder in DIR but the EXEMPT ones has its line in DIR/patterns.def, which
# weft_read_def has read into the variable LIST; every line names a component and
# has its folder, and every folder the files that make a pattern.
function(weft_check_patterns DIR LIST)
  set(NAMES "${${LIST}}")
  _weft_relative(shown "${DIR}")
  set(problems "")

  file(GLOB entries LIST_DIRECTORIES true RELATIVE "${DIR}" "${DIR}/*")
  foreach(entry IN LISTS entries)
    if(NOT IS_DIRECTORY "${DIR}/${entry}" OR entry MATCHES "^[.]" OR entry IN_LIST ARGN)
      continue()
    endif()
    if(NOT entry IN_LIST NAMES)
      string(APPEND problems "\n${shown}/${entry}/ has no line PATTERN(${entry}, COMPONENT) in ${shown}/patterns.def: "
             "add the line or remove the folder")
    endif()
  endforeach()

  foreach(name IN LISTS NAMES)
    if(NOT IS_DIRECTORY "${DIR}/${name}")
      string(APPEND problems "\n${shown}/patterns.def names ${name}, but there is no folder ${shown}/${name}/")
      continue()
    endif()
    if(NOT ${LIST}_OF_${name})
      string(APPEND problems "\n${shown}/patterns.def: PATTERN(${name}) names no component: "
             "PATTERN(${name}, COMPONENT)")
    endif()
    set(files kernel.c demo.c life.c ${name}_test.c README.md)
    foreach(component IN LISTS ${LIST}_OF_${name})
      list(APPEND files ${component}.h ${component}.c)
    endforeach()
    foreach(file IN LISTS files)
      if(NOT EXISTS "${DIR}/${name}/${file}")
        string(APPEND problems "\n${shown}/${name}/${file} is missing: every pattern has one")
      endif()
    endforeach()
  endforeach()

  if(problems)
    string(SUBSTRING "${problems}" 1 -1 problems)
    _weft_registry_fail("${problems}")
  endif()
endfunction()

# weft_check_chans(DIR NAMES EXEMPT...)
#
# Every NAME in DIR/chan.def has its file DIR/<name>.c, and every other .c file
# in DIR matches one of the EXEMPT globs.
function(weft_check_chans DIR NAMES)
  _weft_relative(shown "${DIR}")
  set(problems "")

  set(exempt "")
  foreach(glob IN LISTS ARGN)
    file(GLOB files RELATIVE "${DIR}" "${DIR}/${glob}")
    list(APPEND exempt ${files})
  endforeach()
  file(GLOB files RELATIVE "${DIR}" "${DIR}/*.c")
  foreach(file IN LISTS files)
    string(REGEX REPLACE "[.]c$" "" name "${file}")
    if(NOT name IN_LIST NAMES AND NOT file IN_LIST exempt)
      string(APPEND problems "\n${shown}/${file} has no line CHAN(${name}) in ${shown}/chan.def: "
             "add the line or remove the file")
    endif()
  endforeach()

  foreach(name IN LISTS NAMES)
    if(NOT EXISTS "${DIR}/${name}.c")
      string(APPEND problems "\n${shown}/chan.def names ${name}, but there is no file ${shown}/${name}.c")
    endif()
  endforeach()

  if(problems)
    string(SUBSTRING "${problems}" 1 -1 problems)
    _weft_registry_fail("${problems}")
  endif()
endfunction()
