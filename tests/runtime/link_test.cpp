// Link: what is said over it is applied once and in order, and both sides agree which one it is.
#include "link.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using messages::Attach;
using messages::Encoded;
using messages::Header;
using Heard = Link::Heard;
using Take = Link::Take;

Encoded of_bytes(std::size_t size) { return Encoded(size); }

TEST(Link, says_its_own_number_and_no_other_before_it_has_heard_one) {
  Link link(7);
  EXPECT_TRUE(link.attach_due());
  const Attach said = link.attach();
  EXPECT_EQ(said.mine, 7u);
  EXPECT_EQ(said.yours, 0u);
  EXPECT_EQ(said.applied, 0u);
  EXPECT_FALSE(link.attach_due());
  EXPECT_FALSE(link.begun());
  EXPECT_TRUE(link.kept().empty());
}

// Both know both numbers.
void meet(Link& anna, Link& bert) {
  const Attach of_anna = anna.attach(), of_bert = bert.attach();  // they cross
  EXPECT_EQ(anna.hear(of_bert), Heard::kWait);
  EXPECT_EQ(bert.hear(of_anna), Heard::kWait);
  EXPECT_TRUE(anna.attach_due() && bert.attach_due());
  EXPECT_FALSE(anna.begun() || bert.begun());
  const Attach again = anna.attach();
  EXPECT_EQ(anna.hear(bert.attach()), Heard::kGoesOn);
  EXPECT_EQ(bert.hear(again), Heard::kGoesOn);
  EXPECT_FALSE(anna.attach_due() || bert.attach_due());
  EXPECT_TRUE(anna.begun() && bert.begun());
}

TEST(Link, two_new_ends_become_one_link_when_each_has_heard_both_numbers) {
  Link anna(7), bert(3);
  meet(anna, bert);
  EXPECT_EQ(anna.attach().yours, 3u);
  EXPECT_EQ(bert.attach().yours, 7u);
}

TEST(Link, who_hears_both_numbers_before_it_knew_the_others_has_an_answer_to_give) {
  Link anna(7), bert(3);
  EXPECT_EQ(bert.hear(anna.attach()), Heard::kWait);  // bert's own first word is still under way
  EXPECT_EQ(anna.hear(bert.attach()), Heard::kGoesOn);
  EXPECT_TRUE(anna.attach_due());
  EXPECT_EQ(bert.hear(anna.attach()), Heard::kGoesOn);
  EXPECT_FALSE(bert.attach_due());
}

TEST(Link, goes_on_with_the_next_session_and_keeps_no_longer_what_was_applied) {
  Link anna(7), bert(3);
  meet(anna, bert);
  for (int i = 0; i < 3; ++i) anna.keep(of_bytes(16), false);
  bert.take(1, 16);
  bert.take(2, 16);
  const Attach of_bert = bert.attach();
  EXPECT_EQ(of_bert.applied, 2u);
  EXPECT_EQ(anna.hear(of_bert), Heard::kGoesOn);
  ASSERT_EQ(anna.kept().size(), 1u);
  EXPECT_EQ(anna.kept().front().sequence, 3u);
  EXPECT_EQ(bert.hear(anna.attach()), Heard::kGoesOn);
  EXPECT_FALSE(anna.attach_due() || bert.attach_due()) << "a word of each is enough";
}

TEST(Link, goes_on_with_one_whose_first_session_broke_before_it_had_heard_enough) {
  Link anna(7), bert(3);
  bert.hear(anna.attach());
  anna.hear(bert.attach());  // anna's answer is lost, and what it says now
  anna.keep(of_bytes(16), false);
  const Attach of_anna = anna.attach(), of_bert = bert.attach();
  EXPECT_EQ(bert.hear(of_anna), Heard::kGoesOn);
  EXPECT_EQ(anna.hear(of_bert), Heard::kGoesOn);
  EXPECT_EQ(anna.kept().size(), 1u);
}

TEST(Link, that_has_not_begun_takes_to_whichever_the_other_begins) {
  Link anna(7);
  EXPECT_EQ(anna.hear({3, 0, 0}), Heard::kWait);
  EXPECT_EQ(anna.attach().yours, 3u);
  EXPECT_EQ(anna.hear({4, 0, 0}), Heard::kWait);
  EXPECT_TRUE(anna.attach_due());
  EXPECT_EQ(anna.attach().yours, 4u);
  EXPECT_EQ(anna.hear({5, 7, 0}), Heard::kGoesOn);
  EXPECT_EQ(anna.attach().yours, 5u);
}

