// Shares: fair, and nobody left with nothing.
#include "shares.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::tools::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<unsigned> shares(unsigned workers, std::vector<unsigned> wants) {
  return fair_shares(workers, wants);
}

TEST(Shares, one_lease_has_what_it_wants) {
  EXPECT_THAT(shares(8, {0}), ElementsAre(8));
  EXPECT_THAT(shares(8, {3}), ElementsAre(3));
  EXPECT_THAT(shares(8, {30}), ElementsAre(8));
  EXPECT_THAT(shares(8, {}), IsEmpty());
}

TEST(Shares, several_have_equal_ones_and_the_first_what_is_over) {
  EXPECT_THAT(shares(8, {0, 0}), ElementsAre(4, 4));
  EXPECT_THAT(shares(8, {0, 0, 0}), ElementsAre(3, 3, 2));
}

TEST(Shares, what_one_does_not_want_is_there_for_the_others) {
  EXPECT_THAT(shares(8, {0, 1, 0}), ElementsAre(4, 1, 3));
  EXPECT_THAT(shares(10, {2, 3, 0}), ElementsAre(2, 3, 5));
}

TEST(Shares, nobody_has_less_than_one) { EXPECT_THAT(shares(1, {0, 0, 0}), ElementsAre(1, 1, 1)); }

}  // namespace
}  // namespace pp::tools::daemon
