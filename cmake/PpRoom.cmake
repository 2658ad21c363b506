# pp_room(name): a floor of the house: a library whose only exported include directory is its door, include/pp/*.hpp.
#
#   pp_room(transport SOURCES fabric.cpp ... SCHEMAS hello.capnp ... PUBLIC pp::below PRIVATE vendor::lib ...)
#
# The room's own headers lie flat beside its sources and are seen by that room (and by tests that name it) only.
#
# Each room is a static library; the objects of all rooms are libpp.so as well (target pp_shared), which shows what the doors
# declare and hides the rest. Who links pp::NAME gets the room, or libpp.so where BUILD_SHARED_LIBS asks for it; but tests and
# benchmarks look behind the doors, so beside them everything in this tree is linked with the rooms.
set(PP_DOORS_SHARED OFF)
if(BUILD_SHARED_LIBS AND NOT PP_BUILD_TESTS AND NOT PP_BUILD_BENCH)
  set(PP_DOORS_SHARED ON)
endif()
add_library(pp_shared SHARED EXCLUDE_FROM_ALL)
set_target_properties(pp_shared PROPERTIES EXPORT_NAME shared OUTPUT_NAME pp LINKER_LANGUAGE CXX INSTALL_RPATH ""
  SOVERSION ${PP_ABI} VERSION ${PP_ABI}.${PROJECT_VERSION_MINOR}.${PROJECT_VERSION_PATCH})
target_compile_features(pp_shared PUBLIC cxx_std_20)
target_include_directories(pp_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
  target_link_options(pp_shared PRIVATE -Wl,-z,defs)   # it names everything that it needs
endif()

function(pp_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;SCHEMAS;PUBLIC;PRIVATE" ${ARGN})
  list(TRANSFORM ROOM_PUBLIC REPLACE "^pp::" "pp_")   # below a room is a room, whatever pp::NAME means to others
  add_library(pp_${name} STATIC ${ROOM_SOURCES})
  if(PP_DOORS_SHARED)
    add_library(pp::${name} ALIAS pp_shared)
  else()
    add_library(pp::${name} ALIAS pp_${name})
  endif()
  set_target_properties(pp_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME pp_${name}
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(pp_${name} PUBLIC cxx_std_20)
  file(GLOB doors CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/pp/*.hpp)
  target_sources(pp_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include FILES ${doors})
  target_include_directories(pp_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  if(ROOM_SCHEMAS)
    set(CAPNPC_SRC_PREFIX ${CMAKE_CURRENT_SOURCE_DIR})
    set(CAPNPC_OUTPUT_DIR ${CMAKE_CURRENT_BINARY_DIR}/schema)
    file(MAKE_DIRECTORY ${CAPNPC_OUTPUT_DIR})
    capnp_generate_cpp(schema_sources schema_headers ${ROOM_SCHEMAS})
    set_source_files_properties(${schema_sources} PROPERTIES COMPILE_OPTIONS -w)
    # Whoever compiles the room's sources once more (tests/simulation) waits for these alone.
    add_custom_target(pp_${name}_schema DEPENDS ${schema_sources} ${schema_headers})
    add_dependencies(pp_${name} pp_${name}_schema)
    target_sources(pp_${name} PRIVATE ${schema_sources} ${schema_headers})
    target_include_directories(pp_${name} SYSTEM PRIVATE ${CAPNPC_OUTPUT_DIR})
  endif()
  target_link_libraries(pp_${name} PUBLIC ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})

  target_sources(pp_shared PRIVATE $<TARGET_OBJECTS:pp_${name}>)
  target_include_directories(pp_shared INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>)
  list(FILTER ROOM_PUBLIC EXCLUDE REGEX "^pp_")
  target_link_libraries(pp_shared PUBLIC ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
endfunction()