TEST(Link, two_that_know_older_ones_of_each_other_become_one) {
  Link anna(8), bert(4);
  anna.hear({3, 0, 0});
  bert.hear({7, 0, 0});
  meet(anna, bert);
}

TEST(Link, is_over_when_the_other_means_another_one) {
  const std::vector<Attach> others{
      {4, 0, 0},  // it has begun a new one
      {4, 7, 0},
      {3, 6, 0},  // it means an older one of ours
      {3, 0, 0},  // it has forgotten ours
  };
  for (const Attach& other : others) {
    Link anna(7), bert(3);
    meet(anna, bert);
    EXPECT_EQ(anna.hear(other), Heard::kOver) << other.mine << ' ' << other.yours;
    EXPECT_EQ(anna.attach().yours, 3u) << "what is over learns nothing any more";
  }
}

TEST(Link, the_next_one_hears_what_ended_the_last) {
  Link anna(7), bert(3);
  meet(anna, bert);
  bert = Link(4);  // it gives the link up
  const Attach of_bert = bert.attach();
  EXPECT_EQ(anna.hear(of_bert), Heard::kOver);
  anna = Link(8);
  EXPECT_EQ(anna.hear(of_bert), Heard::kWait);
  EXPECT_EQ(bert.hear(anna.attach()), Heard::kGoesOn);
  EXPECT_EQ(anna.hear(bert.attach()), Heard::kGoesOn);
}

TEST(Link, is_over_when_the_other_has_applied_what_was_never_said) {
  Link anna(7), bert(3);
  meet(anna, bert);
  anna.keep(of_bytes(16), false);
  EXPECT_EQ(anna.hear({3, 7, 2}), Heard::kOver);
  EXPECT_EQ(anna.kept().size(), 1u);
  EXPECT_EQ(anna.hear({3, 7, 1}), Heard::kGoesOn);
  EXPECT_TRUE(anna.kept().empty());
}

TEST(Link, a_new_one_waits_while_the_other_means_an_old_one) {
  Link anna(8);
  EXPECT_EQ(anna.hear({3, 7, 0}), Heard::kWait);
  EXPECT_EQ(anna.hear({3, 8, 1}), Heard::kWait) << "it cannot have applied anything of a new one";
  EXPECT_FALSE(anna.begun());
  EXPECT_EQ(anna.hear({4, 8, 0}), Heard::kGoesOn);
}

TEST(Link, numbers_what_it_keeps_from_one_and_tells_its_size) {
  Link link(7);
  EXPECT_EQ(link.keep(of_bytes(16), false).sequence, 1u);
  const Link::Kept& second = link.keep(of_bytes(24), true);
  EXPECT_EQ(second.sequence, 2u);
  EXPECT_TRUE(second.result);
  EXPECT_EQ(second.message.size(), 24u);
  EXPECT_EQ(link.kept().size(), 2u);
  EXPECT_EQ(link.kept_bytes(), 40u);
  EXPECT_TRUE(link.acknowledged(1));
  EXPECT_EQ(link.kept_bytes(), 24u);
  EXPECT_EQ(link.keep(of_bytes(16), false).sequence, 3u) << "a number is given once";
}

TEST(Link, acknowledgements_count_up_and_never_beyond_what_was_said) {
  Link link(7);
  EXPECT_TRUE(link.acknowledged(0));
  EXPECT_FALSE(link.acknowledged(1));
  for (int i = 0; i < 5; ++i) link.keep(of_bytes(16), false);
  EXPECT_FALSE(link.acknowledged(6));
  EXPECT_FALSE(link.acknowledged(~0ull));
  EXPECT_EQ(link.kept().size(), 5u) << "a false word changes nothing";
  EXPECT_TRUE(link.acknowledged(3));
  EXPECT_TRUE(link.acknowledged(2)) << "an old word is no lie";
  EXPECT_EQ(link.kept().size(), 2u);
  EXPECT_TRUE(link.acknowledged(5));
  EXPECT_EQ(link.kept_bytes(), 0u);
}

