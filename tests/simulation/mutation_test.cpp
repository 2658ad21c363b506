// Mutations: each rule of the protocol is broken in turn, and the simulation must notice it.
//
// A simulation that is content with everything proves nothing. The table says of each rule what
// befalls the clusters, and within how many histories somebody must have complained.
#include <gtest/gtest.h>

#include <iostream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "simulate.hpp"

namespace pp::simulation {
namespace {

using runtime::Rule;

constexpr Fault kCrash = Fault::kCrash;
constexpr Fault kStop = Fault::kStop;
constexpr Fault kBreak = Fault::kBreak;
constexpr Fault kCut = Fault::kCut;
constexpr Fault kJump = Fault::kJump;
constexpr Fault kDrain = Fault::kDrain;
constexpr Fault kEnd = Fault::kEnd;
constexpr Fault kPoison = Fault::kPoison;

using Faults = std::optional<std::vector<Fault>>;
const Faults kNothing = std::vector<Fault>();

struct Mutation {
  Rule rule;
  const char* name;
  std::uint64_t within;  // histories
  Faults faults;
  Scene scene = Scene::kAny;

  friend std::ostream& operator<<(std::ostream& out, const Mutation& it) { return out << it.name; }
};

// About three times as many as it takes, so that a change of what comes by chance breaks nothing.
const std::vector<Mutation> kMutations = {
    {Rule::kAppliedOnce, "applied_once", 100, {{kBreak}}},
    {Rule::kKeptUntilApplied, "kept_until_applied", 50, {{kBreak}}},
    {Rule::kResume, "resume", 100, {{kBreak}}},
    {Rule::kBothEndTheLink, "both_end_the_link", 700, {{kStop, kJump}}},
    {Rule::kLinkOverRequeues, "link_over_requeues", 50, {{kCrash}}},
    {Rule::kVoidWithLink, "void_with_link", 4000, {{kCut, kStop}}},
    {Rule::kLateResultDropped, "late_result_dropped", 300, {{kStop, kCut}}},
    {Rule::kApartEndsLink, "apart_ends_link", 300, {{kCrash, kDrain, kStop}}},
    {Rule::kReturnedRequeues, "returned_requeues", 50, kNothing},
    {Rule::kNothingInSilence, "nothing_in_silence", 50, kNothing},
    {Rule::kOnceIsOnce, "once_is_once", 100, {{kCrash, kCut}}},
    {Rule::kTriedAlone, "tried_alone", 500, {{kPoison}}, Scene::kPoison},
    {Rule::kOnlyOneIsBlamed, "only_one_is_blamed", 500, {{kPoison}}, Scene::kPoison},
    {Rule::kNotOnItsOwner, "not_on_its_owner", 500, {{kPoison}}, Scene::kPoison},
    {Rule::kCancelFollows, "cancel_follows", 50, kNothing, Scene::kLong},
    {Rule::kLifelineServed, "lifeline_served", 900, kNothing},
    {Rule::kRequestsEndWithSessions, "requests_end_with_sessions", 50, {{kCrash}}},
    {Rule::kLostRequestsAreForgotten, "lost_requests_are_forgotten", 2500, {{kCrash, kStop}}},
    {Rule::kBlameIsCounted, "blame_is_counted", 50, {{kPoison}}, Scene::kPoison},
    {Rule::kDriverGoneEnds, "driver_gone_ends", 50, kNothing, Scene::kLaunch},
    {Rule::kResultsBounded, "results_bounded", 50, kNothing, Scene::kResults},
    {Rule::kAcknowledged, "acknowledged", 500, kNothing},
    {Rule::kLeaverReturns, "leaver_returns", 12000, {{kEnd}}},
    {Rule::kUsedSessionsStay, "used_sessions_stay", 450, kNothing, Scene::kCrowd},
    {Rule::kBlobsAskedAgain, "blobs_asked_again", 300, {{kBreak}}, Scene::kBlobs},
    {Rule::kResultsTaken, "results_taken", 50, kNothing, Scene::kBlobs},
    {Rule::kOverdueNotWaitedFor,
     "overdue_not_waited_for",
     1500,
     {{kCrash, kStop}},
     Scene::kResults},
    {Rule::kEndlessIsBlamed,
     "endless_is_blamed",
     1500,
     {{kCrash, kStop, kPoison}},
     Scene::kResults},
    {Rule::kLoansBounded, "loans_bounded", 50, kNothing},
};

std::string name_of(const testing::TestParamInfo<Mutation>& info) { return info.param.name; }

class Broken : public testing::TestWithParam<Mutation> {};

TEST_P(Broken, is_noticed_that) {
  const Mutation& it = GetParam();
  Plan plan;
  plan.broken = it.rule;
  plan.scene = it.scene;
  if (it.faults) {
    plan.faults.emplace();
    for (const Fault fault : *it.faults) plan.faults->add(fault);
  }
  for (plan.seed = 1; plan.seed <= it.within; ++plan.seed) {
    const Outcomes outcomes = simulate(plan);
    if (outcomes.failure.empty()) continue;
    std::cout << "noticed in seed " << plan.seed << ": "
              << outcomes.failure.substr(0, outcomes.failure.find('\n')) << '\n';
    return;
  }
  FAIL() << "nobody notices within " << it.within << " histories";
}

INSTANTIATE_TEST_SUITE_P(Rule, Broken, testing::ValuesIn(kMutations), name_of);

TEST(Mutations, are_there_for_each_rule) {
  ASSERT_EQ(kMutations.size(), runtime::kRules - 1);
  for (std::size_t i = 0; i < kMutations.size(); ++i)
    EXPECT_EQ(static_cast<std::size_t>(kMutations[i].rule), i + 1) << kMutations[i].name;
}

}  // namespace
}  // namespace pp::simulation
