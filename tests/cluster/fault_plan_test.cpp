// FaultPlan: the same seed, the same faults; nobody suffers what he must not.
#include "fault_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace pp::test {
namespace {

using std::chrono::milliseconds;
using testing::Each;
using testing::Ge;
using testing::Le;

const std::set<FaultKind> kAll(std::begin(kAllFaultKinds), std::end(kAllFaultKinds));

std::vector<Target> driver_and(std::size_t workers) {
  std::vector<Target> targets{{.driver = true, .met = true}};
  targets.resize(1 + workers, Target{.met = true});
  return targets;
}

TEST(FaultPlan, of_the_same_seed_is_the_same) {
  FaultPlan one(7, kAll, 2);
  FaultPlan other(7, kAll, 2);
  const std::vector<Target> targets = driver_and(4);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(one.pause(), other.pause());
    const auto a = one.next(targets, 0);
    const auto b = other.next(targets, 0);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->kind, b->kind);
    EXPECT_EQ(a->whom, b->whom);
    EXPECT_EQ(a->length, b->length);
  }
}

TEST(FaultPlan, draws_every_kind_about_as_often) {
  FaultPlan plan(1, kAll, 2);
  const std::vector<Target> targets = driver_and(4);
  std::map<FaultKind, int> times;
  for (int i = 0; i < 5000; ++i) ++times[plan.next(targets, 0)->kind];
  for (const FaultKind kind : kAllFaultKinds) {
    EXPECT_GT(times[kind], 900) << to_string(kind);
    EXPECT_LT(times[kind], 1100) << to_string(kind);
  }
}

TEST(FaultPlan, keeps_to_the_rate) {
  FaultPlan plan(1, kAll, 4);
  milliseconds all{0};
  for (int i = 0; i < 10'000; ++i) all += plan.pause();
  EXPECT_GT(all, milliseconds(10'000 * 240));
  EXPECT_LT(all, milliseconds(10'000 * 255));
}

TEST(FaultPlan, spares_the_drivers_life) {
  FaultPlan plan(1, kAll, 2);
  const std::vector<Target> targets = driver_and(3);
  int of_driver = 0;
  for (int i = 0; i < 5000; ++i) {
    const Fault fault = *plan.next(targets, 0);
    if (fault.whom != 0u) continue;
    ++of_driver;
    EXPECT_TRUE(fault.kind == FaultKind::kStop || fault.kind == FaultKind::kCut);
  }
  EXPECT_GT(of_driver, 100);
}

TEST(FaultPlan, asks_only_members_to_leave_and_each_once) {
  FaultPlan plan(1, {FaultKind::kTerm}, 2);
  std::vector<Target> targets = driver_and(4);
  targets[1].met = false;
  targets[2].leaving = true;
  for (int i = 0; i < 100; ++i) EXPECT_GE(*plan.next(targets, 0)->whom, 3u);
  targets[3].met = targets[4].met = false;
  EXPECT_FALSE(plan.next(targets, 0));
}

TEST(FaultPlan, stops_and_cuts_nobody_twice) {
  FaultPlan plan(1, {FaultKind::kStop, FaultKind::kCut}, 2);
  std::vector<Target> targets = driver_and(2);
  targets[1].stopped = true;
  targets[2].cut = true;
  for (int i = 0; i < 100; ++i) {
    const Fault fault = *plan.next(targets, 0);
    EXPECT_FALSE(fault.whom == 1u && fault.kind == FaultKind::kStop);
    EXPECT_FALSE(fault.whom == 2u && fault.kind == FaultKind::kCut);
  }
}

TEST(FaultPlan, stops_some_for_longer_than_the_dead_limit) {
  FaultPlan plan(1, {FaultKind::kStop}, 2,
                 {.suspect = milliseconds(100), .dead = milliseconds(900)});
  const std::vector<Target> targets = driver_and(2);
  int longer = 0;
  std::vector<milliseconds> lengths;
  for (int i = 0; i < 1000; ++i) {
    lengths.push_back(plan.next(targets, 0)->length);
    longer += lengths.back() > milliseconds(900);
  }
  EXPECT_GT(longer, 200);
  EXPECT_LT(longer, 300);
  EXPECT_THAT(lengths, Each(Ge(milliseconds(50))));
  EXPECT_THAT(lengths, Each(Le(milliseconds(1800))));
}

TEST(FaultPlan, lets_the_workers_not_die_out) {
  FaultPlan plan(1, {FaultKind::kKill}, 2);
  const std::vector<Target> targets = driver_and(1);
  for (int i = 0; i < 100; ++i) {
    const Fault fault = *plan.next(targets, 3);
    EXPECT_EQ(fault.kind, FaultKind::kRestart);
    EXPECT_FALSE(fault.whom);
  }
}

TEST(FaultPlan, restarts_into_a_free_place_first) {
  FaultPlan plan(1, {FaultKind::kRestart}, 2);
  const std::vector<Target> targets = driver_and(4);
  EXPECT_FALSE(plan.next(targets, 1)->whom);
  EXPECT_TRUE(plan.next(targets, 0)->whom);
}

TEST(FaultPlan, names_what_it_does) {
  for (const FaultKind kind : kAllFaultKinds) EXPECT_EQ(fault_kind(to_string(kind)), kind);
  EXPECT_FALSE(fault_kind("tickle"));
}

}  // namespace
}  // namespace pp::test
