# find_package(rezero) for other projects; the command's recipes.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/rezero)
install(EXPORT rezeroTargets NAMESPACE rezero:: DESTINATION ${package_folder})
configure_package_config_file(cmake/rezeroConfig.cmake.in ${PROJECT_BINARY_DIR}/rezeroConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rezeroConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rezeroConfig.cmake ${PROJECT_BINARY_DIR}/rezeroConfigVersion.cmake
  cmake/RezeroDependencies.cmake DESTINATION ${package_folder})
if(EXISTS ${PROJECT_SOURCE_DIR}/tools/recipes)
  install(DIRECTORY tools/recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/rezero/recipes FILES_MATCHING PATTERN "*.toml")
endif()
