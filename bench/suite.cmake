# pp-bench: the suite as one program. Its parts are a library of their own so that tests can have them without a process.
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(MPI COMPONENTS C QUIET)   # a yardstick, if it is there

set(commit_file ${CMAKE_CURRENT_BINARY_DIR}/commit.cpp)
set(make_commit ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUT=${commit_file} -P ${CMAKE_CURRENT_SOURCE_DIR}/suite/commit.cmake)
execute_process(COMMAND ${make_commit})
add_custom_target(pp_bench_commit COMMAND ${make_commit} BYPRODUCTS ${commit_file} VERBATIM)

add_library(pp_bench_suite STATIC
  suite/arguments.cpp
  suite/case.cpp
  suite/columns.cpp
  suite/compare.cpp
  suite/plots.cpp
  suite/process.cpp
  suite/results.cpp
  suite/results_json.cpp
  suite/runner.cpp
  suite/sample.cpp
  suite/spread.cpp
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
  cases/fork.cpp
  cases/rate.cpp
  cases/remote.cpp
  cases/submit.cpp
  ${commit_file}
)
add_dependencies(pp-bench pp_bench_commit pp-launch)
target_include_directories(pp-bench PRIVATE ${PROJECT_SOURCE_DIR}/transport)
target_link_libraries(pp-bench PRIVATE pp_bench_suite pp_apps_uts_jobs pp::runtime CLI11::CLI11 fmt::fmt TBB::tbb PkgConfig::libfabric
  PkgConfig::libsodium)
target_compile_definitions(pp-bench PRIVATE PP_VERSION="${PROJECT_VERSION}" PP_BUILD_TYPE="${CMAKE_BUILD_TYPE}"
  PP_MPI_VERSION="${MPI_C_LIBRARY_VERSION_STRING}")