TEST(Link, applies_each_number_once_and_none_before_its_turn) {
  Link link(7);
  EXPECT_EQ(link.take(2, 16), Take::kGap);
  EXPECT_EQ(link.take(1, 16), Take::kApply);
  EXPECT_EQ(link.take(1, 16), Take::kRepeated);
  EXPECT_EQ(link.take(3, 16), Take::kGap);
  EXPECT_EQ(link.take(~0ull, 16), Take::kGap);
  EXPECT_EQ(link.take(2, 16), Take::kApply);
  EXPECT_EQ(link.attach().applied, 2u);
}

TEST(Link, owes_an_acknowledgement_for_what_it_has_applied) {
  Link link(7);
  EXPECT_EQ(link.owed_messages(), 0u);
  link.take(1, 100);
  link.take(2, 50);
  link.take(2, 50);  // repeated
  link.take(4, 50);  // gap
  EXPECT_EQ(link.owed_messages(), 2u);
  EXPECT_EQ(link.owed_bytes(), 150u);
  EXPECT_EQ(link.acknowledge(), 2u);
  EXPECT_EQ(link.owed_messages(), 0u);
  EXPECT_EQ(link.owed_bytes(), 0u);
  EXPECT_EQ(link.acknowledge(), 2u) << "it is what was applied, not what is new";
}

// ---- two ends, and sessions that break
//
// Two ends do what couriers do with a link: say an Attach when a session begins or their link is
// over, say nothing numbered before they have heard one, say again what was kept. Between them,
// sessions: whatever was said last is lost when one breaks, each end notices when it pleases, and
// either gives its link up at any moment. What must never be seen:
//
// - a message that is applied twice, out of its order, or while the receiver means another link
//   than the one it was said under;
// - a message that is not kept any more and was not applied;
// - an end that takes the other, which follows the rules, for a liar;
// - two ends that go on with different ideas of the link between them, or do not go on at all.

class TwoEnds {
 public:
  static constexpr int kActions = 12;

  // Number `action` happens to `end`. False: it cannot happen now.
  bool happen(int action) {
    const int end = action % 2;
    switch (action / 2) {
      case 0:
        return say(end);
      case 1:
        return arrive(end);
      case 2:
        return notice(end);
      case 3:
        return up(end);
      case 4:
        return give_up(end);
      default:
        return end == 0 ? cut() : acknowledge_something();
    }
  }
  static std::string name_of(int action) {
    constexpr const char* kNames[] = {"says", "hears", "notices", "is up", "gives up"};
    if (action == 10) return "cut";
    if (action == 11) return "acknowledgements";
    return std::string(action % 2 == 0 ? "anna " : "bert ") + kNames[action / 2];
  }

  // From now on nothing breaks: everything said arrives.
  void calm() {
    for (int round = 0; round < 10; ++round) {
      for (int end : {0, 1}) {
        notice(end);
        up(end);
      }
      for (int i = 0; i < 1000 && (arrive(0) || arrive(1)); ++i) {
        while (arrive(0)) {
        }
      }
      if (!in_flight(0).empty() || !in_flight(1).empty()) return fail("they never stop talking");
      acknowledge_something();
    }
    if (!ends_[0].attached || !ends_[1].attached) return fail("they do not go on");
    const End &anna = ends_[0], &bert = ends_[1];
    if (anna.mine != bert.yours || anna.yours != bert.mine) fail("they mean different links");
    for (int end : {0, 1}) {
      const Link& link = ends_[at(end)].link;
      if (!link.kept().empty() || link.kept_bytes() != 0) fail("something is kept for ever");
      const LinkName name{end, ends_[at(end)].mine};
      if (applied_[name] != said_[name]) fail("something was not applied");
    }
  }

  const std::string& wrong() const { return wrong_; }
  std::size_t applied() const { return deeds_; }
  std::size_t resumed() const { return resumed_; }

 private:
  struct Words {
    std::optional<Attach> attach;
    Header header;
    std::uint64_t id = 0;    // of a numbered message
    std::uint64_t link = 0;  // that it was said under
  };
  struct End {
    std::uint64_t mine = 1, yours = 0;  // numbers of the link
    Link link{1};
    std::uint64_t next = 2;
    bool attached = false;
    std::optional<std::size_t> session;
  };
  struct Session {
    std::array<std::vector<Words>, 2> towards;
    std::array<std::size_t, 2> heard{};
    bool cut = false;
  };
  using LinkName = std::pair<int, std::uint64_t>;  // whose number it is

