// Membership, in clusters of 2 to 200 nodes in virtual time: who is noticed when, and what nobody
// may ever be taken for.
//
// A test's name ends with its nodes, its loss and its seed: `--gtest_filter=` that name replays it,
// step by step. PP_SEEDS=100 tries so many seeds of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "simulation.hpp"

namespace pp::discovery::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

struct Case {
  std::size_t nodes = 0;
  int loss_percent = 0;
  std::uint64_t seed = 1;

  friend std::ostream& operator<<(std::ostream& out, const Case& it) {
    return out << it.nodes << " nodes, " << it.loss_percent << " % loss, seed " << it.seed;
  }
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::to_string(info.param.nodes) + "_nodes_" + std::to_string(info.param.loss_percent) +
         "_percent_lost_seed_" + std::to_string(info.param.seed);
}

// A thousand seconds of a sanitizer's time are better spent elsewhere.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kLargest = 50;
#elif defined(__has_feature)
constexpr std::size_t kLargest = __has_feature(thread_sanitizer) ? 50 : 200;
#else
constexpr std::size_t kLargest = 200;
#endif

std::vector<Case> cases(bool largest_without_loss) {
  const char* asked = std::getenv("PP_SEEDS");
  std::vector<Case> all;
  for (const std::size_t nodes : {2, 3, 8, 50, 200}) {
    if (nodes > kLargest) continue;
    const int usual = nodes <= 8 ? 5 : nodes <= 50 ? 2 : 1;
    const int seeds = asked != nullptr ? std::atoi(asked) : usual;
    for (const int loss : {0, 2}) {
      if (nodes == 200 && loss == 0 && !largest_without_loss) continue;
      for (int seed = 1; seed <= seeds; ++seed)
        all.push_back({nodes, loss, static_cast<std::uint64_t>(seed)});
    }
  }
  return all;
}

// What has to be done by when. The limits are Neighbourhood's defaults.
constexpr milliseconds kSuspect = Neighbourhood::Limits{}.suspect;
constexpr milliseconds kDead = Neighbourhood::Limits{}.dead;
// For the delays of the wire, and for two rounds of news.
constexpr milliseconds kSlack{150};
// A kill and a leave need no limit to pass, only to be told.
constexpr milliseconds kTold{250};
// The same where words get lost: news that nobody told somebody are in one of the next heartbeats,
// or found to be missing by comparing digests.
constexpr milliseconds kToldLate{5000};

class Membership : public testing::TestWithParam<Case> {
 protected:
  explicit Membership()
      : simulation_({.seed = GetParam().seed, .loss = GetParam().loss_percent / 100.0}) {}

  bool lossy() const { return GetParam().loss_percent > 0; }
  milliseconds told() const { return lossy() ? kToldLate : kTold; }

  // A settled cluster; the first node is everybody's contact.
  void start_all() {
    for (std::size_t i = 0; i < GetParam().nodes; ++i) {
      simulation_.start(i == 0 ? std::nullopt : std::optional<std::size_t>(0));
      simulation_.run_for(5ms);
    }
    ASSERT_TRUE(simulation_.run_until([this] { return simulation_.agreed(); }, 10s));
    simulation_.run_for(5s);
    simulation_.forget_seen();
  }

  std::size_t somebody(std::size_t but = SIZE_MAX) { return simulation_.somebody(but).value(); }

  // The next one in the ring.
  std::size_t successor(std::size_t of) const {
    std::size_t next = of;
    for (std::size_t each = 0; each < simulation_.size(); ++each) {
      if (!simulation_.lives(each) || each == of) continue;
      const auto after = [this](std::size_t a, std::size_t b) {  // in a ring that begins at b
        return simulation_.id(b) < simulation_.id(a);
      };
      if (next == of || (after(each, of) != after(next, of) ? after(each, of) : after(next, each)))
        next = each;
    }
    return next;
  }

  // When `by` has first seen `whom` in this state or a graver one.
  std::optional<Time> seen(std::size_t by, std::size_t whom, MemberState state) const {
    for (const Seen& each : simulation_.seen())
      if (each.by == by && each.whom == whom && each.state >= state) return each.at;
    return std::nullopt;
  }

