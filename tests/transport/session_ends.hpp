// Two ends of a session, and what is on its way between them, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <span>
#include <vector>

#include "session.hpp"

namespace pp::transport::testing {

using std::chrono::milliseconds, std::chrono::seconds;
using Frame = std::vector<std::byte>;

inline constexpr std::uint64_t kNumberA = 1001, kNumberB = 1002;
inline const Time kStart = Time{} + seconds(100);

inline Secret secret(std::uint8_t fill) {
  Secret s;
  s.bytes().fill(fill);
  return s;
}

inline Frame message(std::size_t size, std::uint64_t mark = 0) {
  Frame bytes(size, std::byte{0});
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = mark * 1'000'003 + i;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return bytes;
}

struct Inbox : MessageSink {
  std::vector<Frame> messages;
  void on_message(std::span<const std::byte> bytes) override {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8, 0u);
    messages.emplace_back(bytes.begin(), bytes.end());
  }
  std::vector<Frame> words;
  void on_word(std::span<const std::byte> bytes) override {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8, 0u);
    words.emplace_back(bytes.begin(), bytes.end());
  }
};

// One end, and the frames on their way to the other on each lane.
struct End {
  End(DataChannel data, bool is_a, std::uint32_t credit, std::uint32_t peers_credit,
      milliseconds keepalive = seconds(1), bool bulk_by_control = false)
      : session(setup(data, is_a, credit, peers_credit, keepalive, bulk_by_control), kStart) {}

  static Session::Setup setup(DataChannel data, bool is_a, std::uint32_t credit,
                              std::uint32_t peers_credit, milliseconds keepalive,
                              bool bulk_by_control) {
    Session::Setup setup;
    setup.bulk_by_control = bulk_by_control;
    setup.agreement.cipher = setup.agreement.data_cipher = Cipher::kChaCha20Poly1305;
    setup.agreement.data = data;
    setup.agreement.control_sending = secret(is_a ? 1 : 2);
    setup.agreement.control_receiving = secret(is_a ? 2 : 1);
    setup.agreement.data_sending = secret(is_a ? 3 : 4);
    setup.agreement.data_receiving = secret(is_a ? 4 : 3);
    setup.agreement.peer.session = is_a ? kNumberB : kNumberA;
    setup.agreement.peer.credit_frames = peers_credit;
    setup.own_number = is_a ? kNumberA : kNumberB;
    setup.credit_frames = credit;
    setup.keepalive = keepalive;
    return setup;
  }

  // Everything it has to say now, on one lane, as if the network took it all.
  std::deque<Frame> say(Lane lane, Time now = kStart) {
    std::deque<Frame> said;
    for (;;) {
      const auto frame = session.frame(lane, now);
      if (frame.empty()) return said;
      said.emplace_back(frame.begin(), frame.end());
      session.sent(lane, now);
    }
  }
  SessionVerdict hear(Lane lane, Frame frame, Time now = kStart) {
    return session.receive(lane, frame, now, inbox);
  }
  SessionVerdict hear(Lane lane, const std::deque<Frame>& frames, Time now = kStart) {
    for (const Frame& frame : frames)
      if (const SessionVerdict verdict = hear(lane, frame, now); verdict != SessionVerdict::kGood)
        return verdict;
    return SessionVerdict::kGood;
  }

  Session session;
  Inbox inbox;
};

// Two ends with one lane, or with two; credit of four frames, a heartbeat each second, dead after
// three.
class OneLane : public ::testing::Test {
 protected:
  explicit OneLane(milliseconds keepalive = seconds(1))
      : a(DataChannel::kControl, true, 4, 4, keepalive),
        b(DataChannel::kControl, false, 4, 4, keepalive) {}

  void settle(Time now = kStart) {
    for (;;) {
      const auto from_a = a.say(Lane::kControl, now), from_b = b.say(Lane::kControl, now);
      if (from_a.empty() && from_b.empty()) return;
      ASSERT_EQ(b.hear(Lane::kControl, from_a, now), SessionVerdict::kGood) << b.session.why();
      ASSERT_EQ(a.hear(Lane::kControl, from_b, now), SessionVerdict::kGood) << a.session.why();
    }
  }

  End a, b;
};

class TwoLanes : public ::testing::Test {
 protected:
  explicit TwoLanes(milliseconds keepalive = seconds(1))
      : a(DataChannel::kFabric, true, 4, 4, keepalive),
        b(DataChannel::kFabric, false, 4, 4, keepalive) {}

  void open() {
    b.hear(Lane::kData, a.say(Lane::kData));
    a.hear(Lane::kData, b.say(Lane::kData));
  }

  End a, b;
};

// A frame with a payload and header of our choice, sealed as b expects it from a.
inline Frame forge(std::span<const std::byte> payload, FrameHeader header = {},
                   Lane lane = Lane::kControl) {
  const bool data = lane == Lane::kData;
  SealedChannel channel(Cipher::kChaCha20Poly1305, secret(data ? 3 : 1), secret(data ? 4 : 2),
                        kNumberA, kNumberB);
  Frame frame(kFrameOverhead + payload.size());
  std::copy(payload.begin(), payload.end(), frame.begin() + sizeof header);
  channel.seal(frame, header);
  return frame;
}

inline Frame piece(std::uint32_t length, std::uint32_t kind, std::size_t bytes) {
  Frame out(sizeof(PieceHeader) + bytes);
  const PieceHeader header{length, kind};
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

}  // namespace pp::transport::testing
