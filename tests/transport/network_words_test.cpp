// Words over real sockets, what else ends a wait, and the ways in which a session ends.
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "wire.hpp"

namespace pp::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::bytes_of;
using testing::Diary;
using testing::Network;
using testing::Node;
using testing::run;

TEST_P(Network, words_of_every_size_arrive_both_ways) {
  Node a = open(), b = open();
  connect(a, b);
  for (std::size_t size = 0; size <= kMaxWord; size += kMaxWord / 8) {
    ASSERT_TRUE(a.transport->send_word(a.session(), bytes_of(size, size)));
    ASSERT_TRUE(b.transport->send_word(b.session(), bytes_of(size + 1, size)));
  }
  ASSERT_TRUE(
      run({&a, &b}, [&] { return a.diary.words.size() == 9 && b.diary.words.size() == 9; }));
  for (std::size_t i = 0; i < 9; ++i) {  // nothing gets lost on a socket
    EXPECT_EQ(b.diary.words[i], bytes_of(i * kMaxWord / 8, i * kMaxWord / 8));
    EXPECT_EQ(a.diary.words[i], bytes_of(i * kMaxWord / 8 + 1, i * kMaxWord / 8));
  }
  EXPECT_EQ(a.transport->counters().words_sent, 9u);
  EXPECT_EQ(a.transport->counters().words_received, 9u);
  EXPECT_EQ(a.transport->counters().messages_received, 0u);
}

TEST_P(Network, a_word_overtakes_a_message_that_waits_for_credit) {
  Node a = open(), b = open();
  connect(a, b);
  a.transport->send(a.session(), bytes_of(3, 20'000'000));
  for (int i = 0; i < 100; ++i) a.transport->poll(Clock::now(), a.diary);
  ASSERT_GT(a.transport->backlog(a.session()), 10'000'000u);
  ASSERT_TRUE(a.transport->send_word(a.session(), bytes_of(7)));
  b.diary.read = [&](SessionId, auto) { EXPECT_EQ(b.diary.words.size(), 1u); };
  ASSERT_TRUE(run({&a, &b}, [&] { return b.diary.messages == 1; }));
  EXPECT_EQ(b.diary.words.size(), 1u);
}

TEST_P(Network, words_that_nobody_can_take_are_refused) {
  Node a = open(), b = open();
  connect(a, b);
  std::size_t taken = 0;
  while (a.transport->send_word(a.session(), bytes_of(taken)) && taken < 1000) ++taken;
  EXPECT_EQ(taken, 64u);
  ASSERT_TRUE(run({&a, &b}, [&] { return b.diary.words.size() == taken; }));
  EXPECT_TRUE(a.transport->send_word(a.session(), bytes_of(1)));
  EXPECT_FALSE(a.transport->send_word(SessionId{999}, bytes_of(1)));
  a.transport->hang_up(a.session(), "enough");
  EXPECT_FALSE(a.transport->send_word(a.session(), bytes_of(1)));
}

// A word said at once takes the control connection and may be there before the fabric's lane is
// open at the other end; Diary complains of a word that nobody was told the session of.
TEST_P(Network, words_said_as_soon_as_a_session_is_up_arrive_after_it_is_up_there) {
  for (int round = 0; round < 20; ++round) {
    Node a = open(), b = open();
    for (Node* node : {&a, &b}) {
      node->diary.greet = [node](SessionId session) {
        for (std::uint64_t i = 0; i < 8; ++i)
          EXPECT_TRUE(node->transport->send_word(session, bytes_of(i)));
      };
    }
    connect(a, b);
    ASSERT_TRUE(
        run({&a, &b}, [&] { return a.diary.words.size() >= 8 && b.diary.words.size() >= 8; }));
    for (std::uint64_t i = 0; i < 8; ++i) {
      EXPECT_EQ(a.diary.words[i], bytes_of(i));
      EXPECT_EQ(b.diary.words[i], bytes_of(i));
    }
  }
}

TEST_P(Network, a_handler_may_hang_up_at_an_early_word) {
  Node a = open(), b = open();
  a.diary.greet = [&a](SessionId session) {
    for (std::uint64_t i = 0; i < 8; ++i) a.transport->send_word(session, bytes_of(i));
  };
  b.diary.greet = [&b](SessionId session) { b.transport->hang_up(session, "not you"); };
  a.transport->dial(b.address());
  ASSERT_TRUE(
      run({&a, &b}, [&] { return a.diary.downs.size() == 1 && b.diary.downs.size() == 1; }));
  EXPECT_TRUE(b.diary.words.empty());
  EXPECT_EQ(b.diary.downs[0].reason, DownReason::kHungUp);
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kGoodbye);
  EXPECT_EQ(a.diary.downs[0].why, "not you");
}

// ---- how a session ends

