# Manual pages and shell completion of the programs, made from what their --help says (tools/manual). They are installed beside them.
#
# What a page says beyond --help is in tools/manual/NAME.SECTION.txt, if there is such a file; without one the section is 1. A new
# program in tools/ gets its page and its completion by itself.
find_program(PP_AWK NAMES mawk gawk awk)
find_program(GZIP gzip)
if(NOT PP_AWK OR NOT GZIP OR CMAKE_CROSSCOMPILING)
  message(STATUS "No manual pages and no completion: awk and gzip are needed, and programs that run here")
  return()
endif()

set(manual ${PROJECT_SOURCE_DIR}/tools/manual)
set(PP_PAGES ${PROJECT_BINARY_DIR}/manual)
file(MAKE_DIRECTORY ${PP_PAGES}/bash ${PP_PAGES}/zsh)
file(STRINGS ${PROJECT_SOURCE_DIR}/CHANGELOG.md dated REGEX "^## ${PROJECT_VERSION} - ")
string(REGEX REPLACE ".* - " "" dated "${dated}")   # of the release: a page does not change by being built again

set(PP_PROGRAMS)
get_property(targets DIRECTORY ${PROJECT_SOURCE_DIR}/tools PROPERTY BUILDSYSTEM_TARGETS)
foreach(target IN LISTS targets)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    list(APPEND PP_PROGRAMS ${target})
  endif()
endforeach()
list(SORT PP_PROGRAMS)

function(pp_section program out)
  set(section 1)
  file(GLOB more ${manual}/${program}.[1-8].txt)
  if(more)
    string(REGEX REPLACE ".*\\.([1-8])\\.txt$" "\\1" section "${more}")
  endif()
  set(${out} ${section} PARENT_SCOPE)
endfunction()

set(made)
foreach(program IN LISTS PP_PROGRAMS)
  pp_section(${program} section)
  set(more ${manual}/${program}.${section}.txt)
  if(NOT EXISTS ${more})
    set(more)
  endif()
  set(others)
  foreach(other IN LISTS PP_PROGRAMS)
    if(NOT other STREQUAL program)
      pp_section(${other} its_section)
      string(APPEND others "${other}(${its_section}) ")
    endif()
  endforeach()
  string(STRIP "${others}" others)
  set(page ${PP_PAGES}/${program}.${section})
  set(awk ${PP_AWK} -v name=${program} -f ${manual}/options.awk)
  add_custom_command(OUTPUT ${page} ${page}.gz ${PP_PAGES}/bash/${program} ${PP_PAGES}/zsh/_${program}
    COMMAND ${program} --help > ${program}.help
    COMMAND ${awk} -v section=${section} -v version=${PROJECT_VERSION} -v date=${dated} -v more=${more} -v "others=${others}"
      -f ${manual}/page.awk ${program}.help > ${page}
    COMMAND ${GZIP} -9 --no-name --force --keep ${page}
    COMMAND ${awk} -v shell=bash -f ${manual}/completion.awk ${program}.help > bash/${program}
    COMMAND ${awk} -v shell=zsh -f ${manual}/completion.awk ${program}.help > zsh/_${program}
    WORKING_DIRECTORY ${PP_PAGES}
    DEPENDS ${program} ${more} ${manual}/options.awk ${manual}/page.awk ${manual}/completion.awk
    COMMENT "Manual page and completion of ${program}" VERBATIM)
  list(APPEND made ${page}.gz)
  install(FILES ${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT tools)
  install(FILES ${PP_PAGES}/bash/${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
  install(FILES ${PP_PAGES}/zsh/_${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT tools)
endforeach()
add_custom_target(manual ALL DEPENDS ${made})
