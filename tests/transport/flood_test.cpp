// Flood: strangers at the fabric's open port. It accepts everybody (protocol.md rule 28), so what
// it holds is watched, and it is closed past a limit; the work goes on.
#include <dirent.h>
#include <netinet/in.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fabric.hpp"
#include "middle.hpp"
#include "stranger.hpp"
#include "wire.hpp"

namespace pp::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::bytes_of;
using testing::Diary;
using testing::Node;
using testing::PlainSocket;
using testing::run;
using testing::same_key;
using testing::Stranger;
using testing::value_of;

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Ignore : FabricHandler {
  std::size_t frames = 0;
  void on_frame(std::span<std::byte>) override { ++frames; }
  void on_send_failed(FabricPeer, std::string_view) override {}
};

Address tcp_address(const FabricAddress& fabric) {
  sockaddr_in in{};
  std::memcpy(&in, fabric.bytes.data(), sizeof in);
  return {"127.0.0.1", ntohs(in.sin_port)};
}

std::size_t open_descriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

TEST(FabricsPort, what_strangers_make_the_provider_keep_is_counted_and_goes_with_the_endpoint) {
  auto fabric = std::make_unique<Fabric>(Fabric::Options{.host = "127.0.0.1"});
  Ignore ignore;
  Stranger stranger(fabric->address());
  const auto end = std::chrono::steady_clock::now() + seconds(60);
  std::size_t sent = 0;
  while (fabric->held() < 32 * kMiB && std::chrono::steady_clock::now() < end) {
    sent += stranger.send_tagged(8000);
    fabric->poll(ignore);
  }
  EXPECT_GE(fabric->held(), 32 * kMiB) << "of " << sent << " messages";
  EXPECT_LT(fabric->held(), 40 * kMiB) << "one poll() took more than a limit can bear";
  EXPECT_EQ(ignore.frames, 0u);
}

TEST(FabricsPort, callers_that_say_nothing_are_cut_off_and_others_are_not) {
  Fabric fabric({.host = "127.0.0.1"}), peer({.host = "127.0.0.1"});
  Ignore at_fabric, at_peer;
  const FabricPeer to_fabric = peer.add(fabric.address());
  const std::vector<std::byte> frame(64);
  const auto until = [&](const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(60);
    while (!done() && std::chrono::steady_clock::now() < end) {
      fabric.poll(at_fabric);
      peer.poll(at_peer);
    }
    return done();
  };
  bool sent = false;
  ASSERT_TRUE(until([&] {
    if (!sent) sent = peer.send(to_fabric, frame) == Fabric::Sent::kSent;
    return at_fabric.frames == 1;
  }));
  std::vector<std::unique_ptr<PlainSocket>> silent;
  for (int i = 0; i < 100; ++i)
    silent.push_back(PlainSocket::connect(tcp_address(fabric.address())));
  const std::size_t before = open_descriptors();
  ASSERT_TRUE(until([&] { return open_descriptors() == before + silent.size(); }));
  EXPECT_EQ(fabric.look_at_callers().cut_off, 0u) << "they may still speak";
  const Fabric::Callers seen = fabric.look_at_callers();
  EXPECT_EQ(seen.cut_off, 100u);
  EXPECT_EQ(seen.connected, 1u);
  EXPECT_TRUE(until([&] { return open_descriptors() == before; })) << "the provider keeps them";
  sent = false;
  EXPECT_TRUE(until([&] {
    if (!sent) sent = peer.send(to_fabric, frame) == Fabric::Sent::kSent;
    return at_fabric.frames == 2;
  }));
}

