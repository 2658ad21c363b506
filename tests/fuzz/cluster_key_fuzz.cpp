// Finds files that are taken for cluster keys though they are none, or keys that are refused.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <optional>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <string>

#include "promise.hpp"

using pp::ClusterKey;
using pp::fuzz::promise;

namespace {

// What the file's grammar says of it, written down a second time: the digits, in lower case.
std::optional<std::string> digits_in(std::string_view text) {
  constexpr std::string_view kPrefix = "pp-key-1:";
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (!text.starts_with(kPrefix)) return std::nullopt;
  std::string digits(text.substr(kPrefix.size()));
  const auto is_digit = [](unsigned char c) { return std::isxdigit(c) != 0; };
  if (digits.size() != 64 || !std::all_of(digits.begin(), digits.end(), is_digit)) return {};
  std::transform(digits.begin(), digits.end(), digits.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return digits;
}

std::optional<std::string> loaded(const std::string& path) {
  try {
    const ClusterKey key = ClusterKey::load(path);
    promise(key.fingerprint().size() == 16, "a key has a fingerprint");
    std::string digits;
    for (const std::uint8_t byte : key.bytes()) {
      digits += "0123456789abcdef"[byte >> 4];
      digits += "0123456789abcdef"[byte & 15];
    }
    return digits;
  } catch (const pp::Error& error) {
    promise(std::string_view(error.what()).find("pp-keygen") != std::string_view::npos,
            "a refusal says how to make a key");
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("key", MFD_CLOEXEC);
  promise(file >= 0 && ::fchmod(file, 0600) == 0 && ::ftruncate(file, 0) == 0 &&
              ::pwrite(file, data, size, 0) == static_cast<ssize_t>(size),
          "there is a file to read");
  promise(loaded("/proc/self/fd/" + std::to_string(file)) ==
              digits_in({reinterpret_cast<const char*>(data), size}),
          "a file is a key exactly if its grammar says so");
  return 0;
}
