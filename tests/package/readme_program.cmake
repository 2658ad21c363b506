# Reads the README's first program, its CMake lines and its output, so that what strangers copy is what is tested.

# readme_block(language out): the first ```language block of README.
function(readme_block language out)
  file(READ ${README} readme)
  if(NOT readme MATCHES "```${language}\n([^`]+)```")
    message(FATAL_ERROR "${README} holds no \`\`\`${language} block")
  endif()
  set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

# lay_out_readme_program(): writes main.cpp and CMakeLists.txt into WORK, emptied first.
function(lay_out_readme_program)
  file(REMOVE_RECURSE ${WORK})
  readme_block(cpp program)
  file(WRITE ${WORK}/main.cpp "${program}")
  string(REGEX MATCHALL "\n" lines "${program}")
  list(LENGTH lines lines)
  if(lines GREATER 25)
    message(FATAL_ERROR "the README's program has ${lines} lines; at most 25 were promised")
  endif()
  readme_block(cmake lists)
  file(WRITE ${WORK}/CMakeLists.txt "${lists}")
endfunction()

# run_readme_program(program): it must print what the README shows, on this machine alone: no key, no network. Where KIND says how it
# was linked, that is so, and it prints the same on two nodes.
function(run_readme_program program)
  readme_block(text expected)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${PREFIX}/${LIBDIR} ${program}
    OUTPUT_VARIABLE printed TIMEOUT 60 COMMAND_ERROR_IS_FATAL ANY)
  if(NOT printed STREQUAL expected)
    message(FATAL_ERROR "the README promises:\n${expected}and the program printed:\n${printed}")
  endif()
  if(KIND)
    is_linked(${program} ${KIND})
    execute_process(COMMAND ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${PREFIX}/${LIBDIR} PP_WORKERS=1
        ${PREFIX}/bin/pp-launch -n 2 --quiet -- ${program}
      OUTPUT_VARIABLE printed TIMEOUT 60 COMMAND_ERROR_IS_FATAL ANY)
    if(NOT printed STREQUAL expected)
      message(FATAL_ERROR "the README promises:\n${expected}and on two nodes the program printed:\n${printed}")
    endif()
  endif()
endfunction()

# is_linked(program static|shared): whether it needs libpp.so.
function(is_linked program kind)
  execute_process(COMMAND readelf --dynamic ${program} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
  set(found static)
  if(dynamic MATCHES "libpp\\.so\\.${ABI}]")
    set(found shared)
  endif()
  if(NOT found STREQUAL kind)
    message(FATAL_ERROR "${program} should be linked with the ${kind} library, and is not:\n${dynamic}")
  endif()
endfunction()