  // Every living node has seen `whom` in this state or a graver one by then.
  void expect_seen_by_all(std::size_t whom, MemberState state, Time until) const {
    std::set<std::size_t> late;
    for (std::size_t by = 0; by < simulation_.size(); ++by)
      if (simulation_.lives(by) && by != whom) late.insert(by);
    for (const Seen& each : simulation_.seen())
      if (each.whom == whom && each.state >= state && each.at <= until) late.erase(each.by);
    EXPECT_TRUE(late.empty()) << late.size() << " of " << simulation_.alive() << " have not seen "
                              << whom << " " << to_string(state) << " in time, " << *late.begin()
                              << " for example";
  }

  // No node that lives (but for these, which were stopped meanwhile) was ever taken for dead.
  void expect_no_false_death(const std::set<std::size_t>& but = {}) const {
    for (const Seen& each : simulation_.seen()) {
      if (is_present(each.state) || !simulation_.lives(each.whom) || but.contains(each.whom))
        continue;
      ADD_FAILURE() << each.by << " took " << each.whom << " for " << to_string(each.state);
      return;
    }
  }
  void expect_no_suspicion(const std::set<std::size_t>& but = {}) const {
    for (const Seen& each : simulation_.seen()) {
      if (each.state == MemberState::kAlive || !simulation_.lives(each.whom) ||
          but.contains(each.whom))
        continue;
      ADD_FAILURE() << each.by << " saw " << each.whom << " " << to_string(each.state);
      return;
    }
  }

  bool agreed_within(Clock::duration limit) {
    return simulation_.run_until([this] { return simulation_.agreed(); }, limit);
  }

  Simulation simulation_;
};

// What is held to a limit in time.
class MembershipOnTime : public Membership {};

// ---- coming

TEST_P(Membership, everybody_meets_everybody_through_one_contact) {
  for (std::size_t i = 0; i < GetParam().nodes; ++i) {
    simulation_.start(i == 0 ? std::nullopt : std::optional<std::size_t>(0));
    simulation_.run_for(5ms);
  }
  EXPECT_TRUE(agreed_within(told()));
  expect_no_suspicion();
}

TEST_P(Membership, all_that_start_at_the_same_moment_meet) {
  for (std::size_t i = 0; i < GetParam().nodes; ++i) simulation_.start();
  EXPECT_TRUE(agreed_within(kToldLate));
  expect_no_suspicion();
}

TEST_P(Membership, a_newcomer_knows_everybody_and_is_known_at_once) {
  start_all();
  const std::size_t late = simulation_.start();
  EXPECT_TRUE(agreed_within(told()));
  EXPECT_EQ(simulation_.neighbourhood(late).present(), GetParam().nodes);
}

// ---- silence, death, leave

TEST(MembershipOfNewcomers, is_found_though_the_only_node_they_know_is_leaving) {
  Simulation simulation({.seed = 1, .loss = 0});
  const std::size_t contact = simulation.start();
  simulation.run_for(100ms);
  simulation.begin_to_leave(contact);
  const std::size_t one = simulation.start(contact);
  simulation.run_for(1s);
  const std::size_t other = simulation.start(contact);
  simulation.run_for(1s);
  const auto has_met = [&](std::size_t by, std::size_t whom) {
    const std::vector<Seen>& all = simulation.seen();
    return std::any_of(all.begin(), all.end(), [&](const Seen& each) {
      return each.by == by && each.whom == whom && each.state == MemberState::kAlive;
    });
  };
  EXPECT_TRUE(has_met(one, other));
  EXPECT_TRUE(has_met(other, one));
}

TEST_P(MembershipOnTime, a_silent_node_is_suspected_and_then_dead_within_the_limits_everywhere) {
  start_all();
  const std::size_t silent = somebody();
  simulation_.silence(silent);
  const Time since = simulation_.now();
  simulation_.run_for(kDead + kToldLate);
  if (!lossy()) {
    expect_seen_by_all(silent, MemberState::kSuspect, since + kSuspect + kSlack);
    expect_seen_by_all(silent, MemberState::kSilent, since + kDead + kSlack);
  } else {
    expect_seen_by_all(silent, MemberState::kSilent, since + kDead + kToldLate);
  }
  expect_no_false_death();
}

