// LoopbackWorld: words and their loss, the ways in which a session ends, and who is to be polled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <pp/loopback.hpp>
#include <vector>

#include "loopback_nodes.hpp"

namespace pp::transport {
namespace {

using loopback_test::id_of;
using loopback_test::Loopback;
using loopback_test::named;
using loopback_test::Node;
using loopback_test::words;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST_F(Loopback, a_word_goes_out_in_the_next_poll_and_takes_its_time) {
  connect();
  world.delay(milliseconds(10));
  EXPECT_TRUE(a.say(1));
  b.poll(at(milliseconds(20)));
  EXPECT_THAT(b.words_heard, IsEmpty());
  a.poll(at(milliseconds(20)));
  b.poll(at(milliseconds(29)));
  EXPECT_THAT(b.words_heard, IsEmpty());
  b.poll(at(milliseconds(30)));
  EXPECT_THAT(b.words_heard, ElementsAre(1));
  EXPECT_EQ(a.transport->counters().words_sent, 1u);
  EXPECT_EQ(b.transport->counters().words_received, 1u);
  EXPECT_EQ(b.transport->counters().messages_received, 0u);
}

TEST_F(Loopback, words_are_not_ordered_with_messages) {
  connect();
  world.delay(milliseconds(10));
  a.send(1);
  a.poll(at(milliseconds(0)));
  world.delay(milliseconds(1));
  a.say(2);
  a.send(3);
  a.poll(at(milliseconds(1)));
  b.poll(at(milliseconds(2)));
  EXPECT_THAT(b.words_heard, ElementsAre(2));  // it has overtaken both
  EXPECT_THAT(b.heard, IsEmpty());
  b.poll(at(milliseconds(10)));
  EXPECT_THAT(b.heard, ElementsAre(1, 3));
}

TEST_F(Loopback, as_many_words_are_lost_as_was_said_and_no_message) {
  connect();
  world.lose(0.25, 7);
  for (std::uint64_t i = 0; i < 4000; ++i) {
    ASSERT_TRUE(a.say(i));
    a.send(i);
    both(at(milliseconds(i)));
  }
  EXPECT_EQ(b.heard.size(), 4000u);
  EXPECT_GT(b.words_heard.size(), 2800u);
  EXPECT_LT(b.words_heard.size(), 3200u);
  EXPECT_EQ(a.transport->counters().words_sent, 4000u);  // nobody is told
  EXPECT_EQ(b.transport->counters().words_received, b.words_heard.size());
}

TEST(LoopbackWorld, loses_the_same_words_for_the_same_seed) {
  const auto heard = [](double probability, std::uint64_t seed) {
    LoopbackWorld world;
    Node a(world, named(1)), b(world, named(2));
    world.lose(probability, seed);
    a.transport->dial(b.address());
    for (std::uint64_t i = 0; i < 100; ++i) {
      a.poll(Time{});
      b.poll(Time{});
      a.say(i);
    }
    return b.words_heard;
  };
  EXPECT_EQ(heard(0.5, 1), heard(0.5, 1));
  EXPECT_NE(heard(0.5, 1), heard(0.5, 2));
  EXPECT_THAT(heard(1, 1), IsEmpty());
  EXPECT_GE(heard(0, 1).size(), 98u);
}

TEST_F(Loopback, more_words_than_may_wait_are_refused) {
  connect();
  std::uint64_t taken = 0;
  while (a.say(taken) && taken < 1000) ++taken;
  EXPECT_EQ(taken, 64u);
  both(at(milliseconds(1)));
  EXPECT_EQ(b.words_heard.size(), 64u);
  EXPECT_TRUE(a.say(1));
  EXPECT_FALSE(a.transport->send_word(SessionId{99}, words(1)));
}

TEST_F(Loopback, words_that_are_late_for_their_session_are_not_told) {
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed);
    Node c(world, named(3)), d(world, named(4));
    c.transport->dial(d.address());
    c.poll(at(milliseconds(0)));
    d.poll(at(milliseconds(0)));
    world.delay(milliseconds(10));
    c.say(1);
    c.poll(at(milliseconds(0)));
    world.delay(milliseconds(0));
    if (killed) {
      world.kill(id_of(3));
    } else {
      c.transport->hang_up(c.session(), "done");
      c.poll(at(milliseconds(1)));
    }
    d.poll(at(milliseconds(2)));
    EXPECT_EQ(d.downs.size(), 1u);
    d.poll(at(milliseconds(20)));  // Node complains of a word after on_down
    EXPECT_THAT(d.words_heard, IsEmpty());
    EXPECT_EQ(d.transport->counters().words_received, 0u);
    if (!killed) world.kill(id_of(3));
    world.kill(id_of(4));
  }
}

TEST_F(Loopback, words_to_a_stopped_node_take_no_credit_of_messages) {
  connect();
  world.stop(id_of(2));
  for (std::uint64_t i = 0; i < 40; ++i) a.say(i);
  a.poll(at(milliseconds(1)));
  for (std::uint64_t i = 0; i < 64; ++i) a.send(i);
  a.poll(at(milliseconds(2)));
  EXPECT_EQ(a.transport->backlog(a.session()), 0u);
  world.resume(id_of(2));
  b.poll(at(milliseconds(3)));
  EXPECT_EQ(b.words_heard.size(), 40u);
  EXPECT_EQ(b.heard.size(), 64u);
}

