// LoopbackWorld: sessions, order, delay, and everything a test may do to a node or a wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <pp/loopback.hpp>
#include <thread>
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
using testing::HasSubstr;
using testing::IsEmpty;

TEST(LoopbackWorld, the_example_in_its_header_works) {
  LoopbackWorld world;
  Node events_a(world, named(1));
  Node events_b(world, named(2));
  auto& a = events_a.transport;
  auto& b = events_b.transport;
  const Time now{};
  a->dial(b->self().addresses.front());
  a->poll(now, events_a);
  b->poll(now, events_b);
  EXPECT_EQ(events_a.up.size(), 1u);
  EXPECT_EQ(events_b.up.size(), 1u);
}

TEST_F(Loopback, both_learn_who_the_other_is_and_who_dialled) {
  connect();
  const Peer& at_a = a.up.at(a.session());
  const Peer& at_b = b.up.at(b.session());
  EXPECT_EQ(at_a.introduction.node, id_of(2));
  EXPECT_EQ(at_b.introduction.node, id_of(1));
  EXPECT_EQ(at_a.introduction.workers, 2u);
  EXPECT_TRUE(at_a.dialled);
  EXPECT_FALSE(at_b.dialled);
  EXPECT_EQ(at_a.remote.to_string(), "loopback:2");
  EXPECT_EQ(at_a.provider, "loopback");
  EXPECT_EQ(a.transport->counters().sessions_up, 1u);
}

TEST_F(Loopback, messages_arrive_in_order_both_ways) {
  connect();
  for (const std::uint64_t number : {1, 2, 3}) {
    EXPECT_TRUE(a.send(number));
    EXPECT_TRUE(b.send(10 * number));
  }
  EXPECT_EQ(a.transport->backlog(a.session()), 24u);
  both(at(milliseconds(1)));
  both(at(milliseconds(1)));
  EXPECT_THAT(b.heard, ElementsAre(1, 2, 3));
  EXPECT_THAT(a.heard, ElementsAre(10, 20, 30));
  EXPECT_EQ(a.transport->backlog(a.session()), 0u);
  EXPECT_EQ(a.transport->counters().messages_sent, 3u);
  EXPECT_EQ(b.transport->counters().messages_received, 3u);
  EXPECT_EQ(b.transport->counters().bytes_received, 24u);
}

TEST_F(Loopback, a_message_goes_out_in_the_next_poll_and_not_before) {
  connect();
  a.send(1);
  b.poll(at(milliseconds(1)));
  EXPECT_THAT(b.heard, IsEmpty());
  a.poll(at(milliseconds(1)));
  b.poll(at(milliseconds(1)));
  EXPECT_THAT(b.heard, ElementsAre(1));
}

TEST_F(Loopback, what_a_handler_sends_goes_out_with_the_same_poll) {
  connect();
  b.answer = [this](SessionId session, std::uint64_t number) {
    b.transport->send(session, words(number + 1));
  };
  a.send(1);
  both(at(milliseconds(1)));
  a.poll(at(milliseconds(1)));
  EXPECT_THAT(a.heard, ElementsAre(2));
}

TEST_F(Loopback, a_delay_counts_from_the_senders_poll) {
  connect();
  world.delay(milliseconds(10));
  a.send(1);
  a.poll(at(milliseconds(5)));
  b.poll(at(milliseconds(14)));
  EXPECT_THAT(b.heard, IsEmpty());
  b.poll(at(milliseconds(15)));
  EXPECT_THAT(b.heard, ElementsAre(1));
}

TEST_F(Loopback, a_shorter_delay_lets_nothing_overtake) {
  connect();
  world.delay(milliseconds(10));
  a.send(1);
  a.poll(at(milliseconds(0)));
  world.delay(milliseconds(0));
  a.send(2);
  a.poll(at(milliseconds(1)));
  b.poll(at(milliseconds(9)));
  EXPECT_THAT(b.heard, IsEmpty());
  b.poll(at(milliseconds(10)));
  EXPECT_THAT(b.heard, ElementsAre(1, 2));
}

