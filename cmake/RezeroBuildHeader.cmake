cmake_minimum_required(VERSION 3.25)
# cmake -D HEADER= -D SOURCE= -D VERSION= -D COMPILER= -P: writes HEADER if its contents change.
set(commit)
if(EXISTS ${SOURCE}/.git)  # not the repository that an unpacked archive happens to lie in
  # Without optional locks: a build must not get in the way of a git command that runs beside it.
  execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  execute_process(COMMAND git -C ${SOURCE} --no-optional-locks status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(commit)
  elseif(changes)
    string(APPEND commit "-dirty")
  endif()
endif()
if(NOT commit)
  set(commit unknown)
endif()
set(text "#pragma once
#define RZ_VERSION \"${VERSION}\"
#define RZ_COMMIT \"${commit}\"
#define RZ_COMPILER \"${COMPILER}\"
")
set(old)
if(EXISTS ${HEADER})
  file(READ ${HEADER} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${HEADER} "${text}")
endif()
