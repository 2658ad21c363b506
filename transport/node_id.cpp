// Drawing and printing a NodeId.
#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <pp/error.hpp>
#include <pp/node_id.hpp>

namespace pp {

NodeId NodeId::random() {
  NodeId id;
  std::size_t drawn = 0;
  while (drawn < id.bytes.size()) {
    const ssize_t now = getrandom(id.bytes.data() + drawn, id.bytes.size() - drawn, 0);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) {
      throw Error(std::string("cannot draw a node id: getrandom: ") + std::strerror(errno) +
                  "; expected 16 bytes from the system's random source: check the seccomp profile "
                  "of the container");
    }
    drawn += static_cast<std::size_t>(now);
  }
  return id;
}

std::string NodeId::short_name() const { return to_string().substr(0, 8); }

std::string NodeId::to_string() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace pp
