// Neighbourhood, told by hand how sessions and dials end: what shows that a process has ended, and
// whom a node dials that leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <pp/neighbourhood.hpp>
#include <utility>
#include <vector>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using transport::DialFailure;
using transport::DownReason;
using transport::SessionId;

const Address kHere{"10.0.0.1", 7000};

// Writes down whom it is to dial; nothing else happens by itself.
class Paper final : public transport::Transport {
 public:
  Paper() {
    self_.node.bytes.fill(9);
    self_.addresses = {kHere};
  }
  const transport::Introduction& self() const override { return self_; }
  void dial(const Address& address) override { dialled.push_back(address); }
  bool send(SessionId, std::span<const std::byte>) override { return true; }
  bool send_word(SessionId, std::span<const std::byte>) override { return true; }
  std::size_t backlog(SessionId) const override { return 0; }
  void hang_up(SessionId, std::string_view) override {}
  void abandon(SessionId, std::string_view) override {}
  void watch(int) override {}
  std::size_t poll(Time, transport::Handler&) override { return 0; }
  bool wait(Time) override { return false; }
  void wake() noexcept override {}
  transport::Counters counters() const override { return {}; }

  std::vector<Address> dialled;

 private:
  transport::Introduction self_;
};

class Ends : public testing::Test, protected Neighbourhood::Listener {
 protected:
  Ends() : neighbourhood_(paper_, {}, 1, *this) {}

  static transport::Introduction node(std::uint8_t number, std::vector<Address> addresses) {
    transport::Introduction it;
    it.node.bytes.fill(number);
    it.name = "n" + std::to_string(number);
    it.workers = 1;
    it.addresses = std::move(addresses);
    return it;
  }