TEST_P(MembershipOnTime, a_killed_node_is_known_to_be_gone_everywhere_at_once) {
  start_all();
  const std::size_t victim = somebody();
  simulation_.kill(victim);
  const Time since = simulation_.now();
  simulation_.run_for(told());
  expect_seen_by_all(victim, MemberState::kSilent, since + told());
  for (const Seen& each : simulation_.seen()) EXPECT_EQ(each.state, MemberState::kGone);
  EXPECT_TRUE(simulation_.agreed());
}

TEST_P(MembershipOnTime, a_leave_is_known_everywhere_at_once_and_is_no_loss) {
  start_all();
  const std::size_t leaver = somebody();
  simulation_.leave(leaver);
  const Time since = simulation_.now();
  simulation_.run_for(told());
  expect_seen_by_all(leaver, MemberState::kSilent, since + told());
  for (const Seen& each : simulation_.seen()) EXPECT_EQ(each.state, MemberState::kLeft);
  EXPECT_TRUE(simulation_.agreed());
}

TEST_P(MembershipOnTime, two_neighbours_in_the_ring_that_fall_silent_together_are_both_noticed) {
  if (GetParam().nodes < 3) GTEST_SKIP() << "somebody has to notice";
  start_all();
  const std::size_t one = somebody();
  const std::size_t other = successor(one);
  simulation_.silence(one);
  simulation_.silence(other);
  const Time since = simulation_.now();
  simulation_.run_for(2 * kDead + kToldLate);
  // The first of them is watched by the second: it is asked when the second is suspected.
  const milliseconds limit = lossy() ? kDead + kSuspect + kToldLate : kDead + kSuspect + kSlack;
  expect_seen_by_all(other, MemberState::kSilent, since + limit);
  expect_seen_by_all(one, MemberState::kSilent, since + limit);
  expect_no_false_death();
  EXPECT_TRUE(simulation_.agreed());
}

TEST_P(Membership, two_that_are_killed_together_are_both_noticed) {
  if (GetParam().nodes < 3) GTEST_SKIP() << "somebody has to notice";
  start_all();
  const std::size_t one = somebody();
  const std::size_t other = successor(one);
  simulation_.kill(one);
  simulation_.kill(other);
  EXPECT_TRUE(agreed_within(told()));
  expect_no_suspicion();
}

TEST_P(Membership, half_of_the_cluster_is_killed_and_the_others_agree) {
  if (GetParam().nodes < 3) GTEST_SKIP() << "somebody has to notice";
  start_all();
  for (std::size_t i = 0; i < GetParam().nodes / 2; ++i) simulation_.kill(somebody());
  EXPECT_TRUE(agreed_within(kDead + kToldLate));
  simulation_.run_for(5s);
  expect_no_false_death();
  EXPECT_TRUE(simulation_.agreed());
}

TEST_P(Membership, half_of_the_cluster_falls_silent_and_the_others_agree) {
  if (GetParam().nodes < 3) GTEST_SKIP() << "somebody has to notice";
  start_all();
  for (std::size_t i = 0; i < GetParam().nodes / 2; ++i) simulation_.silence(somebody());
  // One that stands before others of them in the ring is asked when these are suspected.
  EXPECT_TRUE(agreed_within(4 * kDead + kToldLate));
  simulation_.run_for(5s);
  expect_no_false_death();
  EXPECT_TRUE(simulation_.agreed());
}

// ---- living

TEST_P(Membership, nobody_is_suspected_for_no_reason) {
  start_all();
  simulation_.run_for(60s);
  expect_no_false_death();
  if (!lossy()) expect_no_suspicion();
  EXPECT_TRUE(simulation_.agreed());
}

TEST_P(Membership, nobody_who_lives_is_taken_for_dead_while_others_come_and_go) {
  start_all();
  std::mt19937_64 random(GetParam().seed);
  for (int second = 0; second < 40; ++second) {
    const std::size_t living = simulation_.alive();
    const auto what = std::uniform_int_distribution<int>(0, 5)(random);
    if (what < 3 || living < 2) {
      simulation_.start();
    } else if (what == 3) {
      simulation_.kill(somebody());
    } else if (what == 4) {
      simulation_.leave(somebody());
    } else {
      simulation_.silence(somebody());
    }
    simulation_.run_for(1s);
    expect_no_false_death();
    if (HasFailure()) return;
  }
  EXPECT_TRUE(agreed_within(kDead + kToldLate));
}

