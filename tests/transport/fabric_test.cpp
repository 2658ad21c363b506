// Fabric over real sockets on 127.0.0.1: what arrives, what is told, what is left alone.
#include "fabric.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <pp/error.hpp>
#include <set>
#include <string>
#include <vector>

#include "fabric_pair.hpp"
#include "stranger.hpp"
#include "undisturbed.hpp"

namespace pp::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::frame_of;
using testing::Heard;
using testing::here;
using testing::Pair;
using testing::Stream;

TEST(Fabric, frames_of_every_size_arrive_whole_and_in_order_both_ways) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  testing::exchange_frames_of_every_size(pair, 3 * 1024);
}

TEST(Fabric, two_hundred_thousand_frames_arrive_without_loss) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  const auto size = [](std::uint64_t number) { return std::size_t{8} + number % 40 * 8; };
  Stream rightward{pair.left, pair.to_right, pair.at_right, size, 200'000, 64};
  rightward.listen();
  EXPECT_TRUE(pair.until([&] {
    rightward.push();
    return rightward.done();
  }));
  EXPECT_TRUE(rightward.intact);
}

// The window above keeps below the share of send buffers of one peer; here nothing is held back.
TEST(Fabric, a_sender_without_a_window_is_held_back_and_loses_nothing) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  const auto size = [](std::uint64_t) { return Fabric::kMaxFrame; };
  Stream rightward{pair.left, pair.to_right, pair.at_right, size, 20'000, 20'000};
  rightward.listen();
  EXPECT_TRUE(pair.until([&] {
    rightward.push();
    return rightward.done();
  }));
  EXPECT_TRUE(rightward.intact);
}

TEST(Fabric, a_peer_is_reached_again_under_a_new_number) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  const FabricPeer old = pair.to_right;
  pair.left.remove(old);
  EXPECT_EQ(pair.left.send(old, frame_of(1, 8)), Fabric::Sent::kGone);
  pair.left.remove(old);  // twice is once
  pair.to_right = pair.left.add(pair.right.address());
  EXPECT_NE(pair.to_right, old);
  const std::size_t before = pair.at_right.frames;
  bool sent = false;
  EXPECT_TRUE(pair.until([&] {
    if (!sent) sent = pair.left.send(pair.to_right, frame_of(1, 8)) == Fabric::Sent::kSent;
    return pair.at_right.frames > before;
  }));
}

// A new session may begin before the old one is removed: the connection below is one, the peers
// two.
TEST(Fabric, removing_one_of_two_peers_with_one_address_leaves_the_other) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  const FabricPeer newer = pair.left.add(pair.right.address());
  pair.left.remove(pair.to_right);
  const std::size_t before = pair.at_right.frames;
  bool sent = false;
  EXPECT_TRUE(pair.until([&] {
    if (!sent) sent = pair.left.send(newer, frame_of(1, 512)) == Fabric::Sent::kSent;
    return pair.at_right.frames > before;
  }));
}

// As when two nodes dial each other at once, and one of the two sessions is given up before it was
// used.
TEST(Fabric, a_peer_that_was_never_sent_to_can_be_removed) {
  Fabric fabric(here());
  Heard heard;
  const Fabric other(here());
  const FabricPeer one = fabric.add(other.address());
  const FabricPeer again = fabric.add(other.address());
  fabric.remove(one);
  fabric.poll(heard);
  fabric.remove(again);
  fabric.poll(heard);
}

TEST(Fabric, a_peer_that_only_sent_to_us_can_be_removed) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  Fabric third(here());
  Heard heard;
  const FabricPeer to_left = third.add(pair.left.address());
  const FabricPeer to_third = pair.left.add(third.address());
  const std::size_t before = pair.at_left.frames;
  bool sent = false;
  EXPECT_TRUE(pair.until([&] {
    if (!sent) sent = third.send(to_left, frame_of(2, 512)) == Fabric::Sent::kSent;
    third.poll(heard);
    return pair.at_left.frames > before;
  }));
  pair.left.remove(to_third);
  third.remove(to_left);
}

