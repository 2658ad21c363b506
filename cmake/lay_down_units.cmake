# Fills in and lays down the node daemon's units and settings; a part of the install script, which sets PP_BINDIR and PP_MADE.
set(PP_ETC_HERE ${CMAKE_INSTALL_PREFIX}/etc)
set(PP_PREFIX ${CMAKE_INSTALL_PREFIX})
if(PP_PREFIX MATCHES "/_CPack_Packages/.*/usr$")   # a package: what lies here now will be in /usr
  set(PP_PREFIX /usr)
endif()
set(PP_ETC ${PP_PREFIX}/etc)
if(PP_PREFIX STREQUAL "/usr")   # the one prefix whose settings are not within it
  set(PP_ETC /etc)
  cmake_path(GET CMAKE_INSTALL_PREFIX PARENT_PATH root)
  cmake_path(APPEND root etc OUTPUT_VARIABLE PP_ETC_HERE)
endif()
set(PP_BIN ${PP_PREFIX}/${PP_BINDIR})

set(systemd ${CMAKE_CURRENT_LIST_DIR}/../tools/systemd)
configure_file(${systemd}/ppd.service.in ${PP_MADE}/system/ppd.service @ONLY)
configure_file(${systemd}/ppd-user.service.in ${PP_MADE}/user/ppd.service @ONLY)
configure_file(${systemd}/ppd.toml.in ${PP_MADE}/ppd.toml @ONLY)
file(INSTALL ${PP_MADE}/system/ppd.service DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
file(INSTALL ${PP_MADE}/user/ppd.service DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/user)
file(INSTALL ${systemd}/ppd.sysusers DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/sysusers.d RENAME ppd.conf)
# Settings that somebody has changed stay; a package's are dpkg's to look after.
if(NOT EXISTS $ENV{DESTDIR}${PP_ETC_HERE}/pp/ppd.toml)
  file(INSTALL ${PP_MADE}/ppd.toml DESTINATION ${PP_ETC_HERE}/pp)
endif()
