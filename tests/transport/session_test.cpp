// Session: frames, credit, pieces, heartbeats and goodbyes between two ends, in virtual time.
#include "session.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "session_ends.hpp"

namespace pp::transport {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::End;
using testing::forge;
using testing::Frame;
using testing::kStart;
using testing::message;
using testing::OneLane;
using testing::piece;
using testing::TwoLanes;

TEST_F(OneLane, it_is_open_at_once_and_has_nothing_to_say) {
  EXPECT_TRUE(a.session.open());
  EXPECT_TRUE(a.say(Lane::kControl).empty());
  EXPECT_TRUE(a.say(Lane::kData).empty());
}

TEST_F(OneLane, messages_arrive_whole_and_in_order_and_share_a_frame) {
  std::vector<Frame> said;
  for (std::uint64_t i = 0; i < 50; ++i) {
    said.push_back(message(8 * i, i));
    a.session.queue(said.back());
  }
  const auto frames = a.say(Lane::kControl);
  EXPECT_EQ(frames.size(), 2u);  // 50 messages of 196 bytes on the average, headers included
  EXPECT_EQ(b.hear(Lane::kControl, frames), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.messages, said);
  EXPECT_EQ(a.session.backlog(), 0u);
  EXPECT_EQ(a.session.counters().messages_sent, 50u);
  EXPECT_EQ(b.session.counters().messages_received, 50u);
}

TEST_F(OneLane, every_frame_is_a_multiple_of_8_and_none_is_too_large) {
  for (std::size_t size = 0; size < 3 * kMaxFrame; size += 808) a.session.queue(message(size));
  for (int round = 0; round < 20; ++round) {
    for (const Frame& frame : a.say(Lane::kControl)) {
      EXPECT_TRUE(is_frame_length(frame.size()));
      ASSERT_EQ(b.hear(Lane::kControl, frame), SessionVerdict::kGood);
    }
    a.hear(Lane::kControl, b.say(Lane::kControl));
  }
  EXPECT_EQ(b.inbox.messages.size(), 31u);
}

TEST_F(OneLane, messages_of_every_size_around_a_frame_survive_the_cutting) {
  std::vector<Frame> said;
  for (std::size_t size = kMaxPayload - 40; size <= kMaxPayload + 40; size += 8) {
    said.push_back(message(16, size));
    said.push_back(message(size, size));
  }
  said.push_back(message(10 * kMaxPayload, 1));
  said.push_back(message(0));
  for (const Frame& m : said) a.session.queue(m);
  settle();
  EXPECT_EQ(b.inbox.messages, said);
}

struct Kept : Enclosure {
  explicit Kept(const Frame& content) : content_(content) { bytes = content_; }