TEST(Fabric, a_provider_an_address_or_a_port_that_does_not_work_is_refused_by_name) {
  const auto text_of = [](const Fabric::Options& options) -> std::string {
    try {
      const Fabric fabric(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "opened";
  };
  EXPECT_THAT(text_of({.provider = "carrier-pigeon", .host = "127.0.0.1"}),
              ::testing::HasSubstr("carrier-pigeon"));
  EXPECT_THAT(text_of({.host = "203.0.113.7"}), ::testing::HasSubstr("203.0.113.7"));
  EXPECT_THAT(text_of({.host = "not-a-number"}), ::testing::HasSubstr("not-a-number"));
  EXPECT_THAT(text_of({}), ::testing::HasSubstr("no host given"));
  const Fabric taken(here());
  sockaddr_in in{};
  const FabricAddress address = taken.address();
  ASSERT_EQ(address.bytes.size(), sizeof in);
  std::memcpy(&in, address.bytes.data(), sizeof in);
  EXPECT_THAT(text_of(here(ntohs(in.sin_port))),
              ::testing::HasSubstr(std::to_string(ntohs(in.sin_port))));
}

TEST(Fabric, an_address_that_is_garbage_is_refused) {
  Fabric fabric(here());
  const FabricAddress good = fabric.address();
  EXPECT_EQ(good.provider, "tcp;ofi_rxm");
  const auto changed = [&good](const auto& change) {
    FabricAddress bad = good;
    change(bad);
    return bad;
  };
  using A = FabricAddress;
  EXPECT_THROW(fabric.add(changed([](A& a) { a.provider = "verbs"; })), Error);
  EXPECT_THROW(fabric.add(changed([](A& a) { a.bytes.clear(); })), Error);
  EXPECT_THROW(fabric.add(changed([](A& a) { a.bytes.pop_back(); })), Error);
  EXPECT_THROW(fabric.add(changed([](A& a) { a.bytes.resize(100'000); })), Error);
  EXPECT_THROW(fabric.add(changed([](A& a) { a.bytes.assign(16, std::byte{0xff}); })), Error);
  EXPECT_THROW(fabric.add(changed([](A& a) { a.bytes[2] = a.bytes[3] = std::byte{0}; })), Error);
  EXPECT_THROW(fabric.add(changed([](A& a) { a.bytes[4] = std::byte{224}; })), Error);
}

TEST(Fabric, nobody_there_is_again_and_never_blocks) {
  Fabric fabric(here());
  std::optional<Fabric> gone(std::in_place, here());
  const FabricPeer peer = fabric.add(gone->address());
  gone.reset();
  Heard heard;
  for (int i = 0; i < 2000; ++i) {
    EXPECT_EQ(fabric.send(peer, frame_of(0, 512)), Fabric::Sent::kAgain);
    fabric.poll(heard);
  }
}

TEST(Fabric, a_peer_destroyed_in_the_middle_ends_in_again_or_in_failures) {
  Fabric fabric(here());
  std::optional<Fabric> doomed(std::in_place, here());
  const FabricPeer peer = fabric.add(doomed->address());
  Heard heard;
  Heard at_doomed;
  std::size_t accepted = 0;
  const auto end = steady_clock::now() + seconds(30);
  while (at_doomed.frames < 100 && steady_clock::now() < end) {
    if (fabric.send(peer, frame_of(0, 4096)) == Fabric::Sent::kSent) ++accepted;
    fabric.poll(heard);
    doomed->poll(at_doomed);
  }
  ASSERT_GE(at_doomed.frames, 100u);
  while (fabric.send(peer, frame_of(0, 4096)) == Fabric::Sent::kSent) ++accepted;  // under way
  doomed.reset();
  // What was accepted either left or fails; from then on the answer is kAgain.
  int again = 0;
  while (again < 1000 && steady_clock::now() < end) {
    const Fabric::Sent sent = fabric.send(peer, frame_of(0, 4096));
    EXPECT_NE(sent, Fabric::Sent::kGone);
    again = sent == Fabric::Sent::kAgain ? again + 1 : 0;
    fabric.poll(heard);
  }
  EXPECT_EQ(again, 1000);
  EXPECT_LE(heard.failed.size(), accepted + 1000);
  for (const auto& [to, why] : heard.failed) {
    EXPECT_EQ(to, peer);
    EXPECT_FALSE(why.empty());
  }
}

// Fills what a peer that takes nothing may hold, then removes it: nothing is told, and a new peer
// has all the send buffers it may have.
TEST(Fabric, removing_a_peer_that_takes_nothing_gives_its_buffers_back_in_silence) {
  Fabric fabric(here());
  Heard heard;
  std::vector<std::unique_ptr<Fabric>> silent;  // they stay, so that nothing else ends the sends
  for (int round = 0; round < 12; ++round) {    // 12 x 64 is more than there are buffers
    Fabric& stopped = *silent.emplace_back(std::make_unique<Fabric>(here()));
    Heard ignored;
    const FabricPeer peer = fabric.add(stopped.address());
    const auto end = steady_clock::now() + seconds(30);
    while (fabric.send(peer, frame_of(0, 8192)) != Fabric::Sent::kSent) {
      ASSERT_LT(steady_clock::now(), end) << "round " << round;
      fabric.poll(heard);
      stopped.poll(ignored);
    }
    std::size_t accepted = 0;
    int again = 0;
    while (again < 200) {  // until the sockets between the two are full as well
      if (fabric.send(peer, frame_of(0, 8192)) == Fabric::Sent::kSent) {
        ++accepted;
        again = 0;
      } else {
        ++again;
      }
      fabric.poll(heard);
    }
    EXPECT_GT(accepted, 0u);
    fabric.remove(peer);
    for (int i = 0; i < 200; ++i) fabric.poll(heard);
  }
  EXPECT_TRUE(heard.failed.empty());
}

bool readable(int descriptor, milliseconds limit) {
  pollfd waiting{descriptor, POLLIN, 0};
  return ::poll(&waiting, 1, static_cast<int>(limit.count())) == 1;
}

TEST(Fabric, the_descriptor_becomes_readable_when_a_frame_comes) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  for (int i = 0; i < 100; ++i) {
    const std::size_t before = pair.at_right.frames;
    ASSERT_TRUE(pair.until([&] {
      pair.left.poll(pair.at_left);
      return pair.right.poll(pair.at_right) == 0 && pair.right.may_sleep() &&
             !readable(pair.right.wait_fd(), milliseconds(0));
    }));
    ASSERT_EQ(pair.left.send(pair.to_right, frame_of(0, i % 2 == 0 ? 8 : 4096)),
              Fabric::Sent::kSent);
    ASSERT_TRUE(readable(pair.right.wait_fd(), seconds(10)));
    ASSERT_TRUE(pair.until([&] { return pair.at_right.frames > before; }));
  }
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

// Catches a descriptor that stays readable although nothing is to be done (as provider `net`'s
// does).
TEST(Fabric, an_idle_endpoint_sleeps) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.until([&] { return pair.left.poll(pair.at_left) + pair.right.poll(pair.at_right) == 0; });
  std::size_t rounds = 0;
  const double before = cpu_seconds();
  const auto end = steady_clock::now() + milliseconds(1000);
  while (steady_clock::now() < end) {
    pair.right.poll(pair.at_right);
    ++rounds;
    if (pair.right.may_sleep()) readable(pair.right.wait_fd(), milliseconds(100));
  }
  EXPECT_LT(rounds, 50u);
  EXPECT_LT(cpu_seconds() - before, 0.2);
}

// Connections are set up while both sides only ever sleep on their descriptors, but for the limit
// that fabric.hpp names.
TEST(Fabric, a_connection_is_set_up_by_endpoints_that_sleep) {
  Fabric left(here());
  Fabric right(here());
  const FabricPeer to_right = left.add(right.address());
  Heard at_left, at_right;
  bool sent = false;
  const auto end = steady_clock::now() + seconds(30);
  while (at_right.frames == 0 && steady_clock::now() < end) {
    if (!sent) sent = left.send(to_right, frame_of(0, 1024)) == Fabric::Sent::kSent;
    left.poll(at_left);
    right.poll(at_right);
    std::vector<pollfd> waiting;
    for (Fabric* fabric : {&left, &right}) {
      if (fabric->may_sleep()) waiting.push_back({fabric->wait_fd(), POLLIN, 0});
    }
    if (waiting.size() == 2) ::poll(waiting.data(), 2, Fabric::kConnectingNap.count());
  }
  EXPECT_EQ(at_right.frames, 1u);
}

// Catches receive buffers lost to messages that are too large for them (rxm does not give those
// back), frames misaligned by odd lengths before them, and frames larger than a session may expect.
TEST(Fabric, a_strangers_messages_of_odd_and_hostile_sizes_cost_the_others_nothing) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  testing::Stranger stranger(pair.right.address());
  const auto size = [](std::uint64_t number) { return 8 + number * 8 % Fabric::kMaxFrame; };
  Stream honest{pair.left, pair.to_right, pair.at_right, size, 50'000, 64};
  honest.listen();
  const auto check = pair.at_right.frame;
  std::size_t junk = 0;
  pair.at_right.frame = [&](std::span<std::byte> frame) {
    EXPECT_LE(frame.size(), Fabric::kMaxFrame);
    if (frame.size() % 8 != 0 || frame[7] == std::byte{0x5a}) {
      ++junk;  // the honest numbers stay below 50,000: their eighth byte is 0
    } else {
      check(frame);
    }
  };
  constexpr std::array<std::size_t, 7> kSizes = {3, 9'000, 100'000, 300'000, 13, 8'192, 250'000};
  std::size_t thrown = 0;
  EXPECT_TRUE(pair.until([&] {
    honest.push();
    if (thrown < 700 && stranger.send(kSizes[thrown % kSizes.size()])) ++thrown;
    stranger.poll();
    return honest.done() && thrown == 700;
  }));
  EXPECT_TRUE(honest.intact);
  EXPECT_GT(junk, 0u);
}

std::multiset<std::string> environment() {
  std::multiset<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.insert(*entry);
  return all;
}

void users_handler(int) {}

TEST(Fabric, signal_handlers_and_environment_stay_the_users) {
  const auto before = environment();
  struct sigaction mine {};
  mine.sa_handler = users_handler;
  struct sigaction old {};
  ASSERT_EQ(sigaction(SIGTERM, &mine, &old), 0);
  {
    Pair pair;
    ASSERT_TRUE(pair.connect());
    EXPECT_EQ(environment(), before);
  }
  EXPECT_EQ(environment(), before);
  struct sigaction now {};
  sigaction(SIGTERM, nullptr, &now);
  EXPECT_EQ(now.sa_handler, users_handler);
  sigaction(SIGTERM, &old, nullptr);
  for (const int signal : kTakenSignals) {
    sigaction(signal, nullptr, &now);
    EXPECT_FALSE(belongs_to_fabric(now)) << signal;
  }
}

// What the kernel says of this process, without asking any function of ours.
TEST(Fabric, after_the_library_was_loaded_no_handler_is_left_for_the_usual_signals) {
  { Fabric loaded({"tcp;ofi_rxm", "127.0.0.1", 0}); }
  for (const int signal : {SIGINT, SIGTERM, SIGBUS, SIGILL, SIGABRT}) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    Dl_info where{};
    if (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) continue;
    ASSERT_NE(dladdr(reinterpret_cast<void*>(now.sa_handler), &where), 0);
    EXPECT_THAT(where.dli_fname, ::testing::Not(::testing::HasSubstr("infinipath")));
  }
}

}  // namespace
}  // namespace pp::transport
