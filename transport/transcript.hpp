// Transcript: all that both ends of a handshake have said, hashed, and the keys that follow from
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "secret.hpp"

namespace pp::transport {

// Noise's "symmetric state" (noiseprotocol.org, section 5.2) with keyed BLAKE2b in the place of
// HMAC and ChaCha20-Poly1305 for what is encrypted on the way. Two ends that mixed the same things
// in the same order hold the same keys; one bit of difference anywhere and nothing opens any more.
class Transcript {
 public:
  static constexpr std::size_t kTagSize = 16;

  // `protocol` names everything that was chosen in advance, so that two designs never share a key.
  explicit Transcript(std::string_view protocol);

  // Mixes in what was said in the clear.
  void mix_hash(std::span<const std::uint8_t> said);
  // Mixes in a secret (or an ephemeral public key): what is sealed from now on needs it.
  void mix_key(std::span<const std::uint8_t> secret);
  // Mixes in the pre-shared key: both of the above at once, as Noise's psk modifier wants.
  void mix_key_and_hash(std::span<const std::uint8_t> secret);

  // Appends `plain`, sealed, and mixes in what was appended. REQUIRES: a key was mixed in.
  void seal(std::span<const std::uint8_t> plain, std::vector<std::uint8_t>& out);
  // The reverse; false and no change if one bit of it, or of all that was said before, differs.
  [[nodiscard]] bool open(std::span<const std::uint8_t> sealed, std::vector<std::uint8_t>& plain);

  // An independent key for each purpose. Call it when the handshake is over.
  Secret derive(std::string_view purpose) const;

 private:
  Secret chain_, key_;
  Secret::Bytes hash_{};
  std::uint64_t sealed_ = 0;  // messages under key_; the nonce
};

}  // namespace pp::transport
