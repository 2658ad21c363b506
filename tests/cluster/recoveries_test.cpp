// Recoveries: what the driver says, and what was done, become times.
#include "recoveries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::test {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class RecoveriesOf : public testing::Test {
 protected:
  static Recoveries::Time at(int ms) { return Recoveries::Time{} + milliseconds(ms); }
  Recoveries recoveries_;
};

TEST_F(RecoveriesOf, a_node_read_from_its_log) {
  const auto read = read_requeued(
      "pp worker-2 \x1b[33mwarning\x1b[m: the link with worker-3 is over: worker-3 was lost: its "
      "process has ended without a goodbye; 5 jobs lent to it begin again");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->node, "worker-3");
  EXPECT_EQ(read->jobs, 5u);
}

TEST_F(RecoveriesOf, a_driver_read_from_its_report) {
  const auto read = read_requeued("requeued 3f2a91c0 17");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->node, "3f2a91c0");
  EXPECT_EQ(read->jobs, 17u);
}

TEST_F(RecoveriesOf, a_node_that_says_something_else_are_none) {
  for (const char* line :
       {"", "round 3 fib is exact, 6 jobs, 200 ms", "requeued", "requeued 3f2a91c0 many",
        "pp driver info: the session with worker-3 is over: goodbye",
        "left 3f2a91c0 its process has ended without a goodbye"}) {
    EXPECT_FALSE(read_requeued(line)) << line;
    EXPECT_FALSE(read_tried(line)) << line;
  }
}

TEST_F(RecoveriesOf, suspects_are_read_from_the_log_of_their_owner) {
  EXPECT_EQ(read_tried("pp driver info: the job fib was running when its node was lost: tried at "
                       "worker-2 after 12 ms"),
            milliseconds(12));
}

TEST_F(RecoveriesOf, killed_nodes_are_timed) {
  recoveries_.suffered("a", FaultKind::kKill, at(100));
  recoveries_.suffered("b", FaultKind::kStop, at(200));
  recoveries_.requeued("driver", "a", 3, at(107));
  recoveries_.requeued("driver", "b", 2, at(3300));
  EXPECT_THAT(recoveries_.after(FaultKind::kKill), ElementsAre(milliseconds(7)));
  EXPECT_THAT(recoveries_.after(FaultKind::kStop), ElementsAre(milliseconds(3100)));
  EXPECT_EQ(recoveries_.jobs(), 5u);
}

TEST_F(RecoveriesOf, a_node_are_timed_once_by_each_owner) {
  recoveries_.suffered("a", FaultKind::kKill, at(100));
  recoveries_.requeued("driver", "a", 3, at(107));
  recoveries_.requeued("b", "a", 1, at(108));
  recoveries_.requeued("driver", "a", 3, at(109));
  EXPECT_THAT(recoveries_.after(FaultKind::kKill), ElementsAre(milliseconds(7), milliseconds(8)));
}

TEST_F(RecoveriesOf, a_node_that_is_well_or_unheard_of_are_no_times) {
  recoveries_.suffered("a", FaultKind::kStop, at(100));
  recoveries_.well("a");
  recoveries_.requeued("driver", "a", 3, at(200));
  recoveries_.requeued("driver", "z", 3, at(200));
  EXPECT_THAT(recoveries_.after(FaultKind::kStop), IsEmpty());
  EXPECT_EQ(recoveries_.jobs(), 6u);
}

TEST_F(RecoveriesOf, what_met_an_absent_owner_are_kept_apart) {
  recoveries_.suffered("a", FaultKind::kKill, at(100));
  recoveries_.away("driver", at(105));
  recoveries_.requeued("b", "a", 1, at(110));
  recoveries_.back("driver", at(900));
  recoveries_.requeued("driver", "a", 3, at(905));
  recoveries_.suffered("c", FaultKind::kKill, at(1000));
  recoveries_.requeued("driver", "c", 1, at(1004));
  EXPECT_THAT(recoveries_.after(FaultKind::kKill), ElementsAre(milliseconds(10), milliseconds(4)));
  EXPECT_THAT(recoveries_.with_owner_away(), ElementsAre(milliseconds(805)));
}

TEST(Percentile, is_a_value_that_so_many_do_not_exceed) {
  std::vector<milliseconds> values;
  for (int i = 100; i > 0; --i) values.emplace_back(i);
  EXPECT_EQ(percentile(values, 50), milliseconds(50));
  EXPECT_EQ(percentile(values, 99), milliseconds(99));
  EXPECT_EQ(percentile(values, 100), milliseconds(100));
  EXPECT_EQ(percentile({milliseconds(4)}, 50), milliseconds(4));
  EXPECT_EQ(percentile({}, 99), milliseconds(0));
}

}  // namespace
}  // namespace pp::test
