// Nodes of a LoopbackWorld in virtual time: what happens to each is kept, in order.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <pp/loopback.hpp>
#include <string>
#include <utility>
#include <vector>

namespace pp::transport::loopback_test {

using std::chrono::milliseconds;

inline NodeId id_of(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}

inline Introduction named(std::uint8_t number) {
  Introduction introduction;
  introduction.node = id_of(number);
  introduction.name = "node" + std::to_string(number);
  introduction.build = "build" + std::to_string(number);
  introduction.workers = number;
  return introduction;
}

inline std::vector<std::byte> words(std::uint64_t number, std::size_t count = 1) {
  std::vector<std::byte> message(8 * count);
  std::memcpy(message.data(), &number, sizeof number);
  return message;
}

// A node that keeps what it is told, in order.
struct Node : Handler {
  std::unique_ptr<Transport> transport;
  std::map<SessionId, Peer> up;
  std::vector<SessionId> ups;
  std::vector<std::uint64_t> heard;
  std::vector<std::uint64_t> words_heard;
  std::vector<DownReason> downs;
  std::vector<std::string> failed;
  std::vector<DialFailure> failures;
  std::vector<Refusal> refused;
  std::function<void(SessionId, std::uint64_t)> answer = [](SessionId, std::uint64_t) {};

  Node(LoopbackWorld& world, Introduction introduction)
      : transport(world.open(std::move(introduction))) {}

  SessionId session() const { return ups.back(); }
  Address address() const { return transport->self().addresses.front(); }
  std::size_t poll(Time now) { return transport->poll(now, *this); }
  bool send(std::uint64_t number) { return transport->send(session(), words(number)); }
  bool say(std::uint64_t number) { return transport->send_word(session(), words(number)); }

  void on_up(SessionId session, const Peer& peer) override {
    EXPECT_TRUE(up.emplace(session, peer).second);
    ups.push_back(session);
  }
  void on_message(SessionId session, std::span<const std::byte> message) override {
    EXPECT_TRUE(up.contains(session));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(message.data()) % 8, 0u);
    std::uint64_t number = 0;
    ASSERT_GE(message.size(), sizeof number);
    std::memcpy(&number, message.data(), sizeof number);
    heard.push_back(number);
    answer(session, number);
  }
  void on_down(SessionId session, DownReason reason, std::string_view) override {
    EXPECT_EQ(up.erase(session), 1u) << "one on_down for each on_up";
    downs.push_back(reason);
  }
  void on_word(SessionId session, std::span<const std::byte> word) override {
    EXPECT_TRUE(up.contains(session)) << "nothing follows an on_down";
    std::uint64_t number = 0;
    if (word.size() >= sizeof number) std::memcpy(&number, word.data(), sizeof number);
    words_heard.push_back(number);
  }
  void on_dial_failed(const Address& address, DialFailure failure, std::string_view) override {
    failed.push_back(address.to_string());
    failures.push_back(failure);
  }
  void on_refused(const Refusal& refusal) override { refused.push_back(refusal); }
};

// Two nodes in virtual time that starts at 0.
class Loopback : public ::testing::Test {
 protected:
  static Time at(milliseconds since_start) { return Time{} + since_start; }
  void both(Time now) {
    a.poll(now);
    b.poll(now);
  }
  void connect() {
    a.transport->dial(b.address());
    both(at(milliseconds(0)));
    ASSERT_EQ(a.up.size(), 1u);
    ASSERT_EQ(b.up.size(), 1u);
  }

  LoopbackWorld world;
  Node a{world, named(1)};
  Node b{world, named(2)};
};

}  // namespace pp::transport::loopback_test
