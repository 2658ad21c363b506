// Queue: who takes what from where, and what becomes of the references.
#include "queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "fake_jobs.hpp"
#include "sanitized.hpp"

namespace pp::runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Taker = Queue::Taker;

class Queues : public testing::Test {
 protected:
  Job* outside(Job* job) {
    queue.push(job);
    return job;
  }
  Job* borrowed(Job* job) {
    job->borrowed = true;
    queue.push(job);
    return job;
  }
  Job* with(Priority priority, Job* job) {
    job->priority = priority;
    return job;
  }
  Job* at(Where::Kind place, Job* job) {
    job->place = place;
    return job;
  }
  Job* spawned(std::size_t worker, Job* job) {
    queue.deque(worker).push(job);
    return job;
  }
  // Takes and gives the reference up; the world keeps the job alive.
  Job* take(std::size_t worker, Taker taker) {
    Job* job = queue.take(worker, taker);
    if (job != nullptr) {
      EXPECT_EQ(FakeJobs::phase(*job), Job::kRunning);
      job->release();
    }
    return job;
  }
  std::vector<Job*> free_of(std::vector<Job*> taken) {
    for (Job* job : taken) job->release();
    return taken;
  }

  FakeJobs world;
  Queue queue{3};
};

TEST_F(Queues, a_free_worker_takes_its_own_newest_then_borrowed_then_outside_then_others_oldest) {
  Job* const sibling_old = spawned(1, world.travelling());
  Job* const sibling_new = spawned(1, world.travelling());
  Job* const out_old = outside(world.travelling());
  Job* const out_new = outside(world.travelling());
  Job* const lent_to_us = borrowed(world.travelling());
  Job* const own_old = spawned(0, world.travelling());
  Job* const own_new = spawned(0, world.travelling());
  for (Job* expected : {own_new, own_old, lent_to_us, out_old, out_new, sibling_old, sibling_new}) {
    EXPECT_EQ(take(0, Taker::kFree), expected);
  }
  EXPECT_EQ(take(0, Taker::kFree), nullptr);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(world.released(), 7u);
}

TEST_F(Queues, a_helping_worker_prefers_what_others_spawned_to_something_new) {
  Job* const out = outside(world.travelling());
  Job* const lent_to_us = borrowed(world.travelling());
  Job* const sibling = spawned(2, world.travelling());
  Job* const own = spawned(0, world.travelling());
  for (Job* expected : {own, sibling, lent_to_us, out}) {
    EXPECT_EQ(take(0, Taker::kHelping), expected);
  }
  EXPECT_EQ(take(0, Taker::kHelping), nullptr);
}

TEST_F(Queues, while_the_node_ends_nothing_is_begun_but_what_running_jobs_spawned) {
  outside(world.travelling());
  borrowed(world.travelling());
  Job* const sibling = spawned(1, world.travelling());
  Job* const own = spawned(0, world.travelling());
  EXPECT_EQ(take(0, Taker::kEnding), own);
  EXPECT_EQ(take(0, Taker::kEnding), sibling);
  EXPECT_EQ(take(0, Taker::kEnding), nullptr);
  EXPECT_EQ(queue.own(), 1u);
  EXPECT_EQ(queue.borrowed(), 1u);
}

TEST_F(Queues, what_comes_back_is_the_oldest_again) {
  Job* const second = outside(world.travelling());
  Job* const first = world.travelling();
  queue.push_oldest(first);
  EXPECT_EQ(take(0, Taker::kFree), first);
  EXPECT_EQ(take(0, Taker::kFree), second);
}

TEST_F(Queues, entries_of_jobs_that_somebody_claimed_are_dropped) {
  for (Job* dead : {outside(world.travelling()), borrowed(world.travelling()),
                    spawned(0, world.travelling()), spawned(1, world.travelling())}) {
    ASSERT_TRUE(dead->claim(Job::kRunning));
  }
  Job* const alive = spawned(1, world.travelling());
  EXPECT_FALSE(queue.empty()) << "entries are counted until somebody looks";
  EXPECT_EQ(take(0, Taker::kFree), alive);
  EXPECT_EQ(take(0, Taker::kFree), nullptr);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(world.released(), 5u) << "each dropped entry gave its reference up";
}

TEST_F(Queues, lends_the_outside_list_first_then_the_oldest_of_each_deque_in_turn) {
  Job* const a_old = spawned(0, world.travelling());
  Job* const a_new = spawned(0, world.travelling());
  Job* const c_old = spawned(2, world.travelling());
  Job* const out_old = outside(world.travelling());
  Job* const out_new = outside(world.travelling());
  EXPECT_THAT(free_of(queue.lend(3)), ElementsAre(out_old, out_new, a_old));
  EXPECT_THAT(free_of(queue.lend(9)), ElementsAre(a_new, c_old));
  EXPECT_EQ(FakeJobs::phase(*a_old), Job::kLent);
  EXPECT_TRUE(queue.empty());
  EXPECT_THAT(queue.lend(9), IsEmpty());
}

