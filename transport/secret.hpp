// Secret: 32 bytes of key material that are wiped when they end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pp::transport {

// Moves, never copies: a secret has one place, and the place it left is zero.
class Secret {
 public:
  static constexpr std::size_t kBytes = 32;
  using Bytes = std::array<std::uint8_t, kBytes>;

  Secret() = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  Bytes& bytes() { return bytes_; }
  // Compares in a time that does not depend on what differs.
  bool is(const Bytes& claimed) const;
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_{};
};

}  // namespace pp::transport
