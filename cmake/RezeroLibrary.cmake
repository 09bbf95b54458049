# <rezero/nn/linear.h> works in the build tree as it does once installed.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/include/rezero SYMBOLIC)

# Language and warnings, the same for libraries, command and tests. Warnings become errors in the presets only.
function(rezero_compile_options target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion)
  # In a unit of several files a local variable hides what another file keeps to itself, which is of no interest.
  get_target_property(unity ${target} UNITY_BUILD)
  if(unity)
    set_target_properties(${target} PROPERTIES UNITY_BUILD_CODE_BEFORE_INCLUDE "// NOLINTNEXTLINE(bugprone-suspicious-include)")
    target_compile_options(${target} PRIVATE -Wno-shadow)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)  # false alarms inside std::string, GCC bug 105651
  elseif(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(${target} PRIVATE -Wno-deprecated-declarations)  # libstdc++ 12's own std::stable_sort
  endif()
endfunction()

# rezero_library(<name> [FOLDER folder] [SOURCES ...] [PUBLIC name ...] [PRIVATE target ...] [HEADERS_OF target ...] [INTERNAL])
# The static library rezero::<name> of the sources below FOLDER (default <name>). PUBLIC names other libraries of ours, HEADERS_OF
# header-only packages that programs which link us do not need. INTERNAL: not installed. A folder without sources is an interface library.
function(rezero_library name)
  cmake_parse_arguments(arg "INTERNAL" "FOLDER" "SOURCES;PUBLIC;PRIVATE;HEADERS_OF" ${ARGN})
  if(NOT arg_FOLDER)
    set(arg_FOLDER ${name})
  endif()
  if(NOT arg_SOURCES)
    file(GLOB_RECURSE arg_SOURCES CONFIGURE_DEPENDS ${arg_FOLDER}/*.cpp)
  endif()
  set(target rezero_${name})
  set(visible PUBLIC)
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    rezero_compile_options(${target})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE})
    foreach(package ${arg_HEADERS_OF})
      target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:${package},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
  else()
    add_library(${target} INTERFACE)
    set(visible INTERFACE)
  endif()
  add_library(rezero::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${visible} cxx_std_20)
  target_include_directories(${target} ${visible}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/rezero>)
  list(TRANSFORM arg_PUBLIC PREPEND rezero::)
  target_link_libraries(${target} ${visible} ${arg_PUBLIC})
  if(arg_INTERNAL)
    return()
  endif()
  install(TARGETS ${target} EXPORT rezeroTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  if(EXISTS ${PROJECT_SOURCE_DIR}/${arg_FOLDER})
    # No public header includes these: core/cpu and core/cuda are implementations of core/backend.h, the files are used
    # within their library alone.
    install(DIRECTORY ${arg_FOLDER}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/rezero/${arg_FOLDER}
      FILES_MATCHING PATTERN "*.h" PATTERN cpu EXCLUDE PATTERN cuda EXCLUDE
      PATTERN ops_call.h EXCLUDE PATTERN lift.h EXCLUDE PATTERN rules.h EXCLUDE PATTERN resolve_key.h EXCLUDE)
  endif()
endfunction()

# rezero_kernels(<variable> <folder>): compiles the folder's sources once per instruction set, and each source in its folder bf16 for the one
# that it is named after; the objects go into <variable>.
# The order of a variant's flags matters: they stand after the build type's, so kernels are at -O3 in every build.
function(rezero_kernels variable folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(baseline)
  set(names baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(baseline -march=x86-64-v2)
    set(avx2 -march=x86-64-v3)
    set(avx512 -march=x86-64-v4 -mprefer-vector-width=512)
    set(avx512_bf16 ${avx512} -mavx512bf16)
    set(amx ${avx512_bf16} -mamx-tile -mamx-bf16)
    list(APPEND names avx2 avx512 avx512_bf16 amx)
  endif()
  set(objects)
  if(sources)
    foreach(name ${names})
      set(target rezero_kernels_${name})
      if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/bf16/${name}.cpp)
        add_library(${target} OBJECT ${folder}/bf16/${name}.cpp)
      else()
        add_library(${target} OBJECT ${sources})
      endif()
      set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)  # what is inlined in a kernel is the same in every build
      rezero_compile_options(${target})
      target_compile_options(${target} PRIVATE ${${name}}
        -O3 -fno-math-errno -fno-trapping-math -fvisibility=hidden -fvisibility-inlines-hidden)
      if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
        target_compile_options(${target} PRIVATE -Wno-uninitialized)  # false alarms inside AVX-512 intrinsics, GCC bug 105593
      endif()
      target_compile_definitions(${target} PRIVATE RZ_ISA=${name})
      target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
      list(APPEND objects $<TARGET_OBJECTS:${target}>)
    endforeach()
  endif()
  set(${variable} ${objects} PARENT_SCOPE)
endfunction()

# rezero_build_header(<target> ...): the targets may include "rezero_build.h" with RZ_VERSION, RZ_COMMIT and RZ_COMPILER. It is looked at in
# every build and written only when it changes, so a commit rebuilds the files that include it and nothing else.
function(rezero_build_header)
  set(header ${PROJECT_BINARY_DIR}/generated/rezero_build.h)
  set(write ${CMAKE_COMMAND} -D HEADER=${header} -D SOURCE=${PROJECT_SOURCE_DIR} -D VERSION=${PROJECT_VERSION}
    -D "COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" -P ${PROJECT_SOURCE_DIR}/cmake/RezeroBuildHeader.cmake)
  execute_process(COMMAND ${write})
  add_custom_target(rezero_build_header COMMAND ${write} BYPRODUCTS ${header} VERBATIM)
  foreach(target ${ARGN})
    add_dependencies(${target} rezero_build_header)
    get_target_property(type ${target} TYPE)
    if(NOT type STREQUAL INTERFACE_LIBRARY)
      target_include_directories(${target} PRIVATE ${PROJECT_BINARY_DIR}/generated)
    endif()
  endforeach()
endfunction()

# rezero_embed_sources(<target> <source>): packs the project's sources and documents into one file, whose path <source> of <target> finds
# in RZ_SOURCES. It is packed again when one of them changes; then <source> alone is compiled again.
function(rezero_embed_sources target source)
  set(patterns)
  foreach(folder core autograd nn optim data tools docs)
    list(APPEND patterns ${folder}/*.h ${folder}/*.cpp ${folder}/*.md)
  endforeach()
  file(GLOB_RECURSE files RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${patterns})
  list(APPEND files README.md)
  set(list ${PROJECT_BINARY_DIR}/generated/sources.list)
  set(text ${PROJECT_BINARY_DIR}/generated/sources.text)
  list(JOIN files "\n" lines)
  file(GENERATE OUTPUT ${list} CONTENT "${lines}\n")
  list(TRANSFORM files PREPEND ${PROJECT_SOURCE_DIR}/)
  set(script ${PROJECT_SOURCE_DIR}/cmake/RezeroSources.cmake)
  add_custom_command(OUTPUT ${text} DEPENDS ${files} ${list} ${script} COMMENT "Packing the sources" VERBATIM
    COMMAND ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR} -D LIST=${list} -D OUT=${text} -P ${script})
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${text} SKIP_UNITY_BUILD_INCLUSION ON
    COMPILE_DEFINITIONS "RZ_SOURCES=\"${text}\"")
  target_sources(${target} PRIVATE ${text})
endfunction()