TEST_F(Queues, lends_the_deques_in_turn_so_that_no_worker_alone_is_robbed) {
  Job* const a_old = spawned(0, world.travelling());
  spawned(0, world.travelling());
  Job* const b_old = spawned(1, world.travelling());
  spawned(1, world.travelling());
  EXPECT_THAT(free_of(queue.lend(2)), UnorderedElementsAre(a_old, b_old));
}

TEST_F(Queues, lends_no_more_than_asked_for) {
  for (int i = 0; i < 5; ++i) outside(world.travelling());
  EXPECT_THAT(queue.lend(0), IsEmpty());
  EXPECT_EQ(free_of(queue.lend(2)).size(), 2u);
  EXPECT_EQ(queue.own(), 3u);
}

TEST_F(Queues, jobs_that_cannot_travel_stay_unclaimed) {
  Job* const out = outside(world.staying());
  Job* const child = spawned(1, world.staying());
  Job* const traveller = spawned(1, world.travelling());
  EXPECT_THAT(free_of(queue.lend(9)), ElementsAre(traveller));
  EXPECT_TRUE(out->queued());
  EXPECT_TRUE(child->queued());
  EXPECT_EQ(queue.own(), 0u) << "what cannot travel is not for thieves";
  EXPECT_EQ(queue.pinned(), 2u);
  const std::vector<Job*> left{take(0, Taker::kFree), take(0, Taker::kFree)};
  EXPECT_THAT(left, UnorderedElementsAre(out, child));
}

TEST_F(Queues, borrowed_jobs_are_not_ours_to_lend) {
  borrowed(world.travelling());
  EXPECT_THAT(queue.lend(9), IsEmpty());
  EXPECT_EQ(queue.borrowed(), 1u);
  EXPECT_EQ(queue.own(), 0u);
}

TEST_F(Queues, gives_borrowed_jobs_back_the_newest_first) {
  Job* const old = borrowed(world.travelling());
  Job* const middle = borrowed(world.travelling());
  Job* const newest = borrowed(world.travelling());
  outside(world.travelling());
  EXPECT_THAT(free_of(queue.unborrow(2)), ElementsAre(newest, middle));
  EXPECT_EQ(queue.borrowed(), 1u);
  EXPECT_EQ(take(0, Taker::kFree), old);
  EXPECT_THAT(queue.unborrow(9), IsEmpty());
  EXPECT_EQ(queue.own(), 1u);
}

TEST_F(Queues, drops_the_borrowed_jobs_whose_link_is_over_and_keeps_the_others_in_order) {
  Job* const first = borrowed(world.travelling());
  Job* const gone = borrowed(world.travelling());
  Job* const last = borrowed(world.travelling());
  EXPECT_THAT(free_of(queue.drop_borrowed([&](const Job& job) { return &job == gone; })),
              ElementsAre(gone));
  EXPECT_FALSE(gone->claim(Job::kRunning)) << "dropped jobs are claimed: nobody begins them";
  EXPECT_EQ(queue.borrowed(), 2u);
  EXPECT_EQ(take(0, Taker::kFree), first);
  EXPECT_EQ(take(0, Taker::kFree), last);
}

TEST_F(Queues, draining_claims_all_that_nobody_has_begun) {
  Job* const out = outside(world.travelling());
  Job* const lent_to_us = borrowed(world.travelling());
  Job* const child = spawned(2, world.staying());
  Job* const begun = spawned(1, world.travelling());
  ASSERT_TRUE(begun->claim(Job::kRunning));
  EXPECT_THAT(free_of(queue.drain()), UnorderedElementsAre(out, lent_to_us, child));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(world.released(), 4u);
}

TEST_F(Queues, releases_what_is_left_when_it_goes) {
  {
    Queue brief(2);
    brief.push(world.travelling());
    brief.push(world.borrowed());
    brief.deque(1).push(world.travelling());
    EXPECT_EQ(world.released(), 0u);
  }
  EXPECT_EQ(world.released(), 3u);
}

TEST_F(Queues, high_priority_comes_before_a_free_workers_own_and_low_priority_after_everybodys) {
  Job* const low_out = outside(with(Priority::kLow, world.travelling()));
  Job* const low_borrowed = borrowed(with(Priority::kLow, world.travelling()));
  Job* const sibling = spawned(1, world.travelling());
  Job* const normal = outside(world.travelling());
  Job* const own = spawned(0, world.travelling());
  Job* const high_out = outside(with(Priority::kHigh, world.travelling()));
  Job* const high_borrowed = borrowed(with(Priority::kHigh, world.travelling()));
  for (Job* expected : {high_borrowed, high_out, own, normal, sibling, low_borrowed, low_out}) {
    EXPECT_EQ(take(0, Taker::kFree), expected);
  }
  EXPECT_TRUE(queue.empty());
}