class Flood : public ::testing::Test {
 protected:
  static NetworkOptions options() {
    NetworkOptions options = testing::options("tcp;ofi_rxm");
    options.limits.fabric_silence = milliseconds(200);
    return options;
  }
  // A node whose fabric's port a stranger knows.
  Node open_at_known_port(NetworkOptions with) {
    for (;;) {
      {
        const Fabric free({.host = "127.0.0.1"});
        fabric_ = free.address();
      }
      with.fabric_port = tcp_address(fabric_).port;
      try {
        return open(with);
      } catch (const Error&) {  // somebody else has it by now
      }
    }
  }
  Node open(NetworkOptions with = options()) {
    return {open_network(same_key(key_), std::move(with)), Diary{}};
  }
  // The runtime's part: whoever has no session dials again.
  static bool connected(Node& a, Node& b) {
    if (a.diary.live() == 1 && b.diary.live() == 1) return true;
    if (a.diary.live() == 0 && b.diary.live() == 0) b.transport->dial(a.address());
    return false;
  }
  static void expect_work(Node& a, Node& b, std::uint64_t count = 500) {
    std::uint64_t at_a = 0, at_b = 0, wrong = 0;
    a.diary.read = [&](SessionId, auto message) { wrong += value_of(message) != at_a++; };
    b.diary.read = [&](SessionId, auto message) { wrong += value_of(message) != at_b++; };
    for (std::uint64_t i = 0; i < count; ++i) {
      a.transport->send(a.session(), bytes_of(i, 1024));
      b.transport->send(b.session(), bytes_of(i, 1024));
    }
    EXPECT_TRUE(run(
        {&a, &b}, [&] { return at_a == count && at_b == count; }, std::chrono::seconds(20)))
        << at_a << " and " << at_b << " of " << count << "; "
        << (a.diary.downs.empty() ? "" : a.diary.downs.back().why) << "; "
        << (b.diary.downs.empty() ? "" : b.diary.downs.back().why) << "; "
        << (a.diary.refusals.empty() ? "" : a.diary.refusals.back().sentence);
    EXPECT_EQ(wrong, 0u);
    a.diary.read = b.diary.read = nullptr;
  }

  ClusterKey key_ = ClusterKey::generate();
  FabricAddress fabric_;
};

TEST_F(Flood, past_the_limit_the_fabric_is_opened_anew_and_in_the_end_done_without) {
  NetworkOptions narrow = options();
  narrow.limits.fabric_memory = 32 * kMiB;
  Node a = open_at_known_port(narrow), b = open();
  for (std::uint64_t flood = 1; flood <= 4; ++flood) {
    SCOPED_TRACE(flood);
    ASSERT_TRUE(run({&a, &b}, [&] { return connected(a, b); }));
    EXPECT_EQ(a.diary.ups.back().peer.provider, "tcp;ofi_rxm");
    expect_work(a, b);
    {
      Stranger stranger(fabric_);
      ASSERT_TRUE(run({&a, &b}, [&] {
        for (int i = 0; i < 64; ++i) stranger.send_tagged(8000);
        connected(a, b);
        return a.transport->counters().floods == flood;
      }));
    }
    EXPECT_EQ(a.diary.downs.back().reason, DownReason::kFabric);
    const Refusal& told = a.diary.refusals.back();
    EXPECT_EQ(told.reason, RefusalReason::kFlood);
    EXPECT_NE(told.sentence.find("MiB that nobody had asked for"), std::string::npos)
        << told.sentence;
    EXPECT_NE(told.sentence.find(flood < 4 ? "opened anew" : "stays closed"), std::string::npos)
        << told.sentence;
  }
  ASSERT_TRUE(run({&a, &b}, [&] { return connected(a, b); }));
  EXPECT_EQ(a.diary.ups.back().peer.provider, "control");
  expect_work(a, b);
  EXPECT_EQ(PlainSocket::connect(tcp_address(fabric_)), nullptr) << "somebody listens still";
}

// Catches what looks at a fabric that was agreed on and is no more.
TEST_F(Flood, closed_for_good_during_a_handshake_ends_that_session_alone) {
  NetworkOptions narrow = options();
  narrow.limits.fabric_memory = 32 * kMiB;
  narrow.limits.handshake = seconds(60);
  Node a = open_at_known_port(narrow), b = open();
  const auto flood = [&](std::uint64_t times) {
    Stranger stranger(fabric_);
    return run({&a}, [&] {
      for (int i = 0; i < 64; ++i) stranger.send_tagged(8000);
      return a.transport->counters().floods == times;
    });
  };
  for (std::uint64_t times = 1; times <= 3; ++times) ASSERT_TRUE(flood(times)) << times;
  testing::Middle middle(a.address());
  bool flooded = false;
  middle.act([&](const testing::Middle::Unit& unit, std::vector<std::byte>& on, auto&) {
    const bool last = unit.from == testing::Middle::From::kDialler && unit.number == 1;
    if (last && !unit.frame && !std::exchange(flooded, true)) {
      EXPECT_TRUE(flood(4));
    }
    on = unit.bytes;
    return true;
  });
  b.transport->dial(middle.address());
  ASSERT_TRUE(run({&a, &b}, [&] {
    middle.pump();
    return flooded;
  }));
  ASSERT_TRUE(run({&a, &b}, [&] {
    middle.pump();
    return connected(a, b);
  }));
  EXPECT_EQ(a.diary.ups.back().peer.provider, "control");
  expect_work(a, b);
}

