# Builds the README's program as a project that has pp (TREE) as a subdirectory: with the rooms in it, then with libpp.so beside it.
include(${CMAKE_CURRENT_LIST_DIR}/readme_program.cmake)
lay_out_readme_program()
file(READ ${WORK}/CMakeLists.txt lists)
string(REPLACE "find_package(pp 0.1 REQUIRED)" "add_subdirectory(${TREE} pp)" lists "${lists}")
file(WRITE ${WORK}/CMakeLists.txt "${lists}")
foreach(kind static shared)
  set(build_shared OFF)
  if(kind STREQUAL "shared")
    set(build_shared ON)
  endif()
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${WORK} -B ${WORK}/build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=${build_shared}
            -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/build --target primes pp-launch COMMAND_ERROR_IS_FATAL ANY)
  run_readme_program(${WORK}/build/primes)
  is_linked(${WORK}/build/primes ${kind})
endforeach()
