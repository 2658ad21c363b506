# What pp is built from, found once.
find_package(PkgConfig REQUIRED)
set(FOUND_LIBATOMIC ON)   # CapnProto 0.9's package asks for it in vain where atomics need no library
find_package(CapnProto REQUIRED)
find_package(TBB REQUIRED)
find_package(Threads REQUIRED)
find_package(cereal REQUIRED)
find_package(Boost 1.81 REQUIRED)   # headers only: PFR
find_package(spdlog REQUIRED)
pkg_check_modules(libfabric REQUIRED IMPORTED_TARGET libfabric)
pkg_check_modules(libsodium REQUIRED IMPORTED_TARGET libsodium)

# Cap'n Proto 0.9's headers are not C++20 for every compiler: see kj_comparisons.hpp.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -std=c++20)
check_cxx_source_compiles("#include <capnp/blob.h>\nint main() {}" PP_CAPNP_COMPILES_AS_CXX20)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT PP_CAPNP_COMPILES_AS_CXX20)
  target_compile_options(CapnProto::capnp INTERFACE "SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/kj_comparisons.hpp")
endif()