TEST_F(Flood, connections_that_say_nothing_are_cut_off_and_the_session_goes_on) {
  Node a = open_at_known_port(options()), b = open();
  ASSERT_TRUE(run({&a, &b}, [&] { return connected(a, b); }));
  const std::size_t before = open_descriptors();
  std::vector<std::unique_ptr<PlainSocket>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(PlainSocket::connect(tcp_address(fabric_)));
  ASSERT_TRUE(run({&a, &b}, [&] { return a.transport->counters().refusals == 200; }));
  silent.clear();
  ASSERT_TRUE(run({&a, &b}, [&] { return open_descriptors() <= before; }));
  EXPECT_NE(a.diary.refusals.front().sentence.find("said nothing"), std::string::npos);
  EXPECT_EQ(a.transport->counters().floods, 0u);
  EXPECT_TRUE(a.diary.downs.empty());
  expect_work(a, b);
}

// More than may stand there at a time, before the time to speak is over.
TEST_F(Flood, a_silent_crowd_is_cut_off_at_once_and_the_session_goes_on) {
  Node a = open_at_known_port(options()), b = open();
  ASSERT_TRUE(run({&a, &b}, [&] { return connected(a, b); }));
  const std::size_t before = open_descriptors();
  std::vector<std::unique_ptr<PlainSocket>> crowd;
  for (int i = 0; i < 1000; ++i) crowd.push_back(PlainSocket::connect(tcp_address(fabric_)));
  ASSERT_TRUE(run({&a, &b}, [&] { return a.transport->counters().refusals == 1000; }));
  crowd.clear();
  EXPECT_TRUE(run({&a, &b}, [&] { return open_descriptors() <= before; }));
  EXPECT_EQ(a.transport->counters().floods, 0u);
  EXPECT_TRUE(a.diary.downs.empty());
  expect_work(a, b);
}

// These speak the provider's language, and stay.
TEST_F(Flood, a_crowd_of_libfabrics_ends_with_the_endpoint) {
  NetworkOptions few = options();
  few.limits.fabric_callers = 6;
  Node a = open_at_known_port(few), b = open();
  ASSERT_TRUE(run({&a, &b}, [&] { return connected(a, b); }));
  std::size_t before = 0;
  {
    std::vector<std::unique_ptr<Stranger>> crowd;
    for (int i = 0; i < 10; ++i) crowd.push_back(std::make_unique<Stranger>(fabric_));
    before = open_descriptors();
    ASSERT_TRUE(run({&a, &b}, [&] {
      for (const auto& one : crowd) one->send(16);
      return a.transport->counters().floods > 0;
    }));
    EXPECT_NE(a.diary.refusals.back().sentence.find("connections to it"), std::string::npos);
  }
  ASSERT_TRUE(run({&a, &b}, [&] { return connected(a, b); }));
  expect_work(a, b);
  EXPECT_TRUE(run({&a, &b}, [&] { return open_descriptors() <= before; }));
}

// What honest peers have in flight is no flood, with all of them at once and in large pieces.
TEST_F(Flood, honest_peers_are_none) {
  NetworkOptions narrow = options();
  narrow.limits.fabric_memory = 24 * kMiB;
  Node hub = open(narrow);
  std::vector<Node> others;
  for (int i = 0; i < 8; ++i) others.push_back(open());
  std::vector<Node*> all{&hub};
  for (Node& node : others) {
    all.push_back(&node);
    node.transport->dial(hub.address());
  }
  ASSERT_TRUE(run(all, [&] { return hub.diary.live() == 8; }));
  for (Node& node : others) {
    for (std::uint64_t i = 0; i < 2000; ++i) node.transport->send(node.session(), bytes_of(i, 512));
    node.transport->send(node.session(), bytes_of(1, 4 * kMiB));
  }
  ASSERT_TRUE(run(all, [&] { return hub.diary.messages == 8 * 2001; }));
  EXPECT_EQ(hub.transport->counters().floods, 0u);
  EXPECT_TRUE(hub.diary.downs.empty());
}

}  // namespace
}  // namespace pp::transport
