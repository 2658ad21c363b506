// Numbered: what is found under a number, in which order, and whether one old record holds memory.
#include "numbered.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>
#include <vector>

namespace pp::runtime {
namespace {

using Records = std::vector<std::pair<std::uint64_t, int>>;

Records all(const Numbered<int>& numbered) {
  Records records;
  numbered.for_each(
      [&](std::uint64_t number, int record) { records.emplace_back(number, record); });
  return records;
}

TEST(Numbered, numbers_rise_from_one_and_are_never_given_twice) {
  Numbered<int> numbered;
  EXPECT_EQ(numbered.add(10), 1u);
  EXPECT_EQ(numbered.add(20), 2u);
  numbered.remove(2);
  numbered.remove(1);
  EXPECT_EQ(numbered.next(), 3u);
  EXPECT_EQ(numbered.add(30), 3u);
  EXPECT_EQ(all(numbered), (Records{{3, 30}}));
}

TEST(Numbered, what_was_removed_or_never_added_is_not_found) {
  Numbered<int> numbered;
  EXPECT_EQ(numbered.find(0), nullptr);
  EXPECT_EQ(numbered.find(1), nullptr);
  for (int i = 1; i <= 1000; ++i) numbered.add(i);
  numbered.remove(7);
  EXPECT_EQ(numbered.find(7), nullptr);
  EXPECT_EQ(*numbered.find(8), 8);
  EXPECT_EQ(numbered.find(1001), nullptr);
  EXPECT_EQ(numbered.find(UINT64_MAX), nullptr);
}

TEST(Numbered, after_clear_nothing_is_there_and_the_numbers_go_on) {
  Numbered<int> numbered;
  for (int i = 1; i <= 100; ++i) numbered.add(i);
  numbered.remove(50);
  numbered.clear();
  EXPECT_EQ(numbered.size(), 0u);
  EXPECT_EQ(all(numbered), Records{});
  EXPECT_EQ(numbered.find(99), nullptr);
  EXPECT_EQ(numbered.add(1), 101u);
}

// A loan that lasts for hours must not keep room for all that came after it.
TEST(Numbered, a_record_that_stays_does_not_hold_the_memory_of_a_million_later_ones) {
  Numbered<int> numbered;
  const std::uint64_t old = numbered.add(-1);
  for (int i = 0; i < 1'000'000; ++i) numbered.remove(numbered.add(i));
  EXPECT_EQ(*numbered.find(old), -1);
  EXPECT_EQ(numbered.size(), 1u);
  EXPECT_LE(numbered.places(), 64u);
  numbered.remove(old);
  EXPECT_EQ(numbered.find(old), nullptr);
}

TEST(Numbered, it_says_what_a_map_says) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937 dice(seed);
    Numbered<int> numbered;
    std::map<std::uint64_t, int> map;
    for (int step = 0; step < 5000; ++step) {
      const std::uint64_t kind = dice() % 100;
      if (kind < 50 || map.empty()) {
        const int record = static_cast<int>(dice() % 1000);
        map.emplace(numbered.add(record), record);
      } else if (kind < 90) {  // mostly the oldest few, as they come home
        auto entry = map.begin();
        std::advance(entry, dice() % std::min<std::size_t>(map.size(), 8));
        numbered.remove(entry->first);
        map.erase(entry);
      } else {
        const std::uint64_t number = 1 + dice() % numbered.next();
        const auto entry = map.find(number);
        int* found = numbered.find(number);
        ASSERT_EQ(found != nullptr, entry != map.end()) << "seed " << seed << " step " << step;
        if (found != nullptr) {
          ASSERT_EQ(*found, entry->second);
        }
      }
      ASSERT_EQ(numbered.size(), map.size());
    }
    EXPECT_EQ(all(numbered), Records(map.begin(), map.end())) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pp::runtime