  static std::size_t at(int end) { return static_cast<std::size_t>(end); }
  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }
  std::vector<Words> in_flight(int to) const {
    const Session& session = sessions_.back();
    return {session.towards[at(to)].begin() + static_cast<std::ptrdiff_t>(session.heard[at(to)]),
            session.towards[at(to)].end()};
  }

  // ---- what the courier does

  void send(int end, Words words) {
    Session& session = sessions_[*ends_[at(end)].session];
    if (!session.cut) session.towards[at(1 - end)].push_back(words);
  }
  void attach(int end) {
    ends_[at(end)].attached = false;
    send(end, {.attach = ends_[at(end)].link.attach(), .header = {}});
  }
  void transmit(int end, const Link::Kept& kept) {
    Link& link = ends_[at(end)].link;
    std::uint64_t id = 0;
    std::memcpy(&id, kept.message.data(), sizeof id);
    send(end, {{}, {kept.sequence, link.acknowledge()}, id, ends_[at(end)].mine});
  }
  void deliver(int end, Encoded message, bool result) {
    End& me = ends_[at(end)];
    std::uint64_t id = 0;
    std::memcpy(&id, message.data(), sizeof id);
    said_[{end, me.mine}].push_back(id);
    const Link::Kept& kept = me.link.keep(std::move(message), result);
    if (me.attached) transmit(end, kept);
  }
  void begin_next(int end) {
    End& me = ends_[at(end)];
    std::vector<Encoded> results;
    for (Link::Kept& kept : me.link.kept())
      if (kept.result) results.push_back(std::move(kept.message));
    me.link = Link(me.mine = me.next++);
    me.attached = false;
    for (Encoded& result : results) deliver(end, std::move(result), true);
    if (me.session) attach(end);
  }
  void hear(int end, const Attach& theirs) {
    End& me = ends_[at(end)];
    const bool begun = me.link.begun();
    Heard heard = me.link.hear(theirs);
    if (heard == Heard::kOver) {
      begin_next(end);
      heard = me.link.hear(theirs);
      if (heard == Heard::kOver) fail("a new link is over at once");
    }
    if (me.link.attach_due()) attach(end);
    if (heard != Heard::kGoesOn) return;
    me.yours = theirs.mine;
    check_kept(end);
    if (std::exchange(me.attached, true)) return;
    if (begun) ++resumed_;
    for (const Link::Kept& kept : me.link.kept()) transmit(end, kept);
  }
  void hear(int end, const Words& words) {
    End& me = ends_[at(end)];
    if (words.attach) return hear(end, *words.attach);
    if (!me.attached) return;
    if (!me.link.acknowledged(words.header.applied))
      return fail("what was never said is acknowledged");
    check_kept(end);
    if (words.header.sequence == 0) return;
    switch (me.link.take(words.header.sequence, 16)) {
      case Take::kApply:
        return apply(end, words);
      case Take::kGap:
        return fail("something is missing");
      case Take::kRepeated:
        return;
    }
  }

  // ---- what must be so

  void apply(int end, const Words& words) {
    ++deeds_;
    const End& me = ends_[at(end)];
    const LinkName link{1 - end, words.link};
    if (me.yours != words.link) fail("applied under another link than it was said under");
    if (paired_.emplace(link, me.mine).first->second != me.mine) fail("two links have heard one");
    const std::vector<std::uint64_t>& said = said_[link];
    std::vector<std::uint64_t>& applied = applied_[link];
    if (applied.size() >= said.size() || said[applied.size()] != words.id)
      fail("applied twice or out of order");
    applied.push_back(words.id);
  }
  void check_kept(int end) {
    const Link& link = ends_[at(end)].link;
    const LinkName name{end, ends_[at(end)].mine};
    if (said_[name].size() - link.kept().size() > applied_[name].size())
      fail("what was not applied is kept no longer");
  }

  // ---- what may happen

  bool say(int end) {
    Encoded message(16);
    const std::uint64_t id = ++ids_;
    std::memcpy(message.data(), &id, sizeof id);
    deliver(end, std::move(message), id % 2 == 0);
    return true;
  }
  bool arrive(int end) {
    const std::optional<std::size_t> number = ends_[at(end)].session;
    if (!number) return false;
    Session& session = sessions_[*number];
    if (session.heard[at(end)] == session.towards[at(end)].size()) return false;
    const Words words = session.towards[at(end)][session.heard[at(end)]++];
    hear(end, words);
    return true;
  }
  bool notice(int end) {
    End& me = ends_[at(end)];
    if (!me.session || !sessions_[*me.session].cut) return false;
    me.session.reset();
    me.attached = false;
    return true;
  }
  bool up(int end) {
    End& me = ends_[at(end)];
    if (me.session == sessions_.size() - 1) return false;
    me.session = sessions_.size() - 1;
    attach(end);
    return true;
  }
  bool give_up(int end) {
    begin_next(end);
    return true;
  }
  bool cut() {
    sessions_.back().cut = true;
    sessions_.emplace_back();
    return true;
  }
  bool acknowledge_something() {
    bool any = false;
    for (int end : {0, 1}) {
      End& me = ends_[at(end)];
      if (!me.attached || me.link.owed_messages() == 0) continue;
      send(end, {{}, {0, me.link.acknowledge()}});
      any = true;
    }
    return any;
  }

  std::array<End, 2> ends_;
  std::vector<Session> sessions_ = std::vector<Session>(1);
  std::uint64_t ids_ = 0;
  std::map<LinkName, std::vector<std::uint64_t>> said_, applied_;
  std::map<LinkName, std::uint64_t> paired_;
  std::size_t deeds_ = 0, resumed_ = 0;
  std::string wrong_;
};

