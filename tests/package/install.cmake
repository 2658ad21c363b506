# Installs a finished build (BUILD) into PREFIX, emptied first, and checks that nothing but pp's own lies there.
file(REMOVE_RECURSE ${PREFIX})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} COMMAND_ERROR_IS_FATAL ANY)

# Doors are installed flat and no private header comes along; /usr/bin/pp belongs to another Debian package.
file(GLOB_RECURSE headers RELATIVE ${PREFIX}/include ${PREFIX}/include/*)
foreach(header IN LISTS headers)
  if(NOT header MATCHES "^pp/[a-z0-9_]+\\.hpp$")
    message(FATAL_ERROR "include/${header} was installed; only include/pp/*.hpp, the doors, should be")
  endif()
endforeach()

# The units name the prefix, and the settings in it.
file(STRINGS ${PREFIX}/lib/systemd/system/ppd.service start REGEX "^ExecStart=")
if(NOT start STREQUAL "ExecStart=${PREFIX}/bin/ppd --config ${PREFIX}/etc/pp/ppd.toml --log-format journal")
  message(FATAL_ERROR "ppd.service does not start what was installed: ${start}")
endif()
# Settings that somebody has changed stay.
file(APPEND ${PREFIX}/etc/pp/ppd.toml "# changed\n")
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component tools OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(STRINGS ${PREFIX}/etc/pp/ppd.toml changed REGEX "^# changed$")
if(NOT changed)
  message(FATAL_ERROR "a second installation has overwritten ${PREFIX}/etc/pp/ppd.toml")
endif()

if(EXISTS ${PREFIX}/bin/pp)
  message(FATAL_ERROR "a program called pp was installed: that name belongs to another package")
endif()
