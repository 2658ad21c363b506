// The numbers themselves: two from the build, one from the handshake.
#include <pp/version.hpp>

#include "handshake.hpp"

namespace pp {

std::string_view version() { return PP_VERSION; }

unsigned wire_version() { return transport::Handshake::kVersion; }

unsigned abi_version() { return PP_ABI; }

std::string versions() {
  return std::string(version()) + " (wire version " + std::to_string(wire_version()) + ", ABI " +
         std::to_string(abi_version()) + ")";
}

}  // namespace pp
