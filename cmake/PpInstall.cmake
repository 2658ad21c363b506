# What `cmake --install` lays down: the rooms and their doors, and how others find them (CMake and pkg-config). The tools
# install themselves.
include(CMakePackageConfigHelpers)

set(PP_ROOMS pp_transport pp_discovery pp_runtime)
install(TARGETS ${PP_ROOMS}
  EXPORT pp-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(PP_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/pp)
install(EXPORT pp-targets NAMESPACE pp:: DESTINATION ${PP_PACKAGE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pp-config.cmake.in ${PROJECT_BINARY_DIR}/pp-config.cmake
  INSTALL_DESTINATION ${PP_PACKAGE_DIR})
# 0.x: every minor version may change the doors and what is said between nodes.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pp-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pp-config.cmake ${PROJECT_BINARY_DIR}/pp-config-version.cmake
  DESTINATION ${PP_PACKAGE_DIR})

# Static rooms hand their vendors on to whoever links them, so that plain `pkg-config --libs pp` is enough; shared
# rooms carry them already.
set(PP_PC_VENDORS "libsodium tbb capnp spdlog")
if(BUILD_SHARED_LIBS)
  set(PP_PC_REQUIRES "Requires.private: ${PP_PC_VENDORS}")
else()
  set(PP_PC_REQUIRES "Requires: ${PP_PC_VENDORS}")
endif()
file(RELATIVE_PATH PP_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" PP_PC_TO_PREFIX "${PP_PC_TO_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/pp.pc.in ${PROJECT_BINARY_DIR}/pp.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