TEST_F(Loopback, nobody_listens_at_an_address_that_was_never_given) {
  a.transport->dial({"loopback", 9});
  a.transport->dial({"elsewhere", 1});
  a.poll(at(milliseconds(0)));
  EXPECT_THAT(a.failed, ElementsAre("loopback:9", "elsewhere:1"));
  EXPECT_THAT(a.failures, ElementsAre(DialFailure::kRefused, DialFailure::kRefused));
}

TEST_F(Loopback, an_address_that_is_being_dialled_is_not_dialled_twice) {
  a.transport->dial(b.address());
  a.transport->dial(b.address());
  both(at(milliseconds(0)));
  EXPECT_EQ(a.ups.size(), 1u);
  EXPECT_EQ(b.ups.size(), 1u);
  EXPECT_THAT(a.refused, IsEmpty());
}

TEST_F(Loopback, another_function_table_is_refused_at_both_with_both_values) {
  Introduction other = named(3);
  other.function_table = 77;
  Node c(world, other);
  a.transport->dial(c.address());
  a.poll(at(milliseconds(0)));
  c.poll(at(milliseconds(0)));
  ASSERT_EQ(a.refused.size(), 1u);
  ASSERT_EQ(c.refused.size(), 1u);
  EXPECT_EQ(a.refused[0].reason, RefusalReason::kFunctionTable);
  EXPECT_FALSE(a.refused[0].by_us);
  EXPECT_TRUE(c.refused[0].by_us);
  EXPECT_EQ(c.refused[0].remote, a.address());
  for (const char* part : {"77", "build1", "build3", "node1", "node3"}) {
    EXPECT_THAT(a.refused[0].sentence, HasSubstr(part));
  }
  EXPECT_TRUE(a.up.empty() && c.up.empty());
  EXPECT_EQ(a.transport->counters().refusals, 1u);
}

TEST_F(Loopback, another_launch_is_refused_and_no_launch_joins_any) {
  Introduction ours = named(3);
  ours.launch = "monday";
  Introduction theirs = named(4);
  theirs.launch = "tuesday";
  Node c(world, ours);
  Node d(world, theirs);
  c.transport->dial(d.address());
  c.transport->dial(a.address());
  c.poll(at(milliseconds(0)));
  ASSERT_EQ(c.refused.size(), 1u);
  EXPECT_EQ(c.refused[0].reason, RefusalReason::kLaunch);
  EXPECT_THAT(c.refused[0].sentence, HasSubstr("monday"));
  EXPECT_THAT(c.refused[0].sentence, HasSubstr("tuesday"));
  EXPECT_EQ(c.up.size(), 1u);
}

TEST_F(Loopback, a_node_refuses_itself) {
  Node twin(world, named(1));
  a.transport->dial(a.address());
  a.transport->dial(twin.address());
  a.poll(at(milliseconds(0)));
  ASSERT_EQ(a.refused.size(), 2u);
  EXPECT_EQ(a.refused[0].reason, RefusalReason::kSelf);
  EXPECT_EQ(a.refused[0].remote, a.address());
  EXPECT_EQ(a.refused[1].remote, twin.address());
}

TEST_F(Loopback, of_two_dials_at_once_the_smaller_nodes_session_stays) {
  b.transport->dial(a.address());
  a.transport->dial(b.address());
  both(at(milliseconds(0)));
  ASSERT_EQ(a.up.size(), 1u);
  ASSERT_EQ(b.up.size(), 1u);
  EXPECT_TRUE(a.up.begin()->second.dialled);
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kReplaced));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kReplaced));
}

TEST_F(Loopback, a_dial_back_by_the_greater_node_is_a_duplicate_and_no_refusal_is_counted) {
  connect();
  b.transport->dial(a.address());
  both(at(milliseconds(0)));
  ASSERT_EQ(b.refused.size(), 1u);
  EXPECT_EQ(b.refused[0].reason, RefusalReason::kDuplicate);
  EXPECT_EQ(b.transport->counters().refusals, 0u);
  EXPECT_TRUE(a.send(1));
  both(at(milliseconds(0)));
  EXPECT_THAT(b.heard, ElementsAre(1));
}

