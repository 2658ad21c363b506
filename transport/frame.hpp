// FrameHeader: the fixed struct in front of every frame; read before anything is trusted.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "fabric.hpp"

namespace pp::transport {

static_assert(std::endian::native == std::endian::little,
              "frames are little endian on the wire: a big-endian machine has to swap here");

// A frame on the wire, all numbers little endian, its length always a multiple of 8:
//
//   byte 0        4        8                16               24
//        +--------+--------+----------------+----------------+
//        | magic  | length | session        | sequence       |
//        +--------+--------+----------------+----------------+
//   24   | credit | credit | acknowledged   | payload ...    | tag (16 bytes)
//        | frames | words  |                | (encrypted)    |
//        +--------+--------+----------------+----------------+
//
// Everything before the payload is in the clear and covered by the tag.
struct FrameHeader {
  static constexpr std::uint32_t kMagic = 0x31667070;  // "ppf1"

  std::uint32_t magic = kMagic;
  std::uint32_t length = 0;         // of the whole frame: header, payload and tag
  std::uint64_t session = 0;        // the receiver's number for the session
  std::uint64_t sequence = 0;       // of this frame in its channel and direction, from 0; the nonce
  std::uint32_t credit_frames = 0;  // data frames consumed so far by who sends this, modulo 2^32
  std::uint32_t credit_words = 0;   // the same in words of 8 bytes, modulo 2^32
  std::uint64_t acknowledged = 0;   // frames of the data channel received and applied so far
};
static_assert(sizeof(FrameHeader) == 40);

inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kMaxFrame = Fabric::kMaxFrame;
inline constexpr std::size_t kFrameOverhead = sizeof(FrameHeader) + kTagSize;
inline constexpr std::size_t kMaxPayload = kMaxFrame - kFrameOverhead;
static_assert(kMaxFrame % 8 == 0 && kFrameOverhead % 8 == 0);

// REQUIRES: at least sizeof(FrameHeader) bytes.
inline FrameHeader read_header(std::span<const std::byte> bytes) {
  FrameHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

// A length that a frame may claim. Anything else is malformed, whatever follows.
inline bool is_frame_length(std::size_t length) {
  return length >= kFrameOverhead && length <= kMaxFrame && length % 8 == 0;
}

}  // namespace pp::transport
