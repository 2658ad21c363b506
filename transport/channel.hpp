// SealedChannel: seals, numbers and checks the frames of one channel, both directions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "frame.hpp"
#include "secret.hpp"

namespace pp::transport {

// The bits a node can speak, as they travel in the handshake.
enum class Cipher : std::uint32_t {
  kAes256Gcm = 1,
  kChaCha20Poly1305 = 2,
  // In memory that two processes of one user share there is nothing to hide from anybody who could
  // not read the keys as well. These prove who wrote a frame, and that it has not been altered
  // since; the payload is in the clear. They are chosen by where the frames go, never offered.
  kSipHash = 4,         // 128-bit SipHash-2-4: the fastest for small frames without AES
  kSipHashAndGmac = 8,  // the same for frames up to kSipHashMost, AES-256-GMAC for larger ones
};

// Bytes; above, GMAC is faster by more than half (bench/seal_bench).
inline constexpr std::size_t kSipHashMost = 128;

// The ciphers of this machine as a set of bits. ChaCha20-Poly1305 is always among them.
std::uint32_t available_ciphers();
// The one that two nodes use: AES-256-GCM where both machines have instructions for it.
// REQUIRES: ChaCha20-Poly1305 in both sets.
Cipher choose_cipher(std::uint32_t ours, std::uint32_t theirs);
// The one for shared memory between two nodes that use `cipher` elsewhere.
Cipher authentication_only(Cipher cipher);

// What became of a frame that was opened.
enum class FrameVerdict {
  kGood,
  kMalformed,  // magic or length wrong, or cut short
  kNotForUs,   // it names another session
  kForged,     // the tag does not fit: altered, reflected, or sealed under another key
  kReplayed,   // sealed by the peer, but this number was here already
  kGap,        // sealed by the peer, but frames before it are missing: loss, not an attack
};

// REQUIRES: one thread. Two keys, one per direction, that no other channel uses: the nonce is the
// frame's number, so a key that served two channels would reveal what it hides. Keys are wiped at
// the end.
class SealedChannel {
 public:
  // `own` and `peers` are the session's numbers at this node and at the other end.
  SealedChannel(Cipher cipher, const Secret& sending, const Secret& receiving, std::uint64_t own,
                std::uint64_t peers);
  ~SealedChannel();
  SealedChannel(const SealedChannel&) = delete;
  SealedChannel& operator=(const SealedChannel&) = delete;

  // Seals in place: `frame` has room for the header in front, the payload where it belongs, and
  // room for the tag behind. The caller fills the credits and the acknowledgement; the rest of the
  // header is ours. REQUIRES: is_frame_length(frame.size()).
  void seal(std::span<std::byte> frame, FrameHeader header);

  // Opens in place. On kGood `header` and `payload` (inside `frame`) are valid, otherwise neither;
  // the session cannot go on after any other verdict but kNotForUs.
  FrameVerdict open(std::span<std::byte> frame, FrameHeader& header, std::span<std::byte>& payload);

  std::uint64_t sealed() const { return next_sealed_; }
  std::uint64_t opened() const { return next_opened_; }

 private:
  struct Keys;
  void tag(bool sending, std::span<const std::byte> covered, std::uint64_t sequence,
           unsigned char* out) const;
  bool is_genuine(std::span<std::byte> frame, std::uint64_t sequence) const;
  bool decrypt(std::span<std::byte> frame, std::uint64_t sequence) const;
  std::unique_ptr<Keys> keys_;
  Cipher cipher_;
  std::uint64_t own_, peers_;
  std::uint64_t next_sealed_ = 0, next_opened_ = 0;
};

}  // namespace pp::transport