TEST_P(Network, an_abandoned_session_ends_at_once_and_without_a_word) {
  Node a = open(), b = open();
  connect(a, b);
  for (std::uint64_t i = 0; i < 100; ++i) a.transport->send(a.session(), bytes_of(i, 1024));
  a.transport->send_word(a.session(), bytes_of(1));
  a.transport->abandon(a.session(), "taken for dead");
  EXPECT_FALSE(a.transport->send(a.session(), bytes_of(0)));
  EXPECT_FALSE(a.transport->send_word(a.session(), bytes_of(0)));
  EXPECT_TRUE(a.diary.downs.empty());
  a.transport->poll(Clock::now(), a.diary);  // one is enough, whatever the peer does
  ASSERT_EQ(a.diary.downs.size(), 1u);
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kHungUp);
  EXPECT_EQ(a.diary.downs[0].why, "taken for dead");
  ASSERT_TRUE(run({&b}, [&] { return b.diary.live() == 0; }));
  EXPECT_EQ(b.diary.downs[0].reason, DownReason::kClosed);
  EXPECT_EQ(b.diary.messages, 0u);
  EXPECT_TRUE(b.diary.words.empty());
}

TEST_P(Network, an_abandoned_peer_can_be_met_again) {
  Node a = open(), b = open();
  connect(a, b);
  a.transport->abandon(a.session(), "taken for dead");
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 0 && b.diary.live() == 0; }));
  b.transport->dial(a.address());
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
  a.transport->send(a.session(), bytes_of(5));
  EXPECT_TRUE(run({&a, &b}, [&] { return b.diary.messages == 1; }));
}

TEST_P(Network, a_handler_may_abandon_the_session_it_hears_from) {
  Node a = open(), b = open();
  connect(a, b);
  a.diary.read = [&](SessionId from, auto) { a.transport->abandon(from, "such words"); };
  for (std::uint64_t i = 0; i < 10; ++i) b.transport->send(b.session(), bytes_of(i));
  ASSERT_TRUE(run({&a, &b}, [&] { return a.diary.live() == 0 && b.diary.live() == 0; }));
  EXPECT_EQ(a.diary.messages, 1u);
  EXPECT_EQ(b.diary.downs[0].reason, DownReason::kClosed);
}

TEST_P(Network, an_idle_peer_may_be_silent_for_its_keepalive_and_one_that_was_sent_data_may_not) {
  NetworkOptions quiet = options();
  quiet.limits.keepalive = seconds(60);
  Node a = open(quiet), b = open();
  connect(a, b);
  const Time up = Clock::now();  // the time that passes is what poll() is told
  a.transport->poll(up + seconds(1), a.diary);
  a.transport->poll(up + seconds(40), a.diary);
  EXPECT_EQ(a.diary.live(), 1u);
  a.transport->send(a.session(), bytes_of(1));
  a.transport->poll(up + seconds(41), a.diary);
  a.transport->poll(up + seconds(43), a.diary);
  EXPECT_EQ(a.diary.live(), 1u);
  a.transport->poll(up + seconds(45), a.diary);
  ASSERT_EQ(a.diary.live(), 0u);
  EXPECT_EQ(a.diary.downs[0].reason, DownReason::kSilent);
}

// ---- what else ends a wait

// Waits until the transport really sleeps (with a fabric it may first want to be polled) and
// something ends that.
bool wait(Node& node, Time deadline) {
  while (true) {
    if (node.transport->wait(deadline)) return true;
    if (Clock::now() >= deadline) return false;
    node.transport->poll(Clock::now(), node.diary);
  }
}

TEST_P(Network, a_wait_ends_while_a_watched_descriptor_is_readable) {
  const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  {
    Node a = open();
    a.transport->watch(event);
    EXPECT_FALSE(wait(a, Clock::now() + milliseconds(5)));
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(event, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(wait(a, Clock::now() + seconds(60)));
      a.transport->poll(Clock::now(), a.diary);
    }
    std::uint64_t count = 0;
    ASSERT_EQ(::read(event, &count, sizeof count), static_cast<ssize_t>(sizeof count));
    EXPECT_FALSE(wait(a, Clock::now() + milliseconds(5)));
  }
  ::close(event);
}

TEST_P(Network, several_descriptors_are_watched_beside_the_peers) {
  std::array<int, 3> events{};
  for (int& event : events) event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  {
    Node a = open(), b = open();
    for (const int event : events) a.transport->watch(event);
    connect(a, b);
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(events[2], &one, sizeof one), static_cast<ssize_t>(sizeof one));
    EXPECT_TRUE(wait(a, Clock::now() + seconds(60)));
    b.transport->send(b.session(), bytes_of(1));
    EXPECT_TRUE(run({&a, &b}, [&] { return a.diary.messages == 1; }));
    EXPECT_TRUE(wait(a, Clock::now() + seconds(60)));
  }
  for (const int event : events) ::close(event);
}

}  // namespace
}  // namespace pp::transport
