// Secret's wiping, which the compiler must not optimise away.
#include "secret.hpp"

#include <sodium.h>

namespace pp::transport {

Secret::Secret(Secret&& other) noexcept : bytes_(other.bytes_) {
  sodium_memzero(other.bytes_.data(), kBytes);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    bytes_ = other.bytes_;
    sodium_memzero(other.bytes_.data(), kBytes);
  }
  return *this;
}

bool Secret::is(const Bytes& claimed) const {
  return sodium_memcmp(bytes_.data(), claimed.data(), kBytes) == 0;
}

Secret::~Secret() { sodium_memzero(bytes_.data(), kBytes); }

}  // namespace pp::transport