TEST_F(Queues, a_helping_worker_prefers_its_own_children_to_high_priority) {
  Job* const high = outside(with(Priority::kHigh, world.travelling()));
  Job* const normal = outside(world.travelling());
  Job* const sibling = spawned(1, world.travelling());
  Job* const own = spawned(0, world.travelling());
  for (Job* expected : {own, sibling, high, normal}) EXPECT_EQ(take(0, Taker::kHelping), expected);
}

TEST_F(Queues, no_priority_starves_however_many_jobs_of_a_higher_one_come) {
  Job* const low = outside(with(Priority::kLow, world.travelling()));
  Job* const normal = outside(world.travelling());
  const auto takes_until = [&](Job* awaited) {
    for (std::uint32_t takes = 1; takes <= 2 * Queue::kAgeing; ++takes) {
      outside(with(Priority::kHigh, world.travelling()));
      if (take(0, Taker::kFree) == awaited) return takes;
    }
    return 2 * Queue::kAgeing + 1;
  };
  EXPECT_LE(takes_until(low), Queue::kAgeing);
  EXPECT_LE(takes_until(normal), Queue::kAgeing);
}

TEST_F(Queues, children_of_children_without_end_starve_nobody) {
  Job* const normal = outside(world.travelling());
  std::uint32_t takes = 0;
  do {
    spawned(0, world.travelling());
    ++takes;
    ASSERT_LE(takes, Queue::kAgeing);
  } while (take(0, Taker::kFree) != normal);
}

TEST_F(Queues, lends_the_highest_priority_first_and_of_each_the_oldest) {
  Job* const low = outside(with(Priority::kLow, world.travelling()));
  Job* const normal_old = outside(world.travelling());
  Job* const normal_new = outside(world.travelling());
  Job* const child = spawned(1, world.travelling());
  Job* const high_old = outside(with(Priority::kHigh, world.travelling()));
  Job* const high_new = outside(with(Priority::kHigh, world.travelling()));
  EXPECT_THAT(free_of(queue.lend(9)),
              ElementsAre(high_old, high_new, normal_old, normal_new, child, low));
}

TEST_F(Queues, gives_back_the_lowest_priority_first) {
  Job* const high = borrowed(with(Priority::kHigh, world.travelling()));
  Job* const low = borrowed(with(Priority::kLow, world.travelling()));
  Job* const normal = borrowed(world.travelling());
  EXPECT_THAT(free_of(queue.unborrow(9)), ElementsAre(low, normal, high));
}

TEST_F(Queues, a_job_that_stays_here_is_never_lent) {
  Job* const here = outside(at(Where::Kind::kHere, world.travelling()));
  EXPECT_THAT(queue.lend(9), IsEmpty());
  EXPECT_EQ(queue.own(), 0u);
  EXPECT_FALSE(queue.empty()) << "our workers have something to do";
  EXPECT_EQ(take(0, Taker::kFree), here);
}

TEST_F(Queues, a_job_that_may_not_run_here_is_for_the_first_who_asks) {
  outside(world.travelling());
  Job* const elsewhere = outside(at(Where::Kind::kNotHere, world.travelling()));
  EXPECT_EQ(queue.elsewhere(), 1u);
  EXPECT_EQ(queue.own(), 1u);
  EXPECT_THAT(free_of(queue.lend(1)), ElementsAre(elsewhere));
  Job* const lonely = outside(at(Where::Kind::kNotHere, world.travelling()));
  take(0, Taker::kFree);
  EXPECT_TRUE(queue.empty()) << "nothing that a worker here could begin";
  for (const Taker taker : {Taker::kFree, Taker::kHelping, Taker::kEnding})
    EXPECT_EQ(take(0, taker), nullptr);
  EXPECT_THAT(free_of(queue.drain()), ElementsAre(lonely));
}

TEST_F(Queues, a_job_for_one_node_is_neither_run_nor_lent_to_whoever_asks) {
  Job* const there = outside(at(Where::Kind::kNode, world.travelling()));
  EXPECT_EQ(take(0, Taker::kFree), nullptr);
  EXPECT_THAT(queue.lend(9), IsEmpty());
  EXPECT_EQ(queue.placed(), 1u);
  EXPECT_THAT(free_of(queue.take_placed([](Job& job) { return job.claim(Job::kLent); })),
              ElementsAre(there));
  EXPECT_EQ(queue.placed(), 0u);
}

