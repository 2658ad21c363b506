// SessionEvent: what an input of the session's target makes happen, and the other end it happens
// to.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "channel.hpp"
#include "session.hpp"

namespace pp::fuzz {

// An input is one byte for the session (Ends::with), then events: a byte for the kind, one for the
// lane, then what the kind needs.
enum class SessionEvent : std::uint8_t {
  kFrame,    // of the peer: credit frames, credit words, acknowledged, then [words] and so much
             // payload
  kForgery,  // [words] and so much of anything
  kQueue,    // [n]: a message of n * 64 bytes
  kSend,     // a frame goes out
  kTime,     // [n]: n * 10 ms pass
  kGoodbye,
  kForget,
  kWord,  // [n]: a word of n * 16 bytes
};

// Takes an input apart; where it ends, there are zeros.
class Events {
 public:
  explicit Events(std::span<const std::uint8_t> in) : in_(in) {}
  bool empty() const { return in_.empty(); }
  std::uint8_t byte() {
    if (in_.empty()) return 0;
    const std::uint8_t first = in_.front();
    in_ = in_.subspan(1);
    return first;
  }
  std::vector<std::byte> bytes() {
    const std::size_t size = std::size_t{byte()} * 8;
    const auto some = std::as_bytes(in_.first(std::min(size, in_.size())));
    std::vector<std::byte> all(size);
    std::copy(some.begin(), some.end(), all.begin());
    in_ = in_.subspan(some.size());
    return all;
  }

 private:
  std::span<const std::uint8_t> in_;
};

// The peer's ends of the channels of a session, with keys that everybody knows.
class Ends {
 public:
  // Bit 0: a data lane of its own; bits 1 to 3: how many frames of credit both have, from 1; bit 4:
  // the lane is shared memory.
  static Ends with(std::uint8_t choice) {
    return Ends(choice % 2 != 0, (choice & 16) != 0, 1 + choice / 2 % 8);
  }

  transport::Session::Setup setup() const {
    transport::Session::Setup setup;
    setup.agreement.cipher = transport::Cipher::kChaCha20Poly1305;
    setup.agreement.data = !two_     ? transport::DataChannel::kControl
                           : memory_ ? transport::DataChannel::kMemory
                                     : transport::DataChannel::kFabric;
    setup.agreement.data_cipher = data_cipher(memory_);
    setup.agreement.control_sending = secret(2);
    setup.agreement.control_receiving = secret(1);
    setup.agreement.data_sending = secret(4);
    setup.agreement.data_receiving = secret(3);
    setup.agreement.peer.session = kPeers;
    setup.agreement.peer.credit_frames = credit_;
    setup.own_number = kOwn;
    setup.credit_frames = credit_;
    return setup;
  }

  // The next frame on this lane, as the peer seals it.
  std::vector<std::byte> sealed(transport::Lane lane, Events& in) {
    transport::FrameHeader header;
    header.credit_frames = in.byte();
    header.credit_words = in.byte();
    header.acknowledged = in.byte();
    const std::vector<std::byte> payload = in.bytes();
    std::vector<std::byte> frame(transport::kFrameOverhead + payload.size());
    std::copy(payload.begin(), payload.end(), frame.begin() + sizeof header);
    channel(lane).seal(frame, header);
    return frame;
  }
  bool opens(transport::Lane lane, std::span<std::byte> frame) {
    transport::FrameHeader header;
    std::span<std::byte> payload;
    return channel(lane).open(frame, header, payload) == transport::FrameVerdict::kGood;
  }

 private:
  static constexpr std::uint64_t kOwn = 1002, kPeers = 1001;

  Ends(bool two, bool memory, std::uint32_t credit)
      : two_(two),
        memory_(memory),
        credit_(credit),
        control_(make(transport::Cipher::kChaCha20Poly1305, 1, 2)),
        data_(make(data_cipher(memory), 3, 4)) {}

  static transport::Cipher data_cipher(bool memory) {
    return memory ? transport::Cipher::kSipHash : transport::Cipher::kChaCha20Poly1305;
  }

  static transport::Secret secret(std::uint8_t fill) {
    transport::Secret secret;
    secret.bytes().fill(fill);
    return secret;
  }
  static std::unique_ptr<transport::SealedChannel> make(transport::Cipher cipher,
                                                        std::uint8_t sending,
                                                        std::uint8_t receiving) {
    return std::make_unique<transport::SealedChannel>(cipher, secret(sending), secret(receiving),
                                                      kPeers, kOwn);
  }
  transport::SealedChannel& channel(transport::Lane lane) {
    return lane == transport::Lane::kData ? *data_ : *control_;
  }

  bool two_, memory_;
  std::uint32_t credit_;
  std::unique_ptr<transport::SealedChannel> control_, data_;
};

}  // namespace pp::fuzz
