// Writing and reading a node file; whoever may write to the folder may have written it.
#include "node_file.hpp"

#include <algorithm>
#include <pp/error.hpp>

namespace pp::discovery {
namespace {

constexpr std::string_view kHead = "pp-node-1\n";
constexpr std::string_view kName = "name ";
constexpr std::string_view kAddress = "address ";
constexpr std::string_view kExtension = ".ppnode";
constexpr std::size_t kLongestName = 255;

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; }

// 0 to 15, or -1. Capitals would be a second name for the same node.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string node_file_name(const NodeId& node) { return node.to_string().append(kExtension); }

std::optional<NodeId> node_of_file(std::string_view file_name) {
  NodeId node;
  if (file_name.size() != 2 * node.bytes.size() + kExtension.size() ||
      !file_name.ends_with(kExtension))
    return std::nullopt;
  for (std::size_t i = 0; i < node.bytes.size(); ++i) {
    const int high = digit(file_name[2 * i]);
    const int low = digit(file_name[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    node.bytes[i] = static_cast<std::uint8_t>(16 * high + low);
  }
  return node;
}

std::optional<std::string> node_file_text(const Discovery::Self& self) {
  std::string text(kHead);
  if (!self.name.empty()) {
    std::string name = self.name.substr(0, kLongestName);
    std::replace_if(name.begin(), name.end(), is_control, '?');
    text.append(kName).append(name).append("\n");
  }
  std::size_t written = 0;
  for (const Address& address : self.addresses) {
    if (address.port == 0 || written == kMostNodeAddresses) continue;
    text.append(kAddress).append(address.to_string()).append("\n");
    ++written;
  }
  if (written == 0) return std::nullopt;
  return text;
}

std::vector<Address> read_node_file(std::string_view text, std::string& why) {
  const auto refuse = [&why](const char* what) {
    why = what;
    return std::vector<Address>{};
  };
  if (text.size() > kLargestNodeFile) return refuse("it is larger than 4 KiB");
  if (!text.starts_with(kHead)) return refuse("its first line is not pp-node-1");
  if (!text.ends_with('\n')) return refuse("its last line has no end");
  text.remove_prefix(kHead.size());
  bool named = false;
  std::vector<Address> addresses;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (line.starts_with(kName)) {
      line.remove_prefix(kName.size());
      if (named) return refuse("it has two names");
      if (line.empty() || line.size() > kLongestName ||
          std::any_of(line.begin(), line.end(), is_control))
        return refuse("its name is not 1 to 255 printable characters");
      named = true;
    } else if (line.starts_with(kAddress)) {
      line.remove_prefix(kAddress.size());
      if (addresses.size() == kMostNodeAddresses) return refuse("it has more than 8 addresses");
      try {
        addresses.push_back(Address::parse(line));
      } catch (const Error&) {  // its text would quote what a stranger wrote
        return refuse("an address is malformed");
      }
      if (addresses.back().port == 0) return refuse("an address has port 0");
    } else {
      return refuse("a line is neither a name nor an address");
    }
  }
  if (addresses.empty()) return refuse("it has no address");
  return addresses;
}

}  // namespace pp::discovery
