# The Debian packages: libpp0 (libpp.so), libpp-dev (headers, static library, CMake and pkg-config), pp-tools (the programs). The target
# `packages` makes them, in packages/ of the build directory; nothing is compiled again for them.
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)   # it finds out what they depend on
if(NOT DPKG_SHLIBDEPS OR NOT TARGET manual OR CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
  message(STATUS "No Debian packages are made: dpkg-shlibdeps (./setup.sh installs it), manual pages and no sanitizer are needed")
  return()
endif()
set(PP_MAINTAINER "The pp authors <maintainers@pp.example>" CACHE STRING "Whom the packages name as their maintainer")

execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-multiarch OUTPUT_VARIABLE triplet OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set(libdir lib/${triplet})   # where Debian keeps libraries, whatever the prefix of this build would have them
string(REGEX REPLACE "/$" "" PP_DEBIAN_LIBDIR "${libdir}")
pp_lay_down(debian LIBDIR ${PP_DEBIAN_LIBDIR} LIBRARY debian_library DEVELOPMENT debian_development STATIC SHARED OPTIONAL)

# What every package says of itself: changes, copyright, and which of lintian's findings are meant.
set(said ${PROJECT_BINARY_DIR}/install/debian-says)
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE)
file(READ ${PROJECT_SOURCE_DIR}/CHANGELOG.md changes)
if(NOT changes MATCHES "\n## ${PROJECT_VERSION} - ([0-9]+-[0-9]+-[0-9]+)\n")
  message(FATAL_ERROR "CHANGELOG.md says nothing of this version, expected a heading: ## ${PROJECT_VERSION} - YEAR-MONTH-DAY")
endif()
execute_process(COMMAND date --utc --rfc-email --date=${CMAKE_MATCH_1}
  OUTPUT_VARIABLE PP_RELEASED OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${PROJECT_SOURCE_DIR}/LICENSE license)
list(POP_FRONT license)   # its name
set(PP_LICENSE_TEXT)
foreach(line IN LISTS license)
  if(line MATCHES "^Copyright")
    continue()
  elseif(line STREQUAL "")
    set(line ".")
  endif()
  string(APPEND PP_LICENSE_TEXT " ${line}\n")
endforeach()
string(REGEX REPLACE "^( \\.\n)+" "" PP_LICENSE_TEXT "${PP_LICENSE_TEXT}")
set(PP_DEBIAN_VERSION ${PROJECT_VERSION}-1)
configure_file(${PROJECT_SOURCE_DIR}/cmake/debian/changelog.template ${said}/changelog.Debian @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/cmake/debian/copyright.template ${said}/copyright @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/CHANGELOG.md ${said}/changelog COPYONLY)
foreach(text changelog changelog.Debian)
  execute_process(COMMAND ${GZIP} -9 --no-name --force --keep ${said}/${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# pp_package(component name): the component becomes the package.
function(pp_package component name)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  install(FILES ${said}/changelog.gz ${said}/changelog.Debian.gz ${said}/copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component} EXCLUDE_FROM_ALL)
  set(PP_PACKAGE ${name})
  configure_file(${PROJECT_SOURCE_DIR}/cmake/debian/lintian-overrides.in ${said}/${name}.overrides @ONLY)
  install(FILES ${said}/${name}.overrides
    DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides RENAME ${name} COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()
pp_package(debian_library libpp${PP_ABI})
pp_package(debian_development libpp-dev)
pp_package(tools pp-tools)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pp)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "pp built using CMake")   # its default: another one would begin every package's text
set(CPACK_PACKAGE_CONTACT ${PP_MAINTAINER})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL debian_library debian_development tools)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)   # whatever the umask
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_POST_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian/finish.cmake)

set(CPACK_DEBIAN_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/debian/triggers)
set(CPACK_DEBIAN_DEBIAN_LIBRARY_PACKAGE_DEPENDS libfabric1)   # a node with a network loads it: nothing is linked with it
set(CPACK_DEBIAN_DEBIAN_LIBRARY_DESCRIPTION
"work-stealing task runtime for one core, one machine or a cluster
pp runs plain C++ functions on every core of one machine or of many: a
program submits jobs, and whoever is idle takes them. Nodes may join, leave
and crash while it runs; each result comes back exactly once.

This package has the shared library that programs run with.")

set(CPACK_DEBIAN_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libpp${PP_ABI} (= ${PP_DEBIAN_VERSION}), libboost1.81-dev | libboost-dev (>= 1.81), libcapnp-dev, libcereal-dev, libsodium-dev, libspdlog-dev, libtbb-dev")
set(CPACK_DEBIAN_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS "pp-tools, cmake, pkg-config")
set(CPACK_DEBIAN_DEBIAN_DEVELOPMENT_DESCRIPTION
"work-stealing task runtime - development files
pp runs plain C++ functions on every core of one machine or of many: a
program submits jobs, and whoever is idle takes them.

This package has what programs are built with: the headers, the static
library, and the files by which CMake and pkg-config find both libraries.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS "libpp-dev, openssh-client, systemd")
set(CPACK_DEBIAN_TOOLS_PACKAGE_CONTROL_EXTRA)   # for the node daemon: its user, its settings
foreach(script conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_TOOLS_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/debian/tools/${script})
endforeach()
set(CPACK_DEBIAN_TOOLS_DESCRIPTION
"work-stealing task runtime - programs that start and watch a cluster
pp runs plain C++ functions on every core of one machine or of many: a
program submits jobs, and whoever is idle takes them.

This package has the programs: pp-launch runs a program as several nodes,
pp-top shows what they do, ppd lends a machine's cores to launches, pp-keygen
makes the keys by which they know each other.")
include(CPack)
set_target_properties(pp_shared PROPERTIES EXCLUDE_FROM_ALL OFF)   # at hand when it is packed

# CPack takes what lies in the build directory. The programs are those that the folder tools/ installs, whichever they are.
add_custom_target(packages
  COMMAND ${CMAKE_CPACK_COMMAND} --config ${PROJECT_BINARY_DIR}/CPackConfig.cmake
  DEPENDS pp_shared ${PP_ROOMS} ${PP_PROGRAMS} manual
  WORKING_DIRECTORY ${PROJECT_BINARY_DIR}
  COMMENT "Debian packages: ${PROJECT_BINARY_DIR}/packages" VERBATIM)
