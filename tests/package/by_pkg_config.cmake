# Builds the README's program with the compiler and pkg-config alone, then runs it. KIND static: against the static library where both
# are installed.
include(${CMAKE_CURRENT_LIST_DIR}/readme_program.cmake)
lay_out_readme_program()
set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig)
set(package pp)
if(KIND STREQUAL "static")
  set(package pp-static)
endif()
execute_process(COMMAND pkg-config --modversion ${package}
  OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT version STREQUAL VERSION)
  message(FATAL_ERROR "pkg-config says version ${version}, and this is ${VERSION}")
endif()
execute_process(COMMAND pkg-config --cflags --libs ${package} OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")
separate_arguments(CXX_FLAGS UNIX_COMMAND "${CXX_FLAGS}")
execute_process(COMMAND ${CXX} -std=c++20 -O2 ${CXX_FLAGS} ${WORK}/main.cpp ${flags} -o ${WORK}/primes
  COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
run_readme_program(${WORK}/primes)