TEST_F(Loopback, an_abandoned_session_is_closed_at_the_other_end_and_its_queue_dropped) {
  connect();
  a.send(1);
  a.say(2);
  a.transport->abandon(a.session(), "taken for dead");
  EXPECT_FALSE(a.send(3));
  EXPECT_FALSE(a.say(4));
  EXPECT_EQ(a.transport->backlog(a.session()), 0u);
  EXPECT_THAT(a.downs, IsEmpty());
  both(at(milliseconds(1)));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kHungUp));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kClosed));
  EXPECT_THAT(b.heard, IsEmpty());
  EXPECT_THAT(b.words_heard, IsEmpty());
  EXPECT_FALSE(b.say(5));
}

TEST_F(Loopback, a_stopped_node_that_was_abandoned_learns_of_it_when_it_resumes) {
  connect();
  world.stop(id_of(2));
  a.transport->abandon(a.session(), "taken for dead");
  a.poll(at(milliseconds(1)));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kHungUp));
  world.resume(id_of(2));
  b.poll(at(milliseconds(2)));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kClosed));
}

// ---- who is to be polled

TEST_F(Loopback, those_for_whom_something_has_come_are_stirred_once) {
  connect();
  EXPECT_THAT(world.stirred(), UnorderedElementsAre(0, 1));
  EXPECT_THAT(world.stirred(), IsEmpty());
  a.send(1);
  EXPECT_THAT(world.stirred(), IsEmpty());  // it has not gone out
  a.poll(at(milliseconds(0)));
  EXPECT_THAT(world.stirred(), ElementsAre(1));
  a.say(1);
  a.say(2);
  a.poll(at(milliseconds(0)));
  a.poll(at(milliseconds(0)));
  EXPECT_THAT(world.stirred(), ElementsAre(1));
  world.cut(id_of(1), id_of(2));
  EXPECT_THAT(world.stirred(), UnorderedElementsAre(0, 1));
}

TEST_F(Loopback, a_killed_or_stopped_node_stirs_everybody) {
  Node c(world, named(3));
  world.stop(id_of(2));
  EXPECT_THAT(world.stirred(), UnorderedElementsAre(0, 1, 2));
  world.kill(id_of(2));
  EXPECT_THAT(world.stirred(), UnorderedElementsAre(0, 1, 2));
}

TEST_F(Loopback, a_node_is_due_when_something_arrives_and_at_once_when_it_has_something_to_say) {
  EXPECT_EQ(world.next_due(0), Time::max());
  a.transport->dial(b.address());
  EXPECT_EQ(world.next_due(0), Time::min());
  EXPECT_EQ(world.next_due(1), Time::min());
  both(at(milliseconds(0)));
  EXPECT_EQ(world.next_due(0), Time::max());
  world.delay(milliseconds(10));
  a.say(1);
  EXPECT_EQ(world.next_due(0), Time::min());
  EXPECT_EQ(world.next_due(1), Time::max());
  a.poll(at(milliseconds(5)));
  EXPECT_EQ(world.next_due(0), Time::max());
  EXPECT_EQ(world.next_due(1), at(milliseconds(15)));
  b.poll(at(milliseconds(15)));
  EXPECT_EQ(world.next_due(1), Time::max());
}

TEST_F(Loopback, a_node_is_due_when_a_limit_of_its_own_is_up_and_a_stopped_one_never) {
  world.set_dead_limit(milliseconds(500));
  connect();
  world.stop(id_of(2));
  both(at(milliseconds(100)));
  EXPECT_EQ(world.next_due(0), at(milliseconds(600)));
  EXPECT_EQ(world.next_due(1), Time::max());
  a.poll(at(milliseconds(600)));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kSilent));
  EXPECT_EQ(world.next_due(0), Time::max());
}

// The whole use of it: who polls only nodes that are stirred or due misses nothing.
TEST(LoopbackWorld, polling_only_who_is_stirred_or_due_delivers_everything) {
  LoopbackWorld world;
  world.delay(milliseconds(3));
  std::vector<std::unique_ptr<Node>> nodes;
  for (std::uint8_t i = 0; i < 10; ++i) nodes.push_back(std::make_unique<Node>(world, named(i)));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Node& node = *nodes[i];
    node.transport->dial(nodes[(i + 1) % nodes.size()]->address());
    node.answer = [&node](SessionId, std::uint64_t number) {
      for (const auto& [session, peer] : node.up)
        if (peer.dialled && number < 100) node.transport->send(session, words(number + 1));
    };
  }
  Time now{};
  std::vector<Time> due(nodes.size(), Time::min());
  bool begun = false;
  for (int round = 0; round < 10'000; ++round) {
    for (const std::size_t i : world.stirred()) due[i] = std::min(due[i], world.next_due(i));
    const auto next = std::min_element(due.begin(), due.end());
    if (*next == Time::max()) {
      if (begun) break;
      begun = true;
      Node& first = *nodes[0];
      for (const auto& [session, peer] : first.up)
        if (peer.dialled) first.transport->send(session, words(1));
      due[0] = world.next_due(0);
      continue;
    }
    now = std::max(now, *next);
    const auto i = static_cast<std::size_t>(next - due.begin());
    nodes[i]->poll(now);
    due[i] = world.next_due(i);
  }
  std::size_t heard = 0;
  for (const auto& node : nodes) heard += node->heard.size();
  EXPECT_EQ(heard, 100u);
}

}  // namespace
}  // namespace pp::transport
