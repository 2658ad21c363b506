# The node daemon's units for systemd, the user it runs as and its file of settings are installed beside the programs. Which paths stand
# in them is known when they are laid down, not before: `cmake --install --prefix` says.
install(CODE "
  set(PP_BINDIR \"${CMAKE_INSTALL_BINDIR}\")
  set(PP_MADE \"${PROJECT_BINARY_DIR}/install/units\")
  include(\"${PROJECT_SOURCE_DIR}/cmake/lay_down_units.cmake\")" COMPONENT tools)
