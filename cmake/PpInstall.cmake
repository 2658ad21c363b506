# What `cmake --install` lays down: the library and its doors, and how others find them (CMake and pkg-config). The tools install
# themselves. PpPackages.cmake lays the same down for Debian's packages.
include(CMakePackageConfigHelpers)

set(PP_ROOMS pp_transport pp_discovery pp_runtime)
set(PP_VENDORS "libsodium tbb capnp kj-http spdlog")   # pkg-config's names of what static rooms hand on to whoever links them

# pp_lay_down(plan LIBDIR dir LIBRARY component DEVELOPMENT component [STATIC] [SHARED] [OPTIONAL])
#
# The rules that install one or both kinds of library: what programs run with as component LIBRARY, what they are built with as
# DEVELOPMENT. Where there are both, find_package(pp) and pkg-config's `pp` mean the shared one, as the linker does, and
# find_package(pp COMPONENTS static) and `pp-static` the other. OPTIONAL: only when the component is asked for by name.
function(pp_lay_down plan)
  cmake_parse_arguments(GO "STATIC;SHARED;OPTIONAL" "LIBDIR;LIBRARY;DEVELOPMENT" "" ${ARGN})
  set(asked)
  if(GO_OPTIONAL)
    set(asked EXCLUDE_FROM_ALL)
  endif()
  set(development COMPONENT ${GO_DEVELOPMENT} ${asked})
  set(package_dir ${GO_LIBDIR}/cmake/pp)
  set(made ${PROJECT_BINARY_DIR}/install/${plan})

  set(archives ${development})
  if(NOT GO_STATIC)
    set(archives COMPONENT unwanted EXCLUDE_FROM_ALL)
  endif()
  install(TARGETS ${PP_ROOMS} EXPORT pp-${plan}-static-targets
    ARCHIVE DESTINATION ${GO_LIBDIR} ${archives}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${development})
  if(GO_STATIC)
    install(EXPORT pp-${plan}-static-targets NAMESPACE pp:: DESTINATION ${package_dir} FILE pp-static-targets.cmake ${development})
  endif()
  if(GO_SHARED)
    install(TARGETS pp_shared EXPORT pp-${plan}-shared-targets
      LIBRARY DESTINATION ${GO_LIBDIR} COMPONENT ${GO_LIBRARY} ${asked} NAMELINK_COMPONENT ${GO_DEVELOPMENT})
    install(EXPORT pp-${plan}-shared-targets NAMESPACE pp:: DESTINATION ${package_dir} FILE pp-shared-targets.cmake ${development})
  endif()

  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/pp-config.cmake.in ${made}/pp-config.cmake
    INSTALL_DESTINATION ${package_dir})
  # 0.x: every minor version may change the doors and what is said between nodes.
  write_basic_package_version_file(${made}/pp-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${made}/pp-config.cmake ${made}/pp-config-version.cmake DESTINATION ${package_dir} ${development})

  file(RELATIVE_PATH PP_PC_TO_PREFIX /${GO_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" PP_PC_TO_PREFIX "${PP_PC_TO_PREFIX}")
  set(PP_PC_LIBDIR ${GO_LIBDIR})
  if(GO_STATIC)
    set(PP_PC_KIND "the static library")
    set(PP_PC_LIBS "-lpp_runtime -lpp_discovery -lpp_transport")
    set(PP_PC_REQUIRES "Requires: ${PP_VENDORS}")
    configure_file(${PROJECT_SOURCE_DIR}/cmake/pp.pc.in ${made}/pp-static.pc @ONLY)
    configure_file(${PROJECT_SOURCE_DIR}/cmake/pp.pc.in ${made}/pp.pc @ONLY)
    install(FILES ${made}/pp-static.pc DESTINATION ${GO_LIBDIR}/pkgconfig ${development})
  endif()
  if(GO_SHARED)
    set(PP_PC_KIND "the shared library")
    set(PP_PC_LIBS "-lpp")
    set(PP_PC_REQUIRES "")
    configure_file(${PROJECT_SOURCE_DIR}/cmake/pp.pc.in ${made}/pp.pc @ONLY)
  endif()
  install(FILES ${made}/pp.pc DESTINATION ${GO_LIBDIR}/pkgconfig ${development})
endfunction()

if(BUILD_SHARED_LIBS)
  set_target_properties(pp_shared PROPERTIES EXCLUDE_FROM_ALL OFF)
  pp_lay_down(plain LIBDIR ${CMAKE_INSTALL_LIBDIR} LIBRARY library DEVELOPMENT development SHARED)
else()
  pp_lay_down(plain LIBDIR ${CMAKE_INSTALL_LIBDIR} LIBRARY library DEVELOPMENT development STATIC)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license)
