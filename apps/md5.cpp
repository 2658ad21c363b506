// MD5 by Boost.Uuid, which needs it for names.
#include "md5.hpp"

#include <boost/uuid/detail/md5.hpp>

namespace md5 {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<unsigned> value_of(char digit) {
  if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit - 'A' + 'a');
  const std::size_t value = kDigits.find(digit);
  if (value == kDigits.npos) return std::nullopt;
  return static_cast<unsigned>(value);
}

}  // namespace

Digest digest_of(std::string_view text) {
  boost::uuids::detail::md5 hash;
  hash.process_bytes(text.data(), text.size());
  boost::uuids::detail::md5::digest_type made;
  hash.get_digest(made);
  Digest digest;
  static_assert(sizeof made == sizeof digest);
  for (std::size_t i = 0; i < digest.size(); ++i) {
    if constexpr (sizeof made[0] == 1) {  // since Boost 1.86
      digest[i] = static_cast<std::uint8_t>(made[i]);
    } else {  // four words, the first byte of each being its highest
      digest[i] = static_cast<std::uint8_t>(made[i / 4] >> (24 - 8 * (i % 4)));
    }
  }
  return digest;
}

std::string to_hex(const Digest& digest) {
  std::string digits;
  for (const unsigned byte : digest) {
    digits += kDigits[byte >> 4];
    digits += kDigits[byte & 15];
  }
  return digits;
}

std::optional<Digest> from_hex(std::string_view digits) {
  Digest digest{};
  if (digits.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::optional<unsigned> value = value_of(digits[i]);
    if (!value) return std::nullopt;
    digest[i / 2] = static_cast<std::uint8_t>(digest[i / 2] << 4 | *value);
  }
  return digest;
}

}  // namespace md5
