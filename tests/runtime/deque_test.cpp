// Deque: the owner's end is a stack, the thieves' end a queue, and nobody gets an entry twice.
#include "deque.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "sanitized.hpp"

namespace pp::runtime {
namespace {

// The deque passes pointers on and never follows them.
Job* entry(std::size_t number) { return reinterpret_cast<Job*>((number + 1) * 8); }
std::size_t number(const Job* job) { return reinterpret_cast<std::uintptr_t>(job) / 8 - 1; }

Job* stolen(Deque& deque) {
  Job* job = nullptr;
  return deque.steal(job) == Deque::Stolen::kTaken ? job : nullptr;
}

TEST(Deque, the_owner_pops_the_newest) {
  Deque deque;
  for (std::size_t i = 0; i < 3; ++i) deque.push(entry(i));
  EXPECT_EQ(deque.pop(), entry(2));
  deque.push(entry(3));
  EXPECT_EQ(deque.pop(), entry(3));
  EXPECT_EQ(deque.pop(), entry(1));
  EXPECT_EQ(deque.pop(), entry(0));
  EXPECT_EQ(deque.pop(), nullptr);
}

TEST(Deque, thieves_take_the_oldest) {
  Deque deque;
  for (std::size_t i = 0; i < 3; ++i) deque.push(entry(i));
  EXPECT_EQ(stolen(deque), entry(0));
  EXPECT_EQ(deque.pop(), entry(2));
  EXPECT_EQ(stolen(deque), entry(1));
  Job* none = entry(7);
  EXPECT_EQ(deque.steal(none), Deque::Stolen::kEmpty);
  EXPECT_EQ(none, entry(7)) << "a steal that finds nothing leaves its argument alone";
}

TEST(Deque, an_empty_one_stays_usable) {
  Deque deque;
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(deque.pop(), nullptr);
    EXPECT_EQ(stolen(deque), nullptr);
    EXPECT_EQ(deque.size(), 0);
    deque.push(entry(i));
    EXPECT_EQ(deque.size(), 1);
    EXPECT_EQ(i % 2 == 0 ? deque.pop() : stolen(deque), entry(i));
  }
}

TEST(Deque, bottom_counts_what_its_owner_has_left_below) {
  Deque deque;
  const std::int64_t base = deque.bottom();
  deque.push(entry(0));
  deque.push(entry(1));
  deque.push(entry(2));
  EXPECT_EQ(deque.bottom(), base + 3);
  EXPECT_EQ(stolen(deque), entry(0));
  EXPECT_EQ(deque.bottom(), base + 3) << "thieves do not move the owner's end";
  deque.pop();
  EXPECT_EQ(deque.bottom(), base + 2);
}

TEST(Deque, growth_keeps_order_at_both_ends) {
  constexpr std::size_t kMany = 10'000;
  Deque deque;
  // Shifted first, so that the entries wrap around the end of the ring when it grows.
  for (std::size_t i = 0; i < 200; ++i) {
    deque.push(entry(i));
    ASSERT_EQ(stolen(deque), entry(i));
  }
  for (std::size_t i = 0; i < kMany; ++i) deque.push(entry(i));
  EXPECT_EQ(deque.size(), static_cast<std::int64_t>(kMany));
  for (std::size_t i = 0; i < kMany / 2; ++i) {
    ASSERT_EQ(stolen(deque), entry(i));
    ASSERT_EQ(deque.pop(), entry(kMany - 1 - i));
  }
  EXPECT_EQ(deque.pop(), nullptr);
}

// Would catch: the last entry given to the owner and to a thief, a slot read after it was written
// anew, an entry lost in the growth of the ring.
TEST(Deque, each_entry_is_taken_exactly_once_whoever_takes_it) {
  const std::size_t kEntries = times(1'000'000, 200'000);
  constexpr int kThieves = 3;
  Deque deque;
  std::vector<std::atomic<int>> taken(kEntries);
  std::atomic<bool> over{false};
  std::atomic<std::size_t> disorder{0};
  std::vector<std::jthread> thieves;
  for (int i = 0; i < kThieves; ++i) {
    thieves.emplace_back([&deque, &taken, &over, &disorder] {
      std::size_t least = 0;  // what one thief takes comes oldest first
      for (;;) {
        const bool last_look = over.load();
        Job* job = nullptr;
        switch (deque.steal(job)) {
          case Deque::Stolen::kTaken:
            if (number(job) < least) ++disorder;
            least = number(job);
            ++taken[number(job)];
            break;
          case Deque::Stolen::kLost:
            break;
          case Deque::Stolen::kEmpty:
            if (last_look) return;
            std::this_thread::yield();
        }
      }
    });
  }
  // Bursts of all sizes: nearly empty most of the time, past the first ring now and then.
  std::size_t next = 0;
  std::size_t burst = 1;
  while (next < kEntries) {
    for (std::size_t i = 0; i < burst && next < kEntries; ++i) deque.push(entry(next++));
    for (std::size_t i = 0; i < burst; ++i) {
      Job* job = deque.pop();
      if (job == nullptr) break;
      ++taken[number(job)];
    }
    burst = burst % 701 + 1;
  }
  while (Job* job = deque.pop()) ++taken[number(job)];
  over.store(true);
  thieves.clear();  // joins
  std::size_t wrong = 0;
  for (const std::atomic<int>& count : taken) wrong += count.load() == 1 ? 0u : 1u;
  EXPECT_EQ(wrong, 0u) << "entries lost or taken twice";
  EXPECT_EQ(disorder.load(), 0u);
  EXPECT_EQ(deque.size(), 0);
}

}  // namespace
}  // namespace pp::runtime
