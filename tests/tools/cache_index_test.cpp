// CacheIndex: what goes when there is no room, and what does not.
#include "cache_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pp::tools::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

runtime::ContentHash hash(std::uint8_t number) {
  runtime::ContentHash hash;
  hash.bytes.fill(number);
  return hash;
}

class Index : public testing::Test {
 protected:
  Index() {
    index.found(hash(1), 40, 100);
    index.found(hash(2), 40, 200);
  }
  CacheIndex index{100};
};

TEST_F(Index, keeps_all_while_there_is_room) {
  EXPECT_THAT(index.make_room(hash(3), 20).goes, IsEmpty());
  EXPECT_EQ(index.bytes(), 100u);  // what comes counts
}

TEST_F(Index, lets_go_what_was_not_used_for_the_longest_time) {
  EXPECT_THAT(index.make_room(hash(3), 30).goes, ElementsAre(hash(1)));
  EXPECT_FALSE(index.has(hash(1)));
}

TEST_F(Index, what_was_used_again_stays) {
  index.used(hash(1), 300);
  EXPECT_THAT(index.make_room(hash(3), 30).goes, ElementsAre(hash(2)));
}

TEST_F(Index, what_is_held_stays_until_it_is_let_go_as_often) {
  index.hold(hash(1));
  index.hold(hash(1));
  index.let_go(hash(1));
  EXPECT_THAT(index.make_room(hash(3), 30).goes, ElementsAre(hash(2)));
  index.given_up(hash(3));
  EXPECT_THAT(index.make_room(hash(3), 90).why_not, HasSubstr("of which 40 are in use"));
  index.let_go(hash(1));
  EXPECT_THAT(index.make_room(hash(3), 90).goes, ElementsAre(hash(1)));
}

TEST_F(Index, what_is_larger_than_the_cache_drives_nothing_out) {
  const CacheIndex::Room room = index.make_room(hash(3), 101);
  EXPECT_THAT(room.why_not, HasSubstr("cache-size"));
  EXPECT_EQ(index.programs(), 2u);
}

TEST_F(Index, a_smaller_limit_drives_out) {
  index.set_limit(50);
  EXPECT_THAT(index.trim(), ElementsAre(hash(1)));
}

TEST(Hashes, are_written_and_read) {
  EXPECT_EQ(parse_hash(to_string(hash(0xab))), hash(0xab));
  EXPECT_FALSE(parse_hash("ab"));
  EXPECT_FALSE(parse_hash(std::string(63, 'a') + "g"));
}

}  // namespace
}  // namespace pp::tools::daemon
