// Two Fabrics that know each other, what they hear, and streams of numbered frames between them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fabric.hpp"

namespace pp::transport::testing {

// Keeps what it is told.
struct Heard : FabricHandler {
  std::function<void(std::span<std::byte>)> frame = [](std::span<std::byte>) {};
  std::size_t frames = 0;
  std::vector<std::pair<FabricPeer, std::string>> failed;

  void on_frame(std::span<std::byte> bytes) override {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8, 0u);
    ++frames;
    frame(bytes);
  }
  void on_send_failed(FabricPeer peer, std::string_view why) override {
    failed.emplace_back(peer, why);
  }

  std::function<void(std::uint64_t, std::span<std::byte>)> piece = [](auto, auto) {};
  std::size_t pieces = 0;
  std::vector<std::pair<std::uint64_t, std::string>> failed_reads;

  void on_read(FabricPeer, std::uint64_t ticket, std::span<std::byte> bytes) override {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8, 0u);
    ++pieces;
    piece(ticket, bytes);
  }
  void on_read_failed(FabricPeer, std::uint64_t ticket, std::string_view why) override {
    failed_reads.emplace_back(ticket, why);
  }
};

inline Fabric::Options here(std::uint16_t port = 0) { return {.host = "127.0.0.1", .port = port}; }

// Two endpoints that know each other. The limit only ends a test that would hang.
struct Pair {
  explicit Pair(const Fabric::Options& options = here()) : left(options), right(options) {}

  Fabric left;
  Fabric right;
  FabricPeer to_right = left.add(right.address());
  FabricPeer to_left = right.add(left.address());
  Heard at_left, at_right;

  bool until(const std::function<bool()>& done,
             std::chrono::seconds limit = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      left.poll(at_left);
      right.poll(at_right);
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
  bool connect() {
    const std::array<std::byte, 8> hello{};
    bool sent_right = false;
    bool sent_left = false;
    return until([&] {
      if (!sent_right) sent_right = left.send(to_right, hello) == Fabric::Sent::kSent;
      if (!sent_left) sent_left = right.send(to_left, hello) == Fabric::Sent::kSent;
      return at_left.frames > 0 && at_right.frames > 0;
    });
  }
};

inline std::vector<std::byte> frame_of(std::uint64_t number, std::size_t bytes) {
  std::vector<std::byte> frame(bytes, static_cast<std::byte>(number * 31 + bytes));
  std::memcpy(frame.data(), &number, sizeof number);
  return frame;
}

// Sends numbered frames with at most `window` not yet arrived; true when all arrived in order.
struct Stream {
  Fabric& from;
  FabricPeer to;
  Heard& heard;
  std::function<std::size_t(std::uint64_t)> size;
  std::uint64_t total;
  std::uint64_t window;
  std::uint64_t sent = 0;
  std::uint64_t arrived = 0;
  bool intact = true;

  void listen() {
    heard.frame = [this](std::span<std::byte> frame) {
      const auto expected = frame_of(arrived, size(arrived));
      intact = intact && frame.size() == expected.size() &&
               std::memcmp(frame.data(), expected.data(), expected.size()) == 0;
      ++arrived;
    };
  }
  void push() {
    while (sent < total && sent - arrived < window) {
      if (from.send(to, frame_of(sent, size(sent))) != Fabric::Sent::kSent) return;
      ++sent;
    }
  }
  bool done() const { return arrived == total; }
};

// So many frames of all sizes go both ways at once, and arrive whole and in order. `pair` is
// connected.
inline void exchange_frames_of_every_size(Pair& pair, std::uint64_t frames) {
  const auto size = [](std::uint64_t number) { return 8 + number * 8 % Fabric::kMaxFrame; };
  Stream rightward{pair.left, pair.to_right, pair.at_right, size, frames, 64};
  Stream leftward{pair.right, pair.to_left, pair.at_left, size, frames, 64};
  rightward.listen();
  leftward.listen();
  EXPECT_TRUE(pair.until([&] {
    rightward.push();
    leftward.push();
    return rightward.done() && leftward.done();
  }));
  EXPECT_TRUE(rightward.intact);
  EXPECT_TRUE(leftward.intact);
  EXPECT_TRUE(pair.at_left.failed.empty());
  EXPECT_TRUE(pair.at_right.failed.empty());
}

}  // namespace pp::transport::testing
