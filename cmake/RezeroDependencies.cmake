# The packages that rezero's libraries link. Read by the build and, once installed, by find_package(rezero): a static library needs its
# private dependencies again when a program is linked, though not their headers. REZERO_MISSING lists what was not found.
set(REZERO_MISSING)
foreach(package Threads fmt ZLIB)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    list(APPEND REZERO_MISSING ${package})
  endif()
endforeach()

# An imported target from a header and a library. OpenBLAS is wanted by name, not as any BLAS (its LAPACK and its thread setting are used);
# Debian's libzip-config.cmake asks for tools that libzip-dev does not bring; xxhash has no CMake package.
function(rezero_find_library name header library)
  if(TARGET rezero::${name})
    return()
  endif()
  find_path(REZERO_${name}_INCLUDE_DIR ${header} PATH_SUFFIXES ${ARGN})
  find_library(REZERO_${name}_LIBRARY ${library})
  mark_as_advanced(REZERO_${name}_INCLUDE_DIR REZERO_${name}_LIBRARY)
  if(REZERO_${name}_INCLUDE_DIR AND REZERO_${name}_LIBRARY)
    add_library(rezero::${name} UNKNOWN IMPORTED)
    set_target_properties(rezero::${name} PROPERTIES
      IMPORTED_LOCATION ${REZERO_${name}_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${REZERO_${name}_INCLUDE_DIR})
  else()
    set(REZERO_MISSING ${REZERO_MISSING} ${name} PARENT_SCOPE)
  endif()
endfunction()
rezero_find_library(openblas cblas.h openblas openblas-pthread openblas)
rezero_find_library(libzip zip.h zip)
rezero_find_library(xxhash xxhash.h xxhash)