std::string story_of(const std::vector<int>& actions) {
  std::string story;
  for (const int action : actions) story += TwoEnds::name_of(action) + ", ";
  return story + "then all is calm";
}

// Every history of so many steps, from `ends` on.
class Histories {
 public:
  explicit Histories(std::size_t most) : most_(most) {}

  void explore(const TwoEnds& ends) {
    if (HasFailure()) return;
    TwoEnds end = ends;
    end.calm();
    ++count_;
    if (!end.wrong().empty()) {
      ADD_FAILURE() << end.wrong() << ": " << story_of(story_);
      return;
    }
    if (story_.size() == most_) return;
    for (int action = 0; action < TwoEnds::kActions; ++action) {
      TwoEnds next = ends;
      if (!next.happen(action)) continue;
      story_.push_back(action);
      explore(next);
      story_.pop_back();
    }
  }
  std::size_t count() const { return count_; }

 private:
  static bool HasFailure() { return testing::Test::HasFailure(); }

  const std::size_t most_;
  std::vector<int> story_;
  std::size_t count_ = 0;
};

TEST(TwoEndsOfALink, agree_after_every_short_history) {
  Histories histories(times(6, 4));
  histories.explore(TwoEnds());
  EXPECT_GT(histories.count(), times(20'000, 1'000));
}

TEST(TwoEndsOfALink, that_have_met_agree_after_every_short_history) {
  TwoEnds ends;
  ends.calm();
  for (const int action : {0, 1}) ends.happen(action);
  Histories histories(times(6, 4));
  histories.explore(ends);
  EXPECT_GT(histories.count(), times(20'000, 1'000));
}

TEST(TwoEndsOfALink, agree_after_long_histories) {
  std::size_t applied = 0, resumed = 0;
  for (unsigned seed = 1; seed <= times(5'000, 300); ++seed) {
    std::mt19937 random(seed);
    // How likely each action is, in this history: some break often, others hardly ever.
    std::vector<double> weights(TwoEnds::kActions);
    for (double& weight : weights) weight = 0.02 + static_cast<double>(random() % 100) / 100;
    for (const int rare : {4, 5, 8, 9, 10})
      weights[static_cast<std::size_t>(rare)] /= 1 + static_cast<double>(random() % 20);
    std::discrete_distribution<int> next(weights.begin(), weights.end());
    TwoEnds ends;
    std::vector<int> story;
    for (int step = 0; step < 200 && ends.wrong().empty(); ++step) {
      const int action = next(random);
      if (ends.happen(action)) story.push_back(action);
    }
    if (ends.wrong().empty()) ends.calm();
    ASSERT_EQ(ends.wrong(), "") << "seed " << seed << ": " << story_of(story);
    applied += ends.applied();
    resumed += ends.resumed();
  }
  EXPECT_GT(applied, times(20'000, 2'000)) << "otherwise little was tested";
  EXPECT_GT(resumed, times(2'000, 200));
}

}  // namespace
}  // namespace pp::runtime
