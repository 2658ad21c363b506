# pp-bench: the suite as one program. Its parts are a library of their own so that tests can have them without a process.
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(MPI COMPONENTS C QUIET)   # a yardstick, if it is there
pkg_check_modules(ompi QUIET ompi)     # and its version

set(commit_file ${CMAKE_CURRENT_BINARY_DIR}/commit.cpp)
set(make_commit ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUT=${commit_file} -P ${CMAKE_CURRENT_SOURCE_DIR}/suite/commit.cmake)
execute_process(COMMAND ${make_commit})
add_custom_target(pp_bench_commit COMMAND ${make_commit} BYPRODUCTS ${commit_file} VERBATIM)

add_library(pp_bench_suite STATIC
  suite/arguments.cpp
  suite/case.cpp
  suite/columns.cpp
  suite/compare.cpp
  suite/places.cpp
  suite/plots.cpp
  suite/results.cpp
  suite/results_json.cpp
  suite/runner.cpp
  suite/sample.cpp
  suite/spread.cpp
  suite/subprocess.cpp
  suite/svg.cpp
  suite/table.cpp
  suite/unit.cpp
)
target_include_directories(pp_bench_suite PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/suite PRIVATE ${PROJECT_SOURCE_DIR}/tools)
target_link_libraries(pp_bench_suite PUBLIC pp::transport PRIVATE pp::tools fmt::fmt nlohmann_json::nlohmann_json)
target_compile_features(pp_bench_suite PUBLIC cxx_std_20)

add_executable(pp-bench
  suite/pp_bench.cpp
  suite/provenance.cpp
  suite/registry.cpp
  cases/argument.cpp
  cases/bag.cpp
  cases/bags.cpp
  cases/bulk.cpp
  cases/footprint.cpp
  cases/fork.cpp
  cases/idle.cpp
  cases/latency.cpp
  cases/mpi_peer.cpp
  cases/python_peer.cpp
  cases/rate.cpp
  cases/raw_fabric.cpp
  cases/remote.cpp
  cases/request.cpp
  cases/seal.cpp
  cases/sealed_stream.cpp
  cases/start.cpp
  cases/steal.cpp
  cases/submit.cpp
  cases/tcp.cpp
  cases/uts.cpp
  cases/wire.cpp
  ${commit_file}
)
add_dependencies(pp-bench pp_bench_commit pp-launch)
target_include_directories(pp-bench PRIVATE ${PROJECT_SOURCE_DIR}/transport ${PROJECT_SOURCE_DIR}/runtime)
target_include_directories(pp-bench SYSTEM PRIVATE ${libfabric_INCLUDE_DIRS})   # the library is loaded when it is needed
target_link_libraries(pp-bench PRIVATE pp_bench_suite pp_apps_uts_jobs pp::runtime CLI11::CLI11 fmt::fmt TBB::tbb
  PkgConfig::libsodium)
target_compile_definitions(pp-bench PRIVATE PP_VERSION="${PROJECT_VERSION}" PP_BUILD_TYPE="${CMAKE_BUILD_TYPE}"
  PP_MPI_VERSION="${ompi_VERSION}" PP_LIBFABRIC_VERSION="${libfabric_VERSION}")

# The peers lie beside it in peers/, where it looks for them; one that was not built is skipped by name.
set(PP_BENCH_PEERS ${CMAKE_CURRENT_BINARY_DIR}/peers)
configure_file(peers/python_peer.py ${PP_BENCH_PEERS}/python_peer.py COPYONLY)
if(MPI_C_FOUND)
  add_executable(pp-bench-mpi
    peers/mpi.cpp
    peers/mpi_bag.cpp
    peers/mpi_messages.cpp
    peers/mpi_uts.cpp
    cases/bag.cpp
    cases/footprint.cpp
  )
  target_include_directories(pp-bench-mpi PRIVATE cases)
  target_link_libraries(pp-bench-mpi PRIVATE pp_bench_suite pp_apps_uts MPI::MPI_C)
  set_target_properties(pp-bench-mpi PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PP_BENCH_PEERS})
  add_dependencies(pp-bench pp-bench-mpi)
endif()