  // A session, dialled by it from its first address.
  SessionId up(const transport::Introduction& it) {
    const SessionId session{++sessions_};
    const Address from{it.addresses.front().host, 40'000};
    neighbourhood_.on_up(session, {it, from, "paper", false}, now_);
    return session;
  }
  void down(SessionId session, DownReason reason) { neighbourhood_.on_down(session, reason, now_); }
  // So long later whatever was due has been done, turn by turn.
  void pass(milliseconds time) {
    for (const Time end = now_ + time; now_ < end; now_ += milliseconds(1))
      if (neighbourhood_.next_due(now_) <= now_) neighbourhood_.poll(now_);
  }
  // The next dial finds that nobody listens. False: nobody was dialled.
  bool is_refused(const Address& address, milliseconds within = milliseconds(500)) {
    paper_.dialled.clear();
    for (milliseconds passed{0}; passed < within; ++passed) {
      pass(milliseconds(1));
      if (std::ranges::count(paper_.dialled, address) == 0) continue;
      neighbourhood_.on_dial_failed(address, DialFailure::kRefused, now_);
      return true;
    }
    return false;
  }
  MemberState state_of(const transport::Introduction& it) const {
    return neighbourhood_.find(it.node)->state;
  }

  void on_joined(const Member&) override {}
  void on_changed(const Member&) override {}
  void on_lost(const Member&) override {}
  void on_ended(const Member& member) override { ended_.push_back(member.node); }
  void on_notice(const std::string&) override {}
  Load load() const override { return {}; }
  void on_load(const NodeId&, const Load&) override {}
  Time last_used(SessionId) const override { return Time::max(); }
  void on_rest(SessionId) override {}

  Paper paper_;
  Neighbourhood neighbourhood_;
  std::uint64_t sessions_ = 0;
  Time now_ = Time{} + std::chrono::hours(1);
  std::vector<NodeId> ended_;  // after they had left
};

TEST_F(Ends, a_session_that_breaks_and_a_refusal_are_an_end) {
  const auto other = node(1, {{"10.0.0.2", 7000}});
  const SessionId session = up(other);
  pass(milliseconds(100));
  down(session, DownReason::kClosed);
  EXPECT_EQ(state_of(other), MemberState::kAlive);
  ASSERT_TRUE(is_refused({"10.0.0.2", 7000}));
  EXPECT_EQ(state_of(other), MemberState::kGone);
}

TEST_F(Ends, silence_and_a_refusal_by_this_very_host_are_an_end) {
  const auto other = node(1, {{"10.0.0.1", 7001}});
  const SessionId session = up(other);
  pass(milliseconds(100));
  down(session, DownReason::kSilent);
  ASSERT_TRUE(is_refused({"10.0.0.1", 7001}));
  EXPECT_EQ(state_of(other), MemberState::kGone);
}

// A wall between two hosts may drop what belongs to a session and refuse what would begin one.
TEST_F(Ends, silence_and_a_refusal_by_another_host_are_none) {
  const auto other = node(1, {{"10.0.0.2", 7000}});
  const SessionId session = up(other);
  pass(milliseconds(100));
  down(session, DownReason::kSilent);
  ASSERT_TRUE(is_refused({"10.0.0.2", 7000}));
  EXPECT_NE(state_of(other), MemberState::kGone);
}

// The second address is that of a bridge, and every host has the same: ours refuses the dial.
TEST_F(Ends, a_refusal_where_nobody_was_ever_reached_is_none) {
  const auto other = node(1, {{"10.0.0.2", 7000}, {"172.17.0.1", 7000}});
  const SessionId session = up(other);
  pass(milliseconds(100));
  down(session, DownReason::kClosed);
  pass(milliseconds(100));
  ASSERT_THAT(paper_.dialled, Contains(Address{"10.0.0.2", 7000}));
  neighbourhood_.on_dial_failed({"10.0.0.2", 7000}, DialFailure::kUnreachable, now_);
  ASSERT_TRUE(is_refused({"172.17.0.1", 7000}));
  EXPECT_NE(state_of(other), MemberState::kGone);
  ASSERT_TRUE(is_refused({"10.0.0.2", 7000}));
  EXPECT_EQ(state_of(other), MemberState::kGone);
}

TEST_F(Ends, who_listens_where_another_did_shows_that_it_has_ended) {
  const auto first = node(1, {{"10.0.0.2", 7000}});
  const auto second = node(2, {{"10.0.0.2", 7000}});
  const SessionId session = up(first);
  pass(milliseconds(100));
  down(session, DownReason::kClosed);
  up(second);
  EXPECT_EQ(state_of(first), MemberState::kGone);
  EXPECT_EQ(state_of(second), MemberState::kAlive);
}

// The successor is met before the broken session is noticed: every dial at the address would meet
// it once more, and be refused as its second one.
TEST_F(Ends, who_listened_there_already_when_a_session_broke_shows_it_too) {
  const auto first = node(1, {{"10.0.0.2", 7000}});
  const auto second = node(2, {{"10.0.0.2", 7000}});
  const SessionId session = up(first);
  pass(milliseconds(100));
  const SessionId later = up(second);
  pass(milliseconds(1));
  EXPECT_EQ(state_of(first), MemberState::kAlive);
  down(session, DownReason::kClosed);
  EXPECT_EQ(state_of(first), MemberState::kGone);
  down(later, DownReason::kClosed);
  EXPECT_EQ(state_of(second), MemberState::kAlive);  // nobody came after it
}

TEST_F(Ends, who_ends_while_it_leaves_is_found_out_by_those_who_wait_for_it) {
  const auto other = node(1, {{"10.0.0.2", 7000}});
  const SessionId session = up(other);
  pass(milliseconds(100));
  neighbourhood_.left(other.node, now_);
  pass(milliseconds(100));
  down(session, DownReason::kClosed);
  EXPECT_FALSE(is_refused({"10.0.0.2", 7000}));  // nobody waits for it
  neighbourhood_.connect(other.node, now_);
  ASSERT_TRUE(is_refused({"10.0.0.2", 7000}));
  EXPECT_THAT(ended_, ElementsAre(other.node));
  EXPECT_EQ(state_of(other), MemberState::kLeft);
}

TEST_F(Ends, who_hung_up_when_it_left_is_not_told_of_again) {
  const auto other = node(1, {{"10.0.0.2", 7000}});
  const SessionId session = up(other);
  neighbourhood_.left(other.node, now_);
  down(session, DownReason::kGoodbye);
  neighbourhood_.connect(other.node, now_);
  ASSERT_TRUE(is_refused({"10.0.0.2", 7000}));
  EXPECT_THAT(ended_, IsEmpty());
}

TEST_F(Ends, who_leaves_dials_those_it_waits_for_and_nobody_else) {
  const auto waited_for = node(1, {{"10.0.0.2", 7000}});
  const auto other = node(2, {{"10.0.0.3", 7000}});
  const SessionId one = up(waited_for), two = up(other);
  pass(milliseconds(100));
  neighbourhood_.leave(now_);
  down(one, DownReason::kClosed);
  down(two, DownReason::kClosed);
  neighbourhood_.connect(waited_for.node, now_);
  ASSERT_TRUE(is_refused({"10.0.0.2", 7000}));
  EXPECT_EQ(state_of(waited_for), MemberState::kGone);
  pass(seconds(10));
  EXPECT_THAT(paper_.dialled, Not(Contains(Address{"10.0.0.3", 7000})));
  EXPECT_EQ(state_of(other), MemberState::kAlive);
}

TEST_F(Ends, who_leaves_and_waits_for_nobody_has_nothing_more_to_do) {
  up(node(1, {{"10.0.0.2", 7000}}));
  pass(milliseconds(100));
  neighbourhood_.leave(now_);
  pass(milliseconds(1));
  EXPECT_EQ(neighbourhood_.next_due(now_), Time::max());
}

}  // namespace
}  // namespace pp::discovery
