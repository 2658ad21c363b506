// Session: words that ride in heartbeats, and what is said, asked and concluded in silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "session.hpp"
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

constexpr std::size_t kMostWords = 64;  // that wait

Time at(milliseconds since_start) { return kStart + since_start; }

// Ends that say nothing for a minute if nobody makes them speak, as the runtime has it.
class QuietLane : public OneLane {
 protected:
  QuietLane() : OneLane(seconds(60)) {}
};
class QuietLanes : public TwoLanes {
 protected:
  QuietLanes() : TwoLanes(seconds(60)) {}

  // Both openings are acknowledged: the lane is idle.
  void settle_openings() {
    const Time now = at(seconds(1));
    const auto from_a = a.say(Lane::kControl, now), from_b = b.say(Lane::kControl, now);
    ASSERT_EQ(b.hear(Lane::kControl, from_a, now), SessionVerdict::kGood);
    ASSERT_EQ(a.hear(Lane::kControl, from_b, now), SessionVerdict::kGood);
  }
};

// ---- words

TEST_F(OneLane, words_arrive_in_the_order_in_which_they_were_queued_and_share_a_frame) {
  std::vector<Frame> said;
  for (std::uint64_t i = 0; i < 10; ++i) {
    said.push_back(message(8 * i, i));  // the first one is empty
    ASSERT_TRUE(a.session.queue_word(said.back()));
  }
  const auto frames = a.say(Lane::kControl);
  EXPECT_EQ(frames.size(), 1u);
  EXPECT_EQ(b.hear(Lane::kControl, frames), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words, said);
  EXPECT_TRUE(b.inbox.messages.empty());
  EXPECT_EQ(a.session.counters().words_sent, 10u);
  EXPECT_EQ(b.session.counters().words_received, 10u);
  EXPECT_EQ(b.session.counters().messages_received, 0u);
}

TEST_F(OneLane, a_word_overtakes_what_is_queued) {
  a.session.queue(message(3 * kMaxPayload));
  a.session.queue_word(message(8));
  const auto frames = a.say(Lane::kControl);
  ASSERT_GT(frames.size(), 1u);
  ASSERT_EQ(b.hear(Lane::kControl, frames[0]), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words.size(), 1u);
  EXPECT_TRUE(b.inbox.messages.empty());
}

TEST_F(OneLane, a_word_between_the_pieces_of_a_message_leaves_it_whole) {
  const Frame large = message(3 * kMaxPayload);
  a.session.queue(large);
  const auto first = a.session.frame(Lane::kControl, kStart);
  ASSERT_EQ(b.hear(Lane::kControl, Frame(first.begin(), first.end())), SessionVerdict::kGood);
  a.session.sent(Lane::kControl, kStart);
  a.session.queue_word(message(16));
  settle();
  EXPECT_EQ(b.inbox.words.size(), 1u);
  ASSERT_EQ(b.inbox.messages.size(), 1u);
  EXPECT_EQ(b.inbox.messages[0], large);
}

TEST_F(OneLane, words_cost_no_credit_and_return_none) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a.session.queue_word(message(kMaxWord)));
    ASSERT_EQ(b.hear(Lane::kControl, a.say(Lane::kControl)), SessionVerdict::kGood);
  }
  EXPECT_TRUE(b.say(Lane::kControl).empty());
  a.session.queue(message(20 * kMaxPayload));
  EXPECT_EQ(a.say(Lane::kControl).size(), 4u);  // all the credit is there
}

TEST_F(OneLane, a_word_passes_when_the_credit_is_used_up) {
  a.session.queue(message(20 * kMaxPayload));
  ASSERT_EQ(b.hear(Lane::kControl, a.say(Lane::kControl)), SessionVerdict::kGood);
  a.session.queue_word(message(8));
  EXPECT_EQ(b.hear(Lane::kControl, a.say(Lane::kControl)), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words.size(), 1u);
}

TEST_F(OneLane, more_words_than_may_wait_are_refused_until_some_have_gone) {
  for (std::size_t i = 0; i < kMostWords; ++i) ASSERT_TRUE(a.session.queue_word(message(kMaxWord)));
  EXPECT_FALSE(a.session.queue_word(message(8)));
  const auto frames = a.say(Lane::kControl);
  for (const Frame& frame : frames) EXPECT_TRUE(is_frame_length(frame.size()));
  ASSERT_EQ(b.hear(Lane::kControl, frames), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words.size(), kMostWords);
  EXPECT_TRUE(a.session.queue_word(message(8)));
}

