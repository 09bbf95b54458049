cmake_minimum_required(VERSION 3.25)
# cmake -D PROGRAM= -D FOLDER= -D LIST= -P: asks a doctest program for its test cases and writes LIST, which ctest includes.
# doctest's own discovery knows one set of labels per program; here the labels come from the names.
execute_process(COMMAND ${PROGRAM} --list-test-cases --no-colors OUTPUT_VARIABLE output RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --list-test-cases: ${status}\n${output}")
endif()
# Brackets and semicolons mean something in CMake's lists: keep them out while splitting.
string(ASCII 1 open)
string(ASCII 2 close)
string(ASCII 3 semicolon)
string(REPLACE "[" "${open}" output "${output}")
string(REPLACE "]" "${close}" output "${output}")
string(REPLACE ";" "${semicolon}" output "${output}")
string(REGEX MATCHALL "[^\n]+" lines "${output}")

set(script)
set(seen)
foreach(line IN LISTS lines)
  if(line MATCHES "^${open}doctest${close}|^====")
    continue()
  endif()
  if(line IN_LIST seen)
    message(FATAL_ERROR "${FOLDER}: two test cases are named '${line}'")  # each would run both
  endif()
  list(APPEND seen "${line}")
  set(labels fast)
  if(line MATCHES "${open}slow${close}")
    set(labels slow)
  endif()
  if(line MATCHES "${open}threads${close}")
    string(APPEND labels " threads")
  endif()
  set(seconds 300)
  if(labels MATCHES slow)
    set(seconds 1800)
  endif()
  string(REPLACE " " ";" labels "${labels}")
  string(REPLACE "${open}" "[" name "${line}")
  string(REPLACE "${close}" "]" name "${name}")
  string(REPLACE "${semicolon}" ";" name "${name}")
  string(REPLACE "," "\\," filter "${name}")  # a comma separates filters
  string(APPEND script "add_test([==[${FOLDER}/${name}]==] [==[${PROGRAM}]==] [==[--test-case=${filter}]==])\n"
    "set_tests_properties([==[${FOLDER}/${name}]==] PROPERTIES LABELS \"${labels}\" TIMEOUT ${seconds}\n"
    "  FAIL_REGULAR_EXPRESSION [==[test cases: +0 [|]]==])\n")  # doctest is content when a filter matches nothing
endforeach()
file(WRITE ${LIST} "${script}")