TEST_F(Loopback, a_second_dial_by_the_same_node_replaces_the_session) {
  connect();
  a.transport->dial(b.address());
  both(at(milliseconds(0)));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kReplaced));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kReplaced));
  EXPECT_EQ(a.ups.size(), 2u);
  EXPECT_NE(a.ups[0], a.ups[1]);
  EXPECT_TRUE(a.send(1));
  both(at(milliseconds(0)));
  EXPECT_THAT(b.heard, ElementsAre(1));
}

TEST_F(Loopback, hanging_up_sends_what_is_queued_and_ends_both_ends) {
  connect();
  a.send(1);
  a.transport->hang_up(a.session(), "done");
  EXPECT_FALSE(a.send(2));
  both(at(milliseconds(1)));
  EXPECT_THAT(b.heard, ElementsAre(1));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kHungUp));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kGoodbye));
  EXPECT_FALSE(b.send(3));
  EXPECT_EQ(a.transport->backlog(a.session()), 0u);
  both(at(milliseconds(2)));
  EXPECT_EQ(a.downs.size() + b.downs.size(), 2u);
}

TEST_F(Loopback, both_may_hang_up_at_once) {
  connect();
  a.transport->hang_up(a.session(), "done");
  b.transport->hang_up(b.session(), "done too");
  both(at(milliseconds(1)));
  both(at(milliseconds(1)));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kHungUp));
  EXPECT_EQ(b.downs.size(), 1u);
}

TEST_F(Loopback, a_handler_may_hang_up_and_dial_again) {
  connect();
  b.answer = [this](SessionId session, std::uint64_t) {
    b.transport->hang_up(session, "again");
    b.transport->dial(a.address());
  };
  a.send(1);
  for (int i = 0; i < 3; ++i) both(at(milliseconds(1)));
  EXPECT_EQ(b.downs.size(), 1u);
  EXPECT_EQ(a.downs.size(), 1u);
}

TEST_F(Loopback, a_cut_loses_what_is_in_flight_and_fails_dials_until_healed) {
  connect();
  world.delay(milliseconds(1));
  a.send(1);
  b.send(1);
  both(at(milliseconds(1)));
  world.cut(id_of(2), id_of(1));
  both(at(milliseconds(5)));
  EXPECT_TRUE(a.heard.empty() && b.heard.empty());
  world.delay(milliseconds(0));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kClosed));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kClosed));
  a.transport->dial(b.address());
  a.poll(at(milliseconds(6)));
  EXPECT_THAT(a.failed, ElementsAre("loopback:2"));
  EXPECT_THAT(a.failures, ElementsAre(DialFailure::kUnreachable));
  world.heal(id_of(1), id_of(2));
  a.transport->dial(b.address());
  both(at(milliseconds(7)));
  EXPECT_EQ(a.up.size(), 1u);
  a.send(2);
  both(at(milliseconds(7)));
  EXPECT_THAT(b.heard, ElementsAre(2));
}

TEST_F(Loopback, a_cut_between_two_leaves_the_third_with_both) {
  Node c(world, named(3));
  connect();
  c.transport->dial(a.address());
  c.transport->dial(b.address());
  c.poll(at(milliseconds(0)));
  both(at(milliseconds(0)));
  world.cut(id_of(1), id_of(2));
  c.poll(at(milliseconds(1)));
  both(at(milliseconds(1)));
  EXPECT_EQ(c.up.size(), 2u);
  EXPECT_EQ(a.up.size(), 1u);
  EXPECT_EQ(b.up.size(), 1u);
}