TEST_F(OneLane, words_said_before_a_goodbye_go_before_it_and_none_follows) {
  a.session.queue_word(message(8));
  a.session.say_goodbye("that is all");
  EXPECT_FALSE(a.session.queue_word(message(8)));
  settle();
  EXPECT_EQ(b.inbox.words.size(), 1u);
  EXPECT_TRUE(b.session.finished());
  EXPECT_FALSE(a.session.queue_word(message(8)));
}

TEST_F(OneLane, words_are_forgotten_with_the_queue) {
  a.session.queue_word(message(8));
  a.session.forget_queue();
  EXPECT_TRUE(a.say(Lane::kControl).empty());
}

TEST_F(TwoLanes, words_take_the_control_lane_before_the_other_one_is_open) {
  a.session.queue_word(message(kMaxWord));
  a.session.queue_word(message(8));
  const auto frames = a.say(Lane::kControl);
  EXPECT_EQ(frames.size(), 2u);  // there a frame is no larger than the largest word
  ASSERT_EQ(b.hear(Lane::kControl, frames), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words.size(), 2u);
  EXPECT_EQ(a.say(Lane::kData).size(), 1u);  // the opening, and nothing else
}

TEST_F(TwoLanes, a_word_passes_a_frame_that_the_network_does_not_take) {
  open();
  a.session.queue(message(8));
  ASSERT_FALSE(a.session.frame(Lane::kData, kStart).empty());
  a.session.queue_word(message(8));
  EXPECT_EQ(b.hear(Lane::kControl, a.say(Lane::kControl)), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words.size(), 1u);
}

TEST_F(OneLane, malformed_words_and_questions_are_violations_and_nothing_is_told_of_them) {
  const struct {
    Frame payload;
    const char* why;
  } cases[] = {
      {piece(kMaxWord + 8, PieceHeader::kWord, kMaxWord + 8), "a word is malformed"},
      {piece(16, PieceHeader::kWord, 8), "a piece is longer than its frame"},
      {piece(4, PieceHeader::kWord, 8), "a piece is longer than its frame"},
      {piece(8, PieceHeader::kAsk, 8), "a word is malformed"},
  };
  for (const auto& c : cases) {
    End fresh{DataChannel::kControl, false, 4, 4};
    EXPECT_EQ(fresh.hear(Lane::kControl, forge(c.payload)), SessionVerdict::kViolation) << c.why;
    EXPECT_STREQ(fresh.session.why(), c.why);
    EXPECT_TRUE(fresh.inbox.words.empty());
    EXPECT_EQ(fresh.session.counters().violations, 1u);
    EXPECT_EQ(fresh.session.counters().words_received, 0u);
  }
}

TEST_F(TwoLanes, words_and_questions_on_the_data_lane_are_violations) {
  for (const auto& payload : {piece(8, PieceHeader::kWord, 8), piece(0, PieceHeader::kAsk, 0)}) {
    End fresh{DataChannel::kFabric, false, 4, 4};
    EXPECT_EQ(fresh.hear(Lane::kData, forge(payload, {}, Lane::kData)), SessionVerdict::kViolation);
    EXPECT_STREQ(fresh.session.why(), "a word is malformed");
    EXPECT_TRUE(fresh.inbox.words.empty());
  }
}

TEST_F(OneLane, words_and_messages_in_one_frame_are_told_apart) {
  Frame payload = piece(8, PieceHeader::kWord, 8);
  for (const auto& more : {piece(0, PieceHeader::kAsk, 0), piece(16, PieceHeader::kWhole, 16)})
    payload.insert(payload.end(), more.begin(), more.end());
  EXPECT_EQ(b.hear(Lane::kControl, forge(payload)), SessionVerdict::kGood);
  EXPECT_EQ(b.inbox.words.size(), 1u);
  EXPECT_EQ(b.inbox.messages.size(), 1u);
  EXPECT_EQ(b.say(Lane::kControl).size(), 1u);  // the answer
}

// ---- silence

TEST_F(QuietLane, idle_ends_speak_once_per_keepalive_and_not_more) {
  for (int second = 1; second <= 600; ++second) {
    settle(at(seconds(second)));
    ASSERT_EQ(a.session.tick(at(seconds(second))), SessionVerdict::kGood);
  }
  EXPECT_EQ(a.session.counters().frames_sent, 10u);
  EXPECT_EQ(b.session.counters().frames_sent, 10u);
}