 private:
  Frame content_;
};

TEST_F(OneLane, what_is_enclosed_comes_as_one_message_with_its_head) {
  std::vector<Frame> said;
  const auto say = [&](std::size_t head, std::size_t enclosed) {
    Frame all = message((head + enclosed + 7) / 8 * 8, said.size());
    std::fill(all.begin() + static_cast<std::ptrdiff_t>(head + enclosed), all.end(), std::byte{0});
    a.session.queue(
        std::span(all).first(head),
        std::make_shared<Kept>(Frame(all.begin() + static_cast<std::ptrdiff_t>(head),
                                     all.begin() + static_cast<std::ptrdiff_t>(head + enclosed))));
    said.push_back(all);
  };
  for (std::size_t size = kMaxPayload - 40; size <= kMaxPayload + 40; size += 3) {
    say(104, size - 104);
    a.session.queue(said.emplace_back(message(16, size)));
    say(size, 5);
  }
  say(96, 10 * kMaxPayload);
  say(3, 1);
  EXPECT_GT(a.session.backlog(), 60 * kMaxPayload);
  settle();
  EXPECT_EQ(b.inbox.messages, said);
  EXPECT_EQ(a.session.backlog(), 0u);
}

TEST_F(OneLane, what_is_enclosed_is_read_when_it_goes_out_and_let_go_then) {
  const auto first = std::make_shared<Kept>(message(3 * kMaxPayload));
  const auto second = std::make_shared<Kept>(message(10 * kMaxPayload));
  Frame moved(first->bytes.begin(), first->bytes.end());
  a.session.queue(Frame(8), first);
  a.session.queue(Frame(8), second);
  first->bytes = moved;  // it lies elsewhere now
  b.hear(Lane::kControl, a.say(Lane::kControl));
  EXPECT_EQ(first.use_count(), 1);
  ASSERT_EQ(b.inbox.messages.size(), 1u);
  EXPECT_TRUE(std::equal(moved.begin(), moved.end(), b.inbox.messages.front().begin() + 8));
  EXPECT_EQ(second.use_count(), 2);
  a.session.forget_queue();
  EXPECT_EQ(second.use_count(), 1);
  EXPECT_EQ(a.session.backlog(), 0u);
}

TEST_F(OneLane, a_sender_stops_when_its_credit_is_used_and_goes_on_when_it_returns) {
  a.session.queue(message(20 * kMaxPayload));
  const auto frames = a.say(Lane::kControl);
  EXPECT_EQ(frames.size(), 4u);
  EXPECT_GT(a.session.backlog(), 15 * kMaxPayload);
  ASSERT_EQ(b.hear(Lane::kControl, frames), SessionVerdict::kGood);
  const auto credit = b.say(Lane::kControl);
  ASSERT_EQ(credit.size(), 1u);
  EXPECT_EQ(credit[0].size(), kFrameOverhead);  // nothing but a header
  ASSERT_EQ(a.hear(Lane::kControl, credit), SessionVerdict::kGood);
  EXPECT_EQ(a.say(Lane::kControl).size(), 4u);
}

TEST_F(OneLane, credit_rides_on_frames_that_go_out_anyway) {
  a.session.queue(message(kMaxPayload * 3));
  b.hear(Lane::kControl, a.say(Lane::kControl));
  b.session.queue(message(8));
  const auto answer = b.say(Lane::kControl);
  EXPECT_EQ(answer.size(), 1u);
  EXPECT_EQ(read_header(answer[0]).credit_frames, 4u);
}

TEST_F(OneLane, less_than_half_a_window_returns_no_credit_of_its_own) {
  a.session.queue(message(8));
  b.hear(Lane::kControl, a.say(Lane::kControl));
  EXPECT_TRUE(b.say(Lane::kControl).empty());
}

TEST_F(OneLane, a_frame_that_the_network_did_not_take_is_the_same_when_asked_for_again) {
  a.session.queue(message(64));
  const auto first = a.session.frame(Lane::kControl, kStart);
  const Frame kept(first.begin(), first.end());
  a.session.queue(message(64));
  const auto again = a.session.frame(Lane::kControl, kStart + seconds(1));
  EXPECT_TRUE(std::equal(kept.begin(), kept.end(), again.begin(), again.end()));
  EXPECT_TRUE(a.session.stuck(Lane::kControl));
}

TEST_F(OneLane, a_peer_that_ignores_its_credit_is_a_violation) {
  End liar{DataChannel::kControl, true, 4, 1000};  // believes in more than b gives
  liar.session.queue(message(20 * kMaxPayload));
  EXPECT_EQ(b.hear(Lane::kControl, liar.say(Lane::kControl)), SessionVerdict::kViolation);
  EXPECT_STREQ(b.session.why(), "a message came without credit");
  EXPECT_EQ(b.session.counters().violations, 1u);
}

TEST_F(OneLane, malformed_pieces_are_violations) {
  const struct {
    Frame payload;
    const char* why;
  } cases[] = {
      {piece(16, PieceHeader::kWhole, 8), "a piece is longer than its frame"},
      {piece(0xfffffff8, PieceHeader::kWhole, 8), "a piece is longer than its frame"},
      {piece(4, PieceHeader::kWhole, 8), "a piece is longer than its frame"},
      {piece(8, 0, 8), "a piece is of an unknown kind"},
      {piece(8, 77, 8), "a piece is of an unknown kind"},
      {piece(8, PieceHeader::kMiddle, 8), "a message is too large or its pieces are out of order"},
      {piece(8, PieceHeader::kLast, 8), "a message is too large or its pieces are out of order"},
      {piece(0, PieceHeader::kGoodbye, 0), "a goodbye is malformed"},
  };
  for (const auto& c : cases) {
    End fresh{DataChannel::kControl, false, 4, 4};
    EXPECT_EQ(fresh.hear(Lane::kControl, forge(c.payload)), SessionVerdict::kViolation) << c.why;
    EXPECT_STREQ(fresh.session.why(), c.why);
    EXPECT_TRUE(fresh.inbox.messages.empty());
  }
  Frame whole_within_first = piece(8, PieceHeader::kFirst, 8);
  const Frame whole = piece(8, PieceHeader::kWhole, 8);
  whole_within_first.insert(whole_within_first.end(), whole.begin(), whole.end());
  EXPECT_EQ(b.hear(Lane::kControl, forge(whole_within_first)), SessionVerdict::kViolation);
}

TEST_F(OneLane, credit_and_acknowledgements_for_what_was_never_sent_are_violations) {
  FrameHeader header;
  header.credit_frames = 1;
  EXPECT_EQ(b.hear(Lane::kControl, forge({}, header)), SessionVerdict::kViolation);
  End fresh{DataChannel::kControl, false, 4, 4};
  header = {};
  header.acknowledged = 1;
  EXPECT_EQ(fresh.hear(Lane::kControl, forge({}, header)), SessionVerdict::kViolation);
}

// A stream loses nothing by itself.
TEST_F(OneLane, frames_that_are_missing_from_a_connection_end_it_with_blame) {
  a.session.queue(message(kMaxPayload * 2));
  const auto frames = a.say(Lane::kControl);
  ASSERT_GE(frames.size(), 2u);
  EXPECT_EQ(b.hear(Lane::kControl, frames[1]), SessionVerdict::kViolation);
  EXPECT_STREQ(b.session.why(), "frames were taken out of the connection");
  EXPECT_EQ(b.session.counters().violations, 1u);
}

TEST_F(TwoLanes, lost_frames_of_data_end_it_without_blame_forged_ones_with) {
  open();
  a.session.queue(message(kMaxPayload * 2));
  auto frames = a.say(Lane::kData);
  ASSERT_GE(frames.size(), 2u);
  EXPECT_EQ(b.hear(Lane::kData, frames[1]), SessionVerdict::kLost);
  EXPECT_EQ(b.session.counters().violations, 0u);
  frames[0].back() ^= std::byte{1};
  EXPECT_EQ(b.hear(Lane::kData, frames[0]), SessionVerdict::kViolation);
  EXPECT_EQ(b.session.counters().violations, 1u);
}

TEST_F(OneLane, an_idle_end_says_once_per_period_that_it_lives) {
  EXPECT_EQ(a.session.next_due(), kStart + seconds(1));
  EXPECT_TRUE(a.say(Lane::kControl, kStart + milliseconds(999)).empty());
  EXPECT_EQ(a.say(Lane::kControl, kStart + milliseconds(1000)).size(), 1u);
  EXPECT_TRUE(a.say(Lane::kControl, kStart + milliseconds(1999)).empty());
  EXPECT_EQ(a.say(Lane::kControl, kStart + milliseconds(2000)).size(), 1u);
}

TEST_F(OneLane, two_idle_ends_live_for_ever_and_one_that_is_not_answered_notices) {
  Time now = kStart;
  for (int second = 0; second < 100; ++second) {
    now += seconds(1);
    settle(now);
    ASSERT_EQ(a.session.tick(now), SessionVerdict::kGood);
    ASSERT_EQ(b.session.tick(now), SessionVerdict::kGood);
  }
  EXPECT_EQ(a.session.counters().frames_sent, 100u);
  EXPECT_EQ(a.session.tick(now + milliseconds(2999)), SessionVerdict::kGood);
  EXPECT_EQ(a.session.tick(now + milliseconds(3000)), SessionVerdict::kSilent);
}

TEST_F(OneLane, a_goodbye_comes_after_all_that_was_queued) {
  for (int i = 0; i < 3; ++i) a.session.queue(message(6 * kMaxPayload));
  a.session.say_goodbye("that is all\n");
  EXPECT_FALSE(a.session.goodbye_sent());  // credit is used up
  settle();
  EXPECT_TRUE(a.session.goodbye_sent());
  EXPECT_EQ(b.inbox.messages.size(), 3u);
  EXPECT_TRUE(b.session.finished());
  EXPECT_EQ(b.session.goodbye(), "that is all\\x0a");
  EXPECT_TRUE(a.say(Lane::kControl, kStart + seconds(9)).empty());  // nothing follows
}

TEST_F(TwoLanes, it_opens_when_both_openings_have_crossed) {
  a.session.queue(message(8));
  const auto opening = a.say(Lane::kData);
  ASSERT_EQ(opening.size(), 1u);  // the message waits
  EXPECT_FALSE(a.session.open());
  b.hear(Lane::kData, opening);
  EXPECT_FALSE(b.session.open());
  a.hear(Lane::kData, b.say(Lane::kData));
  EXPECT_TRUE(a.session.open());
  EXPECT_TRUE(b.session.open());
  b.hear(Lane::kData, a.say(Lane::kData));
  EXPECT_EQ(b.inbox.messages.size(), 1u);
}

TEST_F(TwoLanes, messages_take_the_data_lane_and_heartbeats_the_control_lane) {
  open();
  a.session.queue(message(8));
  EXPECT_TRUE(a.say(Lane::kControl).empty());
  EXPECT_EQ(a.say(Lane::kData).size(), 1u);
  EXPECT_TRUE(a.say(Lane::kData, kStart + seconds(2)).empty());
  EXPECT_EQ(a.say(Lane::kControl, kStart + seconds(2)).size(), 1u);
}

TEST_F(TwoLanes, a_message_on_the_control_lane_is_a_violation) {
  open();
  EXPECT_EQ(b.hear(Lane::kControl, forge(piece(8, PieceHeader::kWhole, 8))),
            SessionVerdict::kViolation);
}

// Bulk takes the control lane there and the data lane back.
class BulkByControl : public ::testing::Test {
 protected:
  BulkByControl() {
    b.hear(Lane::kData, a.say(Lane::kData));
    a.hear(Lane::kData, b.say(Lane::kData));
  }