TEST_F(Queues, what_was_placed_here_is_not_given_back_but_dropped_with_its_link) {
  Job* const placed = borrowed(at(Where::Kind::kHere, world.travelling()));
  Job* const ours = outside(world.staying());
  EXPECT_THAT(queue.unborrow(9), IsEmpty());
  EXPECT_EQ(queue.borrowed(), 0u);
  EXPECT_THAT(free_of(queue.drop_borrowed([](const Job&) { return true; })), ElementsAre(placed));
  EXPECT_EQ(take(0, Taker::kFree), ours);
}

TEST_F(Queues, what_a_coroutine_resumes_is_claimed_already_and_comes_after_ones_own) {
  Job* const own = spawned(0, world.travelling());
  Job* const goes_on = world.travelling();
  ASSERT_TRUE(goes_on->claim(Job::kRunning));
  queue.push_resumed(goes_on);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(take(0, Taker::kEnding), own);
  EXPECT_EQ(take(0, Taker::kEnding), goes_on);
  EXPECT_TRUE(queue.empty());
}

TEST_F(Queues, the_limit_counts_what_was_submitted_and_not_what_was_spawned) {
  Queue small(1, 3);
  for (int i = 0; i < 5; ++i) small.deque(0).push(world.travelling());
  small.push(world.travelling());
  small.push(at(Where::Kind::kNotHere, world.travelling()));
  EXPECT_FALSE(small.full());
  small.push(world.staying());
  EXPECT_TRUE(small.full());
}

// Would catch: a wake-up lost between a submitter's look and its sleep.
TEST_F(Queues, who_waits_at_the_turnstile_is_let_in_when_enough_has_gone) {
  const std::size_t kRounds = times(20'000, 4'000);
  Queue small(1, 2);
  std::jthread taker([&] {
    for (std::size_t taken = 0; taken < kRounds;) {
      Job* job = small.take(0, Taker::kFree);
      if (job == nullptr) continue;
      job->release();
      ++taken;
    }
  });
  std::vector<Job*> jobs;
  for (std::size_t i = 0; i < kRounds; ++i) jobs.push_back(world.travelling());
  for (Job* job : jobs) {
    if (small.full()) {
      ASSERT_TRUE(small.turnstile().wait([&] { return small.listed(); }, [] { return false; }));
    }
    ASSERT_LE(small.listed(), 2u);
    small.push(job);
  }
}

TEST_F(Queues, nobody_waits_at_the_turnstile_for_nothing_or_when_it_is_closed) {
  Queue small(1, 1);
  small.push(world.travelling());
  const auto entries = [&] { return small.listed(); };
  EXPECT_TRUE(small.turnstile().wait(entries, [] { return true; }));
  std::jthread waiting(
      [&] { EXPECT_FALSE(small.turnstile().wait(entries, [] { return false; })); });
  while (!small.turnstile().anybody()) std::this_thread::yield();
  small.turnstile().close();
  EXPECT_FALSE(small.turnstile().anybody());
  EXPECT_FALSE(small.turnstile().wait(entries, [] { return false; }));
}

// Would catch: a job begun by two, a job that lending or giving back loses, a size that stays above
// or below what lies there.
TEST_F(Queues, each_job_ends_with_one_taker_while_workers_lenders_and_submitters_race) {
  const std::size_t kJobs = times(60'000, 15'000);
  std::vector<Job*> out, lent_to_us, children;
  for (std::size_t i = 0; i < kJobs; ++i) {
    out.push_back(i % 7 == 0 ? world.staying() : world.travelling());
    lent_to_us.push_back(world.borrowed());
    children.push_back(i % 5 == 0 ? world.staying() : world.travelling());
  }
  std::atomic<std::size_t> begun{0}, lent{0}, returned{0};
  std::atomic<bool> pushed{false};
  {
    std::vector<std::jthread> crowd;
    crowd.emplace_back([&] {
      for (std::size_t i = 0; i < kJobs; ++i) {
        queue.push(out[i]);
        queue.push(lent_to_us[i]);
      }
      pushed.store(true);
    });
    crowd.emplace_back([&] {  // the courier
      while (!pushed.load()) {
        lent += free_of(queue.lend(16)).size();
        returned += free_of(queue.unborrow(4)).size();
      }
    });
    for (const std::size_t worker : {0u, 1u}) {
      crowd.emplace_back([&, worker] {
        std::size_t child = worker;
        for (;;) {
          if (child < kJobs) queue.deque(worker).push(children[child]);
          child += 2;
          const bool last_look = pushed.load() && child >= kJobs;
          Job* job = queue.take(worker, child % 3 == 0 ? Taker::kHelping : Taker::kFree);
          if (job != nullptr) {
            ++begun;
            job->release();
          } else if (last_look) {
            return;
          }
        }
      });
    }
  }
  for (Job* job : queue.drain()) {
    ++begun;
    job->release();
  }
  EXPECT_EQ(begun + lent + returned, 3 * kJobs);
  EXPECT_EQ(world.released(), 3 * kJobs);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace pp::runtime
