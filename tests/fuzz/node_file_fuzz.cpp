// Finds files in a shared folder that are taken for more than they say. An input is the file's
// name, an end of line, and what the file holds.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "memory.hpp"
#include "node_file.hpp"
#include "promise.hpp"

using namespace pp::discovery;
using pp::fuzz::promise;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view name = input.substr(0, input.find('\n'));
  const std::string_view text = input.substr(std::min(name.size() + 1, size));
  const pp::fuzz::Memory memory;
  if (const auto node = node_of_file(name))
    promise(node_file_name(*node) == name, "a node has one file name");
  std::string why;
  const std::vector<pp::Address> addresses = read_node_file(text, why);
  promise(addresses.empty() != why.empty(), "a refusal has a reason, and nothing else has");
  promise(why.size() < 80 &&
              std::all_of(why.begin(), why.end(), [](char c) { return c >= ' ' && c <= '~'; }),
          "a refusal may be shown");
  promise(addresses.size() <= kMostNodeAddresses, "few addresses come of a file");
  promise(memory.peak() <= 8 * size + 4096, "memory is bounded by what was read");
  if (addresses.empty()) return 0;
  Discovery::Self self;
  self.addresses = addresses;
  const auto again = node_file_text(self);
  promise(again && read_node_file(*again, why) == addresses, "what is read is read as written");
  return 0;
}