// ---- stopped and resumed

// Stops a node for so long. It is a member again everywhere, and has blamed nobody.
void stop_for(Simulation& simulation, std::size_t stopped, Clock::duration time) {
  simulation.stop(stopped);
  simulation.run_for(time);
  const Neighbourhood::Figures before = simulation.neighbourhood(stopped).figures();
  simulation.resume(stopped);
  EXPECT_TRUE(simulation.run_until([&] { return simulation.agreed(); }, kToldLate));
  simulation.run_for(5s);
  EXPECT_TRUE(simulation.agreed());
  EXPECT_EQ(simulation.neighbourhood(stopped).figures().suspicions, before.suspicions);
}

TEST_P(Membership, a_node_that_was_stopped_for_a_third_of_a_second_is_not_missed) {
  start_all();
  const std::size_t stopped = somebody();
  stop_for(simulation_, stopped, 300ms);  // and its last heartbeat was up to 650 ms old
  expect_no_false_death();
  if (!lossy()) expect_no_suspicion();
}

TEST_P(Membership, a_node_that_was_stopped_for_half_a_second_is_not_lost) {
  start_all();
  const std::size_t stopped = somebody();
  stop_for(simulation_, stopped, 500ms);
  expect_no_false_death();
  if (!lossy()) expect_no_suspicion({stopped});
}

TEST_P(Membership, a_node_that_returns_before_it_is_taken_for_dead_objects) {
  start_all();
  const std::size_t stopped = somebody();
  stop_for(simulation_, stopped, 1500ms);
  expect_no_false_death();
  if (!lossy()) expect_no_suspicion({stopped});
}

TEST_P(Membership, a_node_that_returns_at_the_last_moment_is_a_member_again) {
  start_all();
  const std::size_t stopped = somebody();
  stop_for(simulation_, stopped, kDead - 1ms);
  expect_no_false_death({stopped});
  if (!lossy()) expect_no_suspicion({stopped});
}

TEST_P(Membership, a_node_that_returns_from_the_dead_is_a_member_again) {
  start_all();
  const std::size_t stopped = somebody();
  stop_for(simulation_, stopped, 10s);
  expect_no_false_death({stopped});
  if (!lossy()) expect_no_suspicion({stopped});
}

TEST_P(Membership, a_node_that_returns_after_a_minute_is_a_member_again) {
  start_all();
  const std::size_t stopped = somebody();
  stop_for(simulation_, stopped, 70s);
  expect_no_false_death({stopped});
  if (!lossy()) expect_no_suspicion({stopped});
}

// ---- cut off

