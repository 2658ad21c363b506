// A node file: what a node says of itself in a shared folder, as text.
#pragma once

#include <cstddef>
#include <optional>
#include <pp/discovery.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pp::discovery {

// The file is called <node id, 32 hexadecimal digits>.ppnode and reads, each line with its end:
//
//     pp-node-1
//     name node3
//     address 10.0.0.3:7400
//     address [fd00::3]:7400
//
// The name may be missing. Anything else is refused: whoever changes the format changes the first
// line.
constexpr std::size_t kLargestNodeFile = 4096;  // bytes
constexpr std::size_t kMostNodeAddresses = 8;

std::string node_file_name(const NodeId& node);
// Nothing: it is not called like a node file.
std::optional<NodeId> node_of_file(std::string_view file_name);

// Names that are not one printable line are mended, and only the first addresses with a port are
// written. Nothing: there is none.
std::optional<std::string> node_file_text(const Discovery::Self& self);
// Empty: it is not a node file, and `why` says what is wrong with it in words of ours.
std::vector<Address> read_node_file(std::string_view text, std::string& why);

}  // namespace pp::discovery
