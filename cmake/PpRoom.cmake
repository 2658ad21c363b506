# pp_room(name): a floor of the house: a library whose only exported include directory is its door, include/pp/*.hpp.
#
#   pp_room(transport SOURCES fabric.cpp ... SCHEMAS hello.capnp ... PUBLIC pp::below PRIVATE vendor::lib ...)
#
# The room's own headers lie flat beside its sources and are seen by that room (and by tests that name it) only.
function(pp_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;SCHEMAS;PUBLIC;PRIVATE" ${ARGN})
  add_library(pp_${name} ${ROOM_SOURCES})
  add_library(pp::${name} ALIAS pp_${name})
  set_target_properties(pp_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME pp_${name}
    POSITION_INDEPENDENT_CODE ON VERIFY_INTERFACE_HEADER_SETS ON
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
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
endfunction()
