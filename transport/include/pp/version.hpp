// Which pp a program runs with: three numbers that say what fits together.
#pragma once

#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace pp {

// The release, "0.1.0". Of the library that runs, which may be newer than the headers that were
// compiled.
std::string_view version();

// What nodes say to each other. Nodes of another wire version are refused in the handshake.
unsigned wire_version();

// The number in the name of the shared library: programs run with a library of the ABI that they
// were built with, and with no other.
unsigned abi_version();

// All of them in words: "0.1.0 (wire version 5, ABI 0)".
std::string versions();

}  // namespace pp

#pragma GCC visibility pop
