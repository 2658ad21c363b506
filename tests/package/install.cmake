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
if(EXISTS ${PREFIX}/bin/pp)
  message(FATAL_ERROR "a program called pp was installed: that name belongs to another package")
endif()