TEST_F(Loopback, a_killed_node_is_closed_after_what_it_had_sent_and_cannot_be_dialled) {
  connect();
  world.delay(milliseconds(10));
  a.send(1);
  a.poll(at(milliseconds(1)));
  a.send(2);  // never polled: never sent
  world.kill(id_of(1));
  b.poll(at(milliseconds(2)));
  EXPECT_THAT(b.downs, IsEmpty());
  b.poll(at(milliseconds(11)));
  EXPECT_THAT(b.heard, ElementsAre(1));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kClosed));
  b.transport->dial(a.address());
  b.poll(at(milliseconds(12)));
  EXPECT_THAT(b.failed, ElementsAre("loopback:1"));
  EXPECT_THAT(b.failures, ElementsAre(DialFailure::kRefused));
  EXPECT_EQ(a.poll(at(milliseconds(12))), 0u);
  EXPECT_FALSE(a.transport->send(a.session(), words(3)));
  EXPECT_THAT(a.downs, IsEmpty());
}

TEST_F(Loopback, a_transport_destroyed_is_closed_at_its_peers) {
  connect();
  a.transport.reset();
  EXPECT_TRUE(b.send(1));  // not known yet
  b.poll(at(milliseconds(1)));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kClosed));
  EXPECT_FALSE(b.send(2));
}

TEST_F(Loopback, a_short_stop_delays_and_loses_nothing) {
  connect();
  world.stop(id_of(2));
  a.send(1);
  both(at(milliseconds(1000)));
  both(at(milliseconds(2000)));
  EXPECT_THAT(b.heard, IsEmpty());
  world.resume(id_of(2));
  b.poll(at(milliseconds(2500)));
  EXPECT_THAT(b.heard, ElementsAre(1));
  both(at(milliseconds(9000)));
  EXPECT_TRUE(a.downs.empty() && b.downs.empty());
}

TEST_F(Loopback, a_stopped_node_is_silent_after_the_limit_and_reads_its_mail_when_it_resumes) {
  world.set_dead_limit(milliseconds(500));
  connect();
  world.stop(id_of(2));
  a.send(1);
  a.poll(at(milliseconds(1000)));
  a.poll(at(milliseconds(1499)));
  EXPECT_THAT(a.downs, IsEmpty());
  a.poll(at(milliseconds(1500)));
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kSilent));
  EXPECT_FALSE(a.send(2));
  EXPECT_EQ(b.poll(at(milliseconds(1600))), 0u);
  world.resume(id_of(2));
  EXPECT_TRUE(b.send(3));  // it does not know yet
  both(at(milliseconds(1700)));
  EXPECT_THAT(b.heard, ElementsAre(1));
  EXPECT_THAT(b.downs, ElementsAre(DownReason::kClosed));
  EXPECT_THAT(a.heard, IsEmpty());
}

TEST_F(Loopback, a_stopped_node_takes_no_more_than_its_credit) {
  connect();
  world.stop(id_of(2));
  for (std::uint64_t i = 0; i < 100; ++i) a.send(i);
  a.poll(at(milliseconds(1)));
  EXPECT_EQ(a.transport->backlog(a.session()), 8u * (100 - 64));
  world.resume(id_of(2));
  both(at(milliseconds(2)));
  b.poll(at(milliseconds(2)));
  EXPECT_EQ(b.heard.size(), 100u);
  EXPECT_EQ(a.transport->backlog(a.session()), 0u);
}

TEST_F(Loopback, dialling_a_stopped_node_succeeds_when_it_resumes_in_time_and_fails_otherwise) {
  world.set_dead_limit(milliseconds(500));
  world.stop(id_of(2));
  a.transport->dial(b.address());
  a.poll(at(milliseconds(0)));
  world.resume(id_of(2));
  both(at(milliseconds(400)));
  EXPECT_EQ(a.up.size(), 1u);
  EXPECT_EQ(b.up.size(), 1u);

  Node c(world, named(3));
  world.stop(id_of(3));
  a.transport->dial(c.address());
  a.poll(at(milliseconds(1000)));
  EXPECT_THAT(a.failed, IsEmpty());
  a.poll(at(milliseconds(1500)));
  EXPECT_THAT(a.failed, ElementsAre("loopback:3"));
  EXPECT_THAT(a.failures, ElementsAre(DialFailure::kNoAnswer));
}

