# Builds the README's program with the README's CMake lines against the installed package, then runs it. KIND (static or shared), if
# it is given, is asked for as a component; without it the package decides.
include(${CMAKE_CURRENT_LIST_DIR}/readme_program.cmake)
lay_out_readme_program()
if(KIND STREQUAL "static")   # shared is what the README's own lines find where both are installed
  file(READ ${WORK}/CMakeLists.txt lists)
  string(REPLACE "find_package(pp 0.1 REQUIRED)" "find_package(pp 0.1 REQUIRED COMPONENTS static)" lists "${lists}")
  file(WRITE ${WORK}/CMakeLists.txt "${lists}")
endif()
execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${WORK} -B ${WORK}/build -G Ninja -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_BUILD_TYPE=Release
          -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/build COMMAND_ERROR_IS_FATAL ANY)
run_readme_program(${WORK}/build/primes)
