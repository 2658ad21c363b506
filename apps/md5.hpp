// MD5 (RFC 1321), and its digests as hexadecimal digits. Broken for anything that must be safe;
// here it is only something to search for.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace md5 {

using Digest = std::array<std::uint8_t, 16>;

Digest digest_of(std::string_view text);

// 32 lower-case digits, as md5sum prints them.
std::string to_hex(const Digest& digest);
// From 32 digits in either case; none for anything else.
std::optional<Digest> from_hex(std::string_view digits);

}  // namespace md5