TEST_F(QuietLane, an_idle_peer_that_is_gone_is_noticed_when_its_keepalive_is_missing) {
  ASSERT_EQ(a.say(Lane::kControl, at(seconds(60))).size(), 1u);
  EXPECT_EQ(a.session.tick(at(milliseconds(61'999))), SessionVerdict::kGood);
  EXPECT_EQ(a.session.tick(at(seconds(62))), SessionVerdict::kSilent);
}

TEST_F(QuietLane, data_that_nobody_answers_is_asked_for_and_then_the_session_is_silent) {
  a.session.queue(message(8));
  ASSERT_EQ(a.say(Lane::kControl, at(seconds(10))).size(), 1u);
  EXPECT_EQ(a.session.next_due(), at(seconds(11)));
  EXPECT_TRUE(a.say(Lane::kControl, at(milliseconds(10'999))).empty());
  EXPECT_EQ(a.say(Lane::kControl, at(seconds(11))).size(), 1u);
  EXPECT_TRUE(a.say(Lane::kControl, at(milliseconds(11'999))).empty());
  EXPECT_EQ(a.say(Lane::kControl, at(seconds(12))).size(), 1u);
  EXPECT_EQ(a.session.tick(at(milliseconds(12'999))), SessionVerdict::kGood);
  EXPECT_EQ(a.session.tick(at(seconds(13))), SessionVerdict::kSilent);
}

TEST_F(QuietLane, who_is_asked_answers_at_once_and_only_once) {
  a.session.queue(message(8));
  ASSERT_EQ(b.hear(Lane::kControl, a.say(Lane::kControl)), SessionVerdict::kGood);
  EXPECT_TRUE(b.say(Lane::kControl).empty());
  const auto question = a.say(Lane::kControl, at(seconds(1)));
  ASSERT_EQ(b.hear(Lane::kControl, question, at(seconds(1))), SessionVerdict::kGood);
  const auto answer = b.say(Lane::kControl, at(seconds(1)));
  ASSERT_EQ(answer.size(), 1u);
  ASSERT_EQ(a.hear(Lane::kControl, answer, at(seconds(1))), SessionVerdict::kGood);
  EXPECT_TRUE(b.say(Lane::kControl, at(seconds(2))).empty());
  EXPECT_TRUE(a.say(Lane::kControl, at(seconds(59))).empty());
  EXPECT_EQ(a.session.tick(at(seconds(59))), SessionVerdict::kGood);
}

TEST_F(QuietLane, anything_that_is_heard_is_an_answer) {
  a.session.queue(message(8));
  a.say(Lane::kControl);
  b.session.queue_word(message(8));
  ASSERT_EQ(
      a.hear(Lane::kControl, b.say(Lane::kControl, at(milliseconds(900))), at(milliseconds(900))),
      SessionVerdict::kGood);
  EXPECT_TRUE(a.say(Lane::kControl, at(seconds(30))).empty());
}

TEST_F(QuietLane, words_alone_ask_for_nothing) {
  a.session.queue_word(message(8));
  ASSERT_EQ(a.say(Lane::kControl).size(), 1u);
  EXPECT_TRUE(a.say(Lane::kControl, at(seconds(30))).empty());
  EXPECT_EQ(a.session.tick(at(seconds(30))), SessionVerdict::kGood);
}

TEST_F(QuietLanes, who_owes_an_acknowledgement_says_so_within_a_heartbeat) {
  open();
  settle_openings();
  a.session.queue(message(8));
  const Time sent = at(milliseconds(1500));
  ASSERT_EQ(b.hear(Lane::kData, a.say(Lane::kData, sent), sent), SessionVerdict::kGood);
  EXPECT_LE(b.session.next_due(), sent + seconds(1));
  const Time due = b.session.next_due();
  EXPECT_TRUE(b.say(Lane::kControl, due - milliseconds(1)).empty());
  const auto said = b.say(Lane::kControl, due);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].size(), kFrameOverhead);
  EXPECT_EQ(read_header(said[0]).acknowledged, 2u);  // the opening and the message
  EXPECT_TRUE(b.say(Lane::kControl, at(seconds(30))).empty());
  ASSERT_EQ(a.hear(Lane::kControl, said, due), SessionVerdict::kGood);
  EXPECT_TRUE(a.say(Lane::kControl, at(seconds(30))).empty());  // it need not ask
}

TEST_F(QuietLanes, data_that_is_lost_is_a_stalled_lane_though_other_things_are_heard) {
  open();
  settle_openings();
  a.session.queue(message(8));
  const Time sent = at(seconds(10));
  ASSERT_EQ(a.say(Lane::kData, sent).size(), 1u);  // and it is never heard of again
  Time now = sent + milliseconds(500);
  b.session.queue_word(message(8));
  a.hear(Lane::kControl, b.say(Lane::kControl, now), now);
  int steps = 0;
  while (a.session.tick(now) == SessionVerdict::kGood) {
    const Time due = a.session.next_due();
    ASSERT_GT(due, now) << "it would be looked at again and again";
    ASSERT_LT(++steps, 10);
    now = due;
    b.hear(Lane::kControl, a.say(Lane::kControl, now), now);
    a.hear(Lane::kControl, b.say(Lane::kControl, now), now);
  }
  EXPECT_EQ(a.session.tick(now), SessionVerdict::kStalled);
  EXPECT_LE(now, sent + seconds(4));
}

TEST_F(QuietLanes, a_lane_that_opens_late_is_not_stalled) {
  const auto from_a = a.say(Lane::kData);
  const Time late = at(seconds(4));
  const auto from_b = b.say(Lane::kData, late);
  ASSERT_EQ(a.hear(Lane::kData, from_b, late), SessionVerdict::kGood);
  EXPECT_EQ(a.session.tick(late), SessionVerdict::kGood);
  ASSERT_EQ(b.hear(Lane::kData, from_a, late), SessionVerdict::kGood);
  EXPECT_EQ(b.session.tick(late), SessionVerdict::kGood);
}

TEST_F(QuietLanes, a_question_is_answered_though_the_data_lane_is_stuck) {
  open();
  settle_openings();
  b.session.queue(message(8));
  a.session.queue(message(8));
  a.say(Lane::kData, at(seconds(1)));  // not heard yet
  const auto question = a.say(Lane::kControl, at(seconds(2)));
  ASSERT_EQ(question.size(), 1u);
  ASSERT_EQ(b.hear(Lane::kControl, question, at(seconds(2))), SessionVerdict::kGood);
  ASSERT_FALSE(b.session.frame(Lane::kData, at(seconds(2))).empty());  // the network takes none
  EXPECT_EQ(b.say(Lane::kControl, at(seconds(2))).size(), 1u);
}

// What both ends have to do is done as soon as it is due: then neither asks to be looked at again
// at once, whatever is lost on the data lane, and nobody is called silent who speaks.
class SilencesOfAnyKind : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SilencesOfAnyKind, next_due_never_lies) {
  std::mt19937_64 random(GetParam());
  const DataChannel data = random() % 2 == 0 ? DataChannel::kControl : DataChannel::kFabric;
  const auto keepalive = seconds(random() % 2 == 0 ? 1 : 20);
  End a(data, true, 4, 4, keepalive), b(data, false, 4, 4, keepalive);
  const bool lossy = random() % 4 == 0;
  Time now = kStart;
  for (int step = 0; step < 500; ++step) {
    End& one = random() % 2 == 0 ? a : b;
    switch (random() % 8) {
      case 0:
      case 1:
        one.session.queue(message(8 * (random() % 2000)));
        break;
      case 2:
      case 3:
        one.session.queue_word(message(8 * (random() % 64)));
        break;
      case 4:
        if (random() % 50 == 0) one.session.say_goodbye("enough");
        break;
      default:
        now += milliseconds(random() % 1500);
    }
    bool moved = true;
    while (moved) {
      moved = false;
      for (auto [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
        for (const Lane lane : {Lane::kData, Lane::kControl}) {
          for (const Frame& frame : from->say(lane, now)) {
            moved = true;
            if (lane == Lane::kData && lossy && step > 100) continue;
            ASSERT_EQ(to->hear(lane, frame, now), SessionVerdict::kGood)
                << to->session.why() << ", step " << step;
          }
        }
      }
    }
    for (const End* end : {&a, &b}) {
      const SessionVerdict verdict = end->session.tick(now);
      if (lossy && step > 100 && verdict == SessionVerdict::kStalled) return;
      ASSERT_EQ(verdict, SessionVerdict::kGood) << "step " << step;
      ASSERT_GT(end->session.next_due(), now) << "step " << step;
    }
    if (a.session.goodbye_sent() || b.session.goodbye_sent()) return;
    // As a transport does: looked at when it is due, at the latest.
    now = std::min({now + milliseconds(200), a.session.next_due(), b.session.next_due()});
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SilencesOfAnyKind, ::testing::Range<std::uint64_t>(0, 100));

}  // namespace
}  // namespace pp::transport