TEST_F(Loopback, a_wait_with_nothing_to_do_ends_at_its_deadline) {
  connect();
  both(at(milliseconds(0)));
  const Time deadline = Clock::now() + milliseconds(20);
  a.transport->wait(deadline);
  EXPECT_GE(Clock::now(), deadline);
}

// Each line would hang if the wait did not end.
TEST_F(Loopback, a_wait_ends_at_once_when_something_can_be_moved) {
  a.transport->dial(b.address());
  a.transport->wait(Time::max());
  b.transport->wait(Time::max());
  both(Clock::now());
  a.send(1);
  a.transport->wait(Time::max());
  a.poll(Clock::now());
  b.transport->wait(Time::max());
  a.transport->hang_up(a.session(), "done");
  a.transport->wait(Time::max());
  a.transport->wake();
  a.transport->wait(Time::max());
}

TEST_F(Loopback, a_wait_ends_when_a_delayed_message_is_due) {
  connect();
  world.delay(milliseconds(20));
  a.send(1);
  const Time sent = Clock::now();
  a.poll(sent);
  b.transport->wait(Time::max());
  EXPECT_GE(Clock::now(), sent + milliseconds(20));
  b.poll(Clock::now());
  EXPECT_THAT(b.heard, ElementsAre(1));
}

TEST_F(Loopback, a_wait_ends_when_silence_has_lasted_too_long) {
  world.set_dead_limit(milliseconds(20));
  connect();
  world.stop(id_of(2));
  for (std::uint64_t i = 0; i < 100; ++i) a.send(i);  // more than the credit: no reason to spin
  int waits = 0;
  while (a.downs.empty()) {
    a.transport->wait(Time::max());
    a.poll(Clock::now());
    ++waits;
  }
  EXPECT_THAT(a.downs, ElementsAre(DownReason::kSilent));
  EXPECT_LT(waits, 10);
}

TEST_F(Loopback, a_wake_from_another_thread_ends_a_wait) {
  for (int i = 0; i < 1000; ++i) {
    auto woken = std::async(std::launch::async, [this] { a.transport->wake(); });
    a.transport->wait(Time::max());
    woken.get();
  }
}

// Four couriers with threads of their own pass a number round until it is large. Catches lost
// wake-ups (it would hang), reordering, and with ThreadSanitizer every unguarded access.
TEST(LoopbackWorld, nodes_on_threads_of_their_own_pass_messages_round) {
  constexpr std::uint64_t kLast = 20'000;
  LoopbackWorld world;
  std::vector<std::unique_ptr<Node>> nodes;
  for (std::uint8_t i = 1; i <= 4; ++i) nodes.push_back(std::make_unique<Node>(world, named(i)));
  std::atomic<bool> done{false};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    Node& node = *nodes[i];
    node.transport->dial(nodes[(i + 1) % nodes.size()]->address());
    node.answer = [&node, &done, &nodes](SessionId, std::uint64_t number) {
      if (number == kLast) {
        done = true;
        for (const auto& other : nodes) other->transport->wake();
        return;
      }
      for (const auto& [session, peer] : node.up) {
        if (!peer.dialled) continue;
        EXPECT_TRUE(node.transport->send(session, words(number + 1)));
      }
    };
  }
  std::vector<std::thread> couriers;
  for (const auto& node : nodes) {
    couriers.emplace_back([&node = *node, &done, first = node == nodes.front()] {
      bool begun = !first;
      while (!done) {
        node.transport->wait(Time::max());
        node.poll(Clock::now());
        if (!begun && node.up.size() == 2) {
          begun = true;
          for (const auto& [session, peer] : node.up) {
            if (peer.dialled) node.transport->send(session, words(1));
          }
        }
      }
    });
  }
  for (std::thread& courier : couriers) courier.join();
  std::uint64_t heard = 0;
  for (const auto& node : nodes) {
    heard += node->heard.size();
    EXPECT_TRUE(std::is_sorted(node->heard.begin(), node->heard.end()));
  }
  EXPECT_EQ(heard, kLast);
}

}  // namespace
}  // namespace pp::transport