  End a{DataChannel::kFabric, true, 4, 4, seconds(1), true};
  End b{DataChannel::kFabric, false, 4, 4};
};

TEST_F(BulkByControl, it_passes_by_what_waits_for_credit_and_words_pass_by_it) {
  const Frame bulk = message(50 * kMaxPayload, 1), word = message(16, 2);
  a.session.queue(message(20 * kMaxPayload, 3));
  a.session.queue(Frame(8), std::make_shared<Kept>(bulk));
  EXPECT_GT(a.session.backlog(), 70 * kMaxPayload);
  ASSERT_TRUE(a.session.queue_word(word));
  EXPECT_EQ(a.say(Lane::kData).size(), 4u);
  const auto frames = a.say(Lane::kControl);
  ASSERT_EQ(b.hear(Lane::kControl, frames.front()), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words, std::vector<Frame>{word});
  ASSERT_EQ(b.hear(Lane::kControl, std::deque<Frame>(frames.begin() + 1, frames.end())),
            SessionVerdict::kGood);
  ASSERT_EQ(b.inbox.messages.size(), 1u);
  EXPECT_TRUE(std::equal(bulk.begin(), bulk.end(), b.inbox.messages.front().begin() + 8));
  // The other has not been told to do so.
  b.session.queue(Frame(8), std::make_shared<Kept>(message(80)));
  EXPECT_TRUE(b.say(Lane::kControl).empty());
  ASSERT_EQ(a.hear(Lane::kData, b.say(Lane::kData)), SessionVerdict::kGood);
  EXPECT_EQ(a.inbox.messages.size(), 1u);
}

TEST(BulkOnOneLane, takes_turns_with_other_messages_and_needs_no_credit) {
  End a(DataChannel::kControl, true, 4, 4, seconds(1), true);
  End b(DataChannel::kControl, false, 4, 4);
  const Frame bulk = message(50 * kMaxPayload, 1);
  a.session.queue(Frame(8), std::make_shared<Kept>(bulk));
  a.session.queue(message(16, 2));
  a.session.queue(message(20 * kMaxPayload, 3));
  std::deque<Frame> frames = a.say(Lane::kControl);
  EXPECT_EQ(frames.size(), 51u + 4u);
  const auto after_two = frames.begin() + 2;
  ASSERT_EQ(b.hear(Lane::kControl, std::deque<Frame>(frames.begin(), after_two)),
            SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.messages, std::vector<Frame>{message(16, 2)});
  ASSERT_EQ(b.hear(Lane::kControl, std::deque<Frame>(after_two, frames.end())),
            SessionVerdict::kGood);
  ASSERT_EQ(b.inbox.messages.size(), 2u);
  EXPECT_TRUE(std::equal(bulk.begin(), bulk.end(), b.inbox.messages.back().begin() + 8));
}

TEST_F(BulkByControl, a_goodbye_comes_after_it) {
  a.session.queue(Frame(8), std::make_shared<Kept>(message(3 * kMaxPayload)));
  a.session.say_goodbye("bye");
  ASSERT_EQ(b.hear(Lane::kControl, a.say(Lane::kControl)), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.messages.size(), 1u);
  EXPECT_TRUE(b.session.finished());
}

TEST_F(BulkByControl, it_is_a_violation_where_none_goes_and_when_it_never_ends) {
  const auto bulk = [](std::uint32_t kind, std::size_t size) {
    return piece(static_cast<std::uint32_t>(size), PieceHeader::kBulk | kind, size);
  };
  End memory(DataChannel::kMemory, false, 4, 4);
  EXPECT_EQ(memory.hear(Lane::kControl, forge(bulk(PieceHeader::kWhole, 8))),
            SessionVerdict::kViolation);
  End data(DataChannel::kFabric, false, 4, 4);
  EXPECT_EQ(data.hear(Lane::kData, forge(bulk(PieceHeader::kWhole, 8), {}, Lane::kData)),
            SessionVerdict::kViolation);
  End middle(DataChannel::kFabric, false, 4, 4);
  EXPECT_EQ(middle.hear(Lane::kControl, forge(bulk(PieceHeader::kMiddle, 8))),
            SessionVerdict::kViolation);
  Assembly assembly(kMaxEnclosing);
  const Frame part(std::size_t{1} << 20);
  auto step = assembly.take(PieceHeader::kFirst, part);
  for (int i = 0; i < 8; ++i) step = assembly.take(PieceHeader::kMiddle, part);
  EXPECT_EQ(step, Assembly::Step::kMalformed);
}

TEST_F(TwoLanes, a_frame_of_one_lane_does_not_open_on_the_other) {
  open();
  a.session.queue(message(8));
  EXPECT_EQ(b.hear(Lane::kControl, a.say(Lane::kData)), SessionVerdict::kViolation);
}

TEST_F(TwoLanes, a_strangers_frame_on_the_data_lane_is_passed_over) {
  open();
  Frame stray = a.say(Lane::kControl, kStart + seconds(1)).front();
  const std::uint64_t other = 5;
  std::memcpy(stray.data() + 8, &other, sizeof other);
  EXPECT_EQ(b.hear(Lane::kData, stray), SessionVerdict::kNotForUs);
}

TEST_F(TwoLanes, data_that_heartbeats_do_not_acknowledge_is_a_stalled_lane) {
  open();
  Time now = kStart + seconds(1);
  b.hear(Lane::kControl, a.say(Lane::kControl, now), now);
  a.hear(Lane::kControl, b.say(Lane::kControl, now), now);
  a.session.queue(message(8));
  ASSERT_EQ(a.say(Lane::kData, now).size(), 1u);  // and it is never heard of again
  for (int second = 0; second < 3; ++second) {
    ASSERT_EQ(a.session.tick(now), SessionVerdict::kGood) << second;
    now += seconds(1);
    a.hear(Lane::kControl, b.say(Lane::kControl, now), now);
  }
  EXPECT_EQ(a.session.tick(now), SessionVerdict::kStalled);
}

TEST_F(TwoLanes, what_was_not_heard_because_nobody_looked_is_no_stall) {
  open();
  const auto heartbeat = b.say(Lane::kControl, kStart + seconds(1));
  ASSERT_FALSE(heartbeat.empty());
  a.session.queue(message(8));
  a.say(Lane::kData, kStart + seconds(1));
  // The process is stopped for ten seconds, and the acknowledgement comes behind the heartbeat.
  const Time now = kStart + seconds(11);
  a.session.stood_still(now);
  a.hear(Lane::kControl, heartbeat, now);
  EXPECT_EQ(a.session.tick(now), SessionVerdict::kGood);
}

TEST_F(TwoLanes, a_peer_that_says_nothing_is_silent_and_not_stalled) {
  open();
  a.session.queue(message(8));
  a.say(Lane::kData);
  EXPECT_EQ(a.session.tick(kStart + seconds(3)), SessionVerdict::kSilent);
}

TEST_F(TwoLanes, a_goodbye_waits_for_the_data_it_has_overtaken) {
  open();
  a.session.queue(message(8));
  a.session.say_goodbye("bye");
  const auto data = a.say(Lane::kData), goodbye = a.say(Lane::kControl);
  ASSERT_EQ(goodbye.size(), 1u);
  b.hear(Lane::kControl, goodbye);
  EXPECT_TRUE(b.session.heard_goodbye());
  EXPECT_FALSE(b.session.finished());
  b.hear(Lane::kData, data);
  EXPECT_TRUE(b.session.finished());
}

TEST_F(TwoLanes, a_goodbye_does_not_count_what_was_given_up) {
  open();
  a.session.queue(message(8));
  ASSERT_FALSE(a.session.frame(Lane::kData, kStart).empty());  // the network does not take it
  a.session.say_goodbye("bye");
  EXPECT_TRUE(a.say(Lane::kControl).empty());
  a.session.forget_queue();
  b.hear(Lane::kControl, a.say(Lane::kControl));
  EXPECT_TRUE(b.session.finished());
}

TEST(Assembly, memory_grows_with_what_arrived_and_stops_at_the_limit) {
  Assembly assembly(4096);
  const Frame part(1024);
  ASSERT_EQ(assembly.take(PieceHeader::kFirst, part), Assembly::Step::kIncomplete);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(assembly.take(PieceHeader::kMiddle, part), Assembly::Step::kIncomplete);
  EXPECT_EQ(assembly.message().size(), 4096u);
  EXPECT_EQ(assembly.take(PieceHeader::kMiddle, Frame(8)), Assembly::Step::kMalformed);
}

}  // namespace
}  // namespace pp::transport
