// Whole clusters in virtual time: thousands of histories, each of which must keep every promise.
//
// A test's name ends with what befalls its clusters and with its block of seeds. A history that
// breaks a promise is printed, with the command that replays it. PP_SEEDS=100000 tries so many
// seeds of each kind instead.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <string>
#include <vector>

#include "sanitized.hpp"
#include "simulate.hpp"

namespace pp::simulation {
namespace {

constexpr std::size_t kBlocks = 8;  // of the seeds of one kind, so that they run side by side

struct Case {
  const char* name;
  std::vector<Fault> faults;
  bool drawn = false;  // the seed draws the faults
  std::uint64_t seeds = 0;
  Scene scene = Scene::kAny;
  std::size_t block = 0;

  friend std::ostream& operator<<(std::ostream& out, const Case& it) {
    return out << it.name << ", block " << it.block;
  }
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.name) + "_block_" + std::to_string(info.param.block);
}

FaultSet set_of(const std::vector<Fault>& faults) {
  FaultSet set;
  for (const Fault fault : faults) set.add(fault);
  return set;
}

std::string words_of(const std::vector<Fault>& faults) {
  std::string words;
  for (const Fault fault : faults)
    words += (words.empty() ? "" : ",") + std::string(to_string(fault));
  return words.empty() ? "none" : words;
}

std::vector<Case> cases() {
  const std::vector<Case> kinds = {
      {"nothing", {}, false, 700},
      {"crashes", {Fault::kCrash, Fault::kJoin}, false, 1500},
      {"stops", {Fault::kStop, Fault::kJump}, false, 1500},
      {"broken_connections", {Fault::kBreak}, false, 1500},
      {"cuts", {Fault::kCut, Fault::kPartition}, false, 1500},
      {"departures", {Fault::kDrain, Fault::kEnd, Fault::kWorkers, Fault::kJoin}, false, 1500},
      {"slowness", {Fault::kSlow, Fault::kCrash, Fault::kBreak}, false, 700},
      {"poison", {Fault::kPoison, Fault::kCrash}, false, 700},
      {"anything", {}, true, 16000},
      {"poison_and_nothing_else", {Fault::kPoison}, false, 1000, Scene::kPoison},
      {"cancels_of_long_jobs", {}, false, 500, Scene::kLong},
      {"results_that_nobody_takes", {}, false, 500, Scene::kResults},
      {"the_end_of_a_launch", {}, false, 500, Scene::kLaunch},
      {"more_nodes_than_have_sessions_with_everybody", {}, false, 40, Scene::kCrowd},
      {"large_arguments_and_results", {}, false, 500, Scene::kBlobs},
  };
  const char* asked = std::getenv("PP_SEEDS");
  std::vector<Case> all;
  for (Case kind : kinds) {
    if (asked != nullptr) kind.seeds = std::strtoull(asked, nullptr, 10);
    if (asked == nullptr && runtime::kSanitized) kind.seeds /= 50;
    for (kind.block = 0; kind.block < kBlocks; ++kind.block) all.push_back(kind);
  }
  return all;
}

class Cluster : public testing::TestWithParam<Case> {};

TEST_P(Cluster, keeps_its_promises_through) {
  const Case& it = GetParam();
  for (std::uint64_t seed = 1 + it.block; seed <= it.seeds; seed += kBlocks) {
    Plan plan;
    plan.seed = seed;
    if (!it.drawn) plan.faults = set_of(it.faults);
    plan.scene = it.scene;
    const Outcomes outcomes = simulate(plan);
    if (outcomes.failure.empty()) continue;
    plan.most_lines = 60;
    std::string lines;
    for (const std::string& line : simulate(plan).lines) lines += line + '\n';
    ADD_FAILURE() << lines << outcomes.failure << "\nreplay: pp_simulate --seed " << seed
                  << (it.drawn ? "" : " --faults " + words_of(it.faults))
                  << (it.scene == Scene::kAny ? "" : " --scene " + std::string(to_string(it.scene)))
                  << " --trace";
    return;
  }
}

INSTANTIATE_TEST_SUITE_P(Simulated, Cluster, testing::ValuesIn(cases()), name_of);

TEST(History, is_the_same_whenever_its_seed_is) {
  for (std::uint64_t seed = 1; seed <= (runtime::kSanitized ? 5U : 50U); ++seed) {
    Plan plan;
    plan.seed = seed;
    const Outcomes once = simulate(plan);
    plan.most_lines = 10;  // to be read or not, it is the same
    const Outcomes again = simulate(plan);
    EXPECT_EQ(once.hash, again.hash) << seed;
    EXPECT_EQ(once.steps, again.steps) << seed;
    EXPECT_EQ(once.messages, again.messages) << seed;
  }
}

TEST(History, is_another_one_for_another_seed) {
  Plan plan;
  const Outcomes one = simulate(plan);
  plan.seed = 2;
  EXPECT_NE(one.hash, simulate(plan).hash);
}

// What no fault is there to explain: if the simulation never lost anything, it would prove nothing.
TEST(Histories, contain_what_they_are_for) {
  std::uint64_t again = 0, values = 0, failures = 0;
  for (std::uint64_t seed = 1; seed <= (runtime::kSanitized ? 20U : 200U); ++seed) {
    Plan plan;
    plan.seed = seed;
    plan.faults = set_of({Fault::kCrash, Fault::kBreak, Fault::kStop});
    const Outcomes outcomes = simulate(plan);
    again += outcomes.again;
    values += outcomes.values;
    failures += outcomes.failures;
  }
  EXPECT_GT(again, 0U);
  EXPECT_GT(failures, 0U);
  EXPECT_GT(values, failures);
}

// Each broke a promise once; what it was is beside it.
TEST(Histories, that_went_wrong_once_do_not_again) {
  struct Past {
    std::uint64_t seed;
    Scene scene;
    std::vector<Fault> faults;
    bool drawn = true;  // the seed draws the faults
  };
  const std::vector<Past> past = {
      // Two requests lay with machines without power, and a third node was not asked.
      {2300, Scene::kResults, {}},
      // Jobs that killed node after node, always beside others that were new there.
      {2905, Scene::kBlobs, {}},
      {5186, Scene::kResults, {}},
      {472, Scene::kResults, {Fault::kCrash, Fault::kStop, Fault::kPoison}, false},
      // The result was on its way when its node died, and the same attempt was begun again.
      {1835, Scene::kBlobs, {Fault::kPoison, Fault::kCrash, Fault::kJoin}, false},
      // A job for a node that had begun with no workers and was given some while it was cut off.
      {80882, Scene::kAny, {}},
  };
  for (const Past& it : past) {
    Plan plan;
    plan.seed = it.seed;
    plan.scene = it.scene;
    if (!it.drawn) plan.faults = set_of(it.faults);
    EXPECT_EQ(simulate(plan).failure, "") << it.seed;
  }
}

TEST(Cluster, of_many_nodes_keeps_its_promises) {
  for (const std::size_t nodes : {30, 100}) {
    if (runtime::kSanitized && nodes > 30) continue;
    Plan plan;
    plan.seed = nodes;
    plan.nodes = nodes;
    plan.faults = set_of({Fault::kCrash, Fault::kStop, Fault::kPartition});
    EXPECT_EQ(simulate(plan).failure, "") << nodes;
  }
}

}  // namespace
}  // namespace pp::simulation