TEST_P(Membership, two_halves_that_were_cut_from_each_other_find_together) {
  start_all();
  std::set<std::size_t> half;
  while (half.size() < GetParam().nodes / 2) half.insert(somebody());
  for (const milliseconds cut : {500ms, 2000ms, 20'000ms}) {
    if (GetParam().nodes > 50 && cut != 2000ms)
      continue;  // the hardest: all are suspected, none dead
    simulation_.partition(half, true);
    simulation_.run_for(cut);
    simulation_.partition(half, false);
    EXPECT_TRUE(agreed_within(15s)) << "after " << cut.count() << " ms";
    simulation_.run_for(10s);
    EXPECT_TRUE(simulation_.agreed());
  }
}

TEST_P(Membership, an_old_rumour_does_not_bring_a_dead_node_back) {
  if (GetParam().nodes < 3) GTEST_SKIP() << "somebody has to know better";
  start_all();
  // This one will still say that the three others live.
  const std::size_t stale = somebody();
  simulation_.stop(stale);
  std::set<std::size_t> dead{somebody(stale)};
  simulation_.kill(*dead.begin());
  if (GetParam().nodes > 3) {
    simulation_.leave(*dead.insert(somebody(stale)).first);
    simulation_.silence(*dead.insert(somebody(stale)).first);
  }
  simulation_.run_for(10s);
  simulation_.forget_seen();
  simulation_.resume(stale);
  EXPECT_TRUE(agreed_within(kToldLate + 2 * kDead));
  simulation_.run_for(10s);
  for (const Seen& each : simulation_.seen())
    EXPECT_TRUE(each.by == stale || !dead.contains(each.whom) || !is_present(each.state));
  EXPECT_TRUE(simulation_.agreed());
}

INSTANTIATE_TEST_SUITE_P(simulated, Membership, testing::ValuesIn(cases(false)), name_of);
INSTANTIATE_TEST_SUITE_P(simulated, MembershipOnTime, testing::ValuesIn(cases(true)), name_of);

// A heartbeat is lost, and then twice a question or its answer: with 6 % of the words lost that
// happens ten times in these 100 s. Others are asked for help, of whom most have to open a session
// with the member in question first.
TEST(MembershipHelpers, keep_lost_words_from_becoming_suspicions) {
  Simulation simulation({.seed = 2, .loss = 0.06});
  simulation.start_many(100, 1s);
  simulation.run_for(10s);
  const std::uint64_t before = simulation.figures().suspicions;
  simulation.run_for(100s);
  EXPECT_EQ(simulation.figures().suspicions, before);
}

// ---- what it costs

struct Cost {
  double words = 0;  // per node and second
  double bytes = 0;
  double sessions = 0;  // per node
};

// Of a cluster in which nothing happens.
Cost idle(std::size_t nodes) {
  Simulation simulation({.seed = 1});
  for (std::size_t i = 0; i < nodes; ++i) {
    simulation.start();
    simulation.run_for(5ms);
  }
  simulation.run_for(30s);
  EXPECT_TRUE(simulation.agreed());
  const transport::Counters before = simulation.counters();
  constexpr int kSeconds = 60;
  simulation.run_for(std::chrono::seconds(kSeconds));
  const transport::Counters after = simulation.counters();
  const auto per = [&](std::uint64_t from, std::uint64_t to) {
    return static_cast<double>(to - from) / kSeconds / static_cast<double>(nodes);
  };
  return {per(before.words_sent, after.words_sent), per(before.bytes_sent, after.bytes_sent),
          static_cast<double>(simulation.figures().sessions) / static_cast<double>(nodes)};
}

TEST(MembershipCost, eight_idle_nodes_say_at_most_two_words_each_a_second) {
  const Cost eight = idle(8);
  EXPECT_LE(eight.words, 2.0);
  EXPECT_EQ(eight.sessions, 7.0);
}

TEST(MembershipCost, an_idle_node_costs_the_same_in_a_larger_cluster) {
  const Cost fifty = idle(50);
  const Cost two_hundred = idle(200);
  EXPECT_NEAR(two_hundred.words / fifty.words, 1, 0.2);
  EXPECT_NEAR(two_hundred.bytes / fifty.bytes, 1, 0.2);
}

TEST(MembershipCost, a_node_keeps_sessions_with_few_and_closes_those_that_nobody_uses) {
  Simulation simulation({.seed = 1});
  constexpr std::size_t kNodes = 200;
  for (std::size_t i = 0; i < kNodes; ++i) simulation.start();
  simulation.run_for(40s);
  const auto sessions = [&] {
    return static_cast<double>(simulation.figures().sessions) / static_cast<double>(kNodes);
  };
  // Those at the distances 1, 2, 4, ... and those at which it stands itself; the random probes of
  // the last ten seconds have opened a few more.
  EXPECT_LE(sessions(), 2 * std::log2(kNodes) + 5);
  EXPECT_GE(sessions(), 2 * std::floor(std::log2(kNodes)));
  const std::size_t asker = 0;
  for (std::size_t other = 1; other < kNodes; ++other)
    simulation.neighbourhood(asker).connect(simulation.id(other), simulation.now());
  simulation.nudge(asker);
  simulation.run_for(1s);
  EXPECT_EQ(simulation.neighbourhood(asker).figures().sessions, kNodes - 1);
  simulation.run_for(30s);
  EXPECT_LE(simulation.neighbourhood(asker).figures().sessions, 2 * std::log2(kNodes) + 8);
}

}  // namespace
}  // namespace pp::discovery::test
