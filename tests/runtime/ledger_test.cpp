// Ledger: a loan ends once, a loss blames nobody but whoever can have caused it, and a job that is
// lost too often says how each time.
#include "ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <pp/task.hpp>

#include "fake_jobs.hpp"
#include "particulars.hpp"

namespace pp::runtime {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using Then = Ledger::Verdict::Then;
using Verdicts = std::vector<Ledger::Verdict>;

NodeId node(std::uint8_t number) {
  NodeId id;
  id.bytes.fill(number);
  return id;
}
const NodeId kAnna = node(1);
const NodeId kBert = node(2);
const NodeId kCarl = node(3);

const Ledger::End kCutOff{.how = "it was cut off"};
const Ledger::End kDied{.how = "it died", .died = true};
const Ledger::End kGone{.how = "it is gone", .died = true, .gone = true};
// `running`: true on top of a worker's stack, false below that.
Ledger::End died_running(std::unordered_map<std::uint64_t, bool> running) {
  return {.how = "it died", .died = true, .gone = true, .running = std::move(running)};
}

class Ledgers : public testing::Test {
 protected:
  // One that is lent, with a reference for the ledger.
  Job* lendable() {
    Job* job = world.travelling();
    EXPECT_TRUE(job->claim(Job::kLent));
    return job;
  }
  std::vector<Job*> lendables(std::size_t count) {
    std::vector<Job*> jobs;
    while (jobs.size() < count) jobs.push_back(lendable());
    return jobs;
  }
  std::vector<std::uint64_t> lend(const std::vector<Job*>& jobs, const NodeId& borrower) {
    std::vector<std::uint64_t> numbers;
    for (Job* job : jobs) numbers.push_back(ledger.lend(*job, borrower));
    return numbers;
  }
  // References beside the one that the test's world keeps.
  static std::uint32_t references(const Job* job) { return job->references.load() - 1; }
  static unsigned blamed(const Job* job) {
    const Particulars* particulars = find_particulars(*job);
    return particulars == nullptr ? 0 : particulars->blamed;
  }
  static void check(const Ledger::Verdict& verdict, const Job* job, Then then, bool lost,
                    std::uint32_t attempt) {
    ASSERT_EQ(verdict.job, job);
    EXPECT_EQ(verdict.then, then);
    EXPECT_EQ(verdict.lost, lost);
    EXPECT_EQ(verdict.message.empty(), !lost);
    EXPECT_EQ(job->attempt, attempt);
  }
  // A loan of the job to `borrower`, who dies of it as far as anybody can tell.
  Ledger::Verdict killed_by(Job* job, const NodeId& borrower) {
    ledger.lend(*job, borrower, true);
    Verdicts verdicts = ledger.link_over(borrower, kGone);
    EXPECT_THAT(verdicts, SizeIs(1));
    return verdicts.at(0);
  }

  bool tries(const NodeId& borrower) const {
    return ledger.on_trial_until(borrower) != Ledger::Time{};
  }

  FakeJobs world;
  Ledger ledger{3};
};

// ---- one end, to one who is asked

TEST_F(Ledgers, a_loan_is_settled_once) {
  Job* const job = lendable();
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.open(), 1u);
  EXPECT_EQ(ledger.settle(number, kAnna), job);
  EXPECT_EQ(ledger.settle(number, kAnna), nullptr);
  EXPECT_EQ(ledger.give_back(number, kAnna, true, "late").job, nullptr);
  EXPECT_THAT(ledger.link_over(kAnna, kDied), IsEmpty());
  EXPECT_EQ(ledger.take_late(number, kAnna), nullptr);
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_EQ(FakeJobs::phase(*job), Job::kLent)
      << "what becomes of the job is the caller's business";
  EXPECT_EQ(references(job), 1u) << "the caller's";
  job->release();
}

TEST_F(Ledgers, a_loan_is_given_back_once) {
  Job* const job = lendable();
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.give_back(number, kAnna, true, "anna left").job, job);
  EXPECT_EQ(ledger.give_back(number, kAnna, true, "anna left").job, nullptr);
  EXPECT_EQ(ledger.settle(number, kAnna), nullptr);
  EXPECT_EQ(job->attempt, 2u);
  EXPECT_EQ(references(job), 1u);
  job->release();
}

TEST_F(Ledgers, a_strangers_word_about_a_loan_counts_nothing) {
  Job* const job = lendable();
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.settle(number, kBert), nullptr);
  EXPECT_EQ(ledger.give_back(number, kBert, true, "bert says so").job, nullptr);
  EXPECT_THAT(ledger.link_over(kBert, kDied), IsEmpty());
  EXPECT_EQ(ledger.take_late(number, kBert), nullptr);
  ledger.named(kBert, {number}, 1);
  EXPECT_EQ(job->attempt, 1u);
  EXPECT_EQ(find_particulars(*job), nullptr);
  EXPECT_EQ(ledger.open(kAnna), 1u);
  EXPECT_EQ(ledger.settle(number, kAnna), job);
  job->release();
}

TEST_F(Ledgers, numbers_are_never_used_twice) {
  Job* const job = lendable();
  const std::uint64_t first = ledger.lend(*job, kAnna);
  ASSERT_EQ(ledger.settle(first, kAnna), job);
  const std::uint64_t second = ledger.lend(*job, kAnna);
  EXPECT_NE(first, second);
  EXPECT_EQ(ledger.settle(first, kAnna), nullptr) << "a late word about the first loan";
  EXPECT_EQ(ledger.settle(second, kAnna), job);
  EXPECT_EQ(ledger.settle(0, kAnna), nullptr);
  job->release();
}

TEST_F(Ledgers, what_comes_back_not_begun_keeps_its_attempt) {
  Job* const job = lendable();
  for (int i = 0; i < 10; ++i) {  // far more often than it may be lost
    const std::uint64_t number = ledger.lend(*job, kAnna);
    check(ledger.give_back(number, kAnna, false, "wanted"), job, Then::kAgain, false, 1);
  }
  EXPECT_EQ(find_particulars(*job), nullptr);
  EXPECT_EQ(ledger.open(), 0u);
  job->release();
}

TEST_F(Ledgers, what_comes_back_begun_was_an_attempt_and_blames_nobody) {
  Job* const job = lendable();
  for (std::uint32_t attempt = 2; attempt <= 10; ++attempt) {
    const std::uint64_t number = ledger.lend(*job, kAnna);
    check(ledger.give_back(number, kAnna, true, "anna left"), job, Then::kAgain, true, attempt);
    const std::uint64_t next = ledger.lend(*job, kAnna);
    check(ledger.give_back(next, kAnna, false, "wanted"), job, Then::kAgain, false, attempt);
  }
  EXPECT_EQ(blamed(job), 0u);
  EXPECT_EQ(ledger.late(), 0u) << "who returns a job sends no result of it";
  job->release();
}

// ---- a link that is over

TEST_F(Ledgers, when_a_link_is_over_its_loans_come_back_in_the_order_they_were_made) {
  std::vector<Job*> annas;
  std::vector<std::uint64_t> berts;
  for (int i = 0; i < 20; ++i) {
    annas.push_back(lendable());
    ledger.lend(*annas.back(), kAnna);
    berts.push_back(ledger.lend(*lendable(), kBert));
  }
  EXPECT_EQ(ledger.open(kAnna), 20u);
  const Verdicts verdicts = ledger.link_over(kAnna, kCutOff);
  ASSERT_THAT(verdicts, SizeIs(20));
  for (std::size_t i = 0; i < 20; ++i) {
    check(verdicts[i], annas[i], Then::kAgain, true, 2);
    annas[i]->release();
  }
  EXPECT_EQ(ledger.open(kAnna), 0u);
  EXPECT_EQ(ledger.open(kBert), 20u);
  EXPECT_EQ(ledger.open(), 20u);
  EXPECT_THAT(ledger.link_over(kAnna, kCutOff), IsEmpty());
  for (const std::uint64_t number : berts) {
    Job* const job = ledger.settle(number, kBert);
    ASSERT_NE(job, nullptr);
    EXPECT_EQ(job->attempt, 1u);
    job->release();
  }
}

TEST_F(Ledgers, a_borrower_that_is_merely_cut_off_blames_nobody) {
  Job* const job = lendable();
  for (std::uint32_t attempt = 2; attempt <= 10; ++attempt) {
    ledger.lend(*job, kAnna);
    check(ledger.link_over(kAnna, kCutOff).at(0), job, Then::kAgain, true, attempt);
  }
  EXPECT_EQ(blamed(job), 0u);
  job->release();
}

TEST_F(Ledgers, a_death_with_one_suspect_is_that_jobs) {
  Job* const job = lendable();
  ledger.lend(*job, kAnna);
  const Verdicts verdicts = ledger.link_over(kAnna, kDied);
  ASSERT_THAT(verdicts, SizeIs(1));
  check(verdicts[0], job, Then::kElsewhere, true, 2);
  EXPECT_EQ(verdicts[0].message, "attempt 1: it died");
  EXPECT_EQ(blamed(job), 1u);
  verdicts[0].job->release();
}

TEST_F(Ledgers, a_death_with_several_suspects_blames_nobody_and_each_runs_elsewhere) {
  const std::vector<Job*> jobs = lendables(3);
  lend(jobs, kAnna);
  const Verdicts verdicts = ledger.link_over(kAnna, kGone);
  ASSERT_THAT(verdicts, SizeIs(3));
  for (std::size_t i = 0; i < 3; ++i) {
    check(verdicts[i], jobs[i], Then::kElsewhere, true, 2);
    EXPECT_EQ(blamed(jobs[i]), 0u);
  }
  // With one suspect, the next death tells which of them it was.
  check(killed_by(jobs[1], kBert), jobs[1], Then::kElsewhere, true, 3);
  EXPECT_EQ(blamed(jobs[1]), 1u);
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, what_has_seen_one_death_among_others_keeps_nobody_away_and_after_two_it_does) {
  const std::vector<Job*> jobs = lendables(2);
  lend(jobs, kAnna);
  ledger.link_over(kAnna, kGone);
  ledger.lend(*jobs[0], kBert, true);
  ledger.lend(*jobs[1], kBert, true);
  EXPECT_FALSE(tries(kBert)) << "most nodes die of something else";
  for (const Ledger::Verdict& verdict : ledger.link_over(kBert, kGone))
    EXPECT_EQ(verdict.then, Then::kElsewhere);
  ledger.lend(*jobs[0], kCarl, true);
  EXPECT_TRUE(tries(kCarl));
  EXPECT_EQ(blamed(jobs[0]), 0u);
  ledger.link_over(kCarl, kGone);
  EXPECT_EQ(blamed(jobs[0]), 1u);
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, another_borrowers_loans_are_no_suspects) {
  Job* const job = lendable();
  ledger.lend(*job, kAnna);
  const std::uint64_t other = ledger.lend(*lendable(), kBert);
  ledger.link_over(kAnna, kGone);
  EXPECT_EQ(blamed(job), 1u);
  Job* const berts = ledger.settle(other, kBert);
  EXPECT_EQ(blamed(berts), 0u);
  job->release();
  berts->release();
}

TEST_F(Ledgers, a_suspect_on_trial_stays_one_however_its_loan_ends) {
  Job* const job = lendable();
  std::uint64_t number = ledger.lend(*job, kAnna, true);
  check(ledger.give_back(number, kAnna, false, "full"), job, Then::kElsewhere, false, 1);
  number = ledger.lend(*job, kAnna, true);
  check(ledger.give_back(number, kAnna, true, "anna left"), job, Then::kElsewhere, true, 2);
  ledger.lend(*job, kAnna, true);
  check(ledger.link_over(kAnna, kCutOff).at(0), job, Then::kElsewhere, true, 3);
  ledger.lend(*job, kAnna, true);
  check(ledger.link_over(kAnna, died_running({})).at(0), job, Then::kElsewhere, false, 3);
  EXPECT_EQ(blamed(job), 0u);
  check(killed_by(job, kAnna), job, Then::kElsewhere, true, 4);
  EXPECT_EQ(blamed(job), 1u);
  job->release();
}

TEST_F(Ledgers, knows_where_a_suspect_is_on_trial) {
  Job* const suspect = lendable();
  Job* const other = lendable();
  killed_by(suspect, kBert);  // and it alone can have been it
  EXPECT_FALSE(tries(kAnna));
  std::uint64_t number = ledger.lend(*suspect, kAnna, true);
  const std::uint64_t others = ledger.lend(*other, kAnna);
  EXPECT_TRUE(tries(kAnna));
  EXPECT_FALSE(tries(kBert));
  EXPECT_EQ(ledger.settle(number, kAnna), suspect);
  EXPECT_FALSE(tries(kAnna));
  number = ledger.lend(*suspect, kAnna, true);
  EXPECT_EQ(ledger.settle(others, kAnna), other);
  EXPECT_TRUE(tries(kAnna)) << "the other loan's end is not the trial's";
  EXPECT_EQ(ledger.give_back(number, kAnna, false, "full").job, suspect);
  EXPECT_FALSE(tries(kAnna));
  ledger.lend(*suspect, kAnna, true);
  ledger.link_over(kAnna, kCutOff);
  EXPECT_FALSE(tries(kAnna));
  suspect->release();
  other->release();
}

// ---- what is known of what was running

TEST_F(Ledgers, of_a_death_that_is_known_exactly_only_those_that_ran_are_suspects) {
  const std::vector<Job*> jobs = lendables(4);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  const Verdicts verdicts =
      ledger.link_over(kAnna, died_running({{numbers[1], true}, {numbers[2], true}}));
  ASSERT_THAT(verdicts, SizeIs(4));
  check(verdicts[0], jobs[0], Then::kAgain, false, 1);
  check(verdicts[1], jobs[1], Then::kElsewhere, true, 2);
  check(verdicts[2], jobs[2], Then::kElsewhere, true, 2);
  check(verdicts[3], jobs[3], Then::kAgain, false, 1);
  for (Job* job : jobs) {
    EXPECT_EQ(blamed(job), 0u);
    job->release();
  }
}

TEST_F(Ledgers, of_a_death_that_is_known_exactly_the_only_one_that_ran_is_blamed) {
  const std::vector<Job*> jobs = lendables(3);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  const Verdicts verdicts =
      ledger.link_over(kAnna, died_running({{numbers[2], true}, {4711, true}}));
  check(verdicts.at(0), jobs[0], Then::kAgain, false, 1);
  check(verdicts.at(1), jobs[1], Then::kAgain, false, 1);
  check(verdicts.at(2), jobs[2], Then::kElsewhere, true, 2);
  EXPECT_EQ(blamed(jobs[2]), 1u);
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, one_that_waited_for_others_when_its_borrower_died_was_an_attempt_but_no_suspect) {
  const std::vector<Job*> jobs = lendables(3);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  const Verdicts verdicts =
      ledger.link_over(kAnna, died_running({{numbers[0], false}, {numbers[1], true}}));
  check(verdicts.at(0), jobs[0], Then::kAgain, true, 2);
  check(verdicts.at(1), jobs[1], Then::kElsewhere, true, 2);
  check(verdicts.at(2), jobs[2], Then::kAgain, false, 1);
  EXPECT_EQ(blamed(jobs[0]), 0u);
  EXPECT_EQ(blamed(jobs[1]), 1u);
  for (Job* job : jobs) job->release();
}

// (History: the pieces of its result were still coming when another job killed the node; taken for
// one that had never begun, it ran a second time as the same attempt.)
TEST_F(Ledgers, one_whose_result_was_on_its_way_was_an_attempt_but_no_suspect) {
  const std::vector<Job*> jobs = lendables(3);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  ledger.named(kAnna, {numbers[0]}, 1);
  ledger.has_ended(numbers[1], kAnna);
  ledger.has_ended(numbers[2], kBert);  // a stranger's word
  const Verdicts verdicts = ledger.link_over(kAnna, kGone);
  check(verdicts.at(0), jobs[0], Then::kElsewhere, true, 2);
  check(verdicts.at(1), jobs[1], Then::kAgain, true, 2);
  check(verdicts.at(2), jobs[2], Then::kAgain, false, 1);
  EXPECT_EQ(blamed(jobs[0]), 1u);
  EXPECT_EQ(blamed(jobs[1]), 0u);
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, a_named_loan_whose_result_is_on_its_way_leaves_its_worker_to_the_others) {
  const std::vector<Job*> jobs = lendables(3);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  ledger.named(kAnna, {numbers[0]}, 1);
  ledger.has_ended(numbers[0], kAnna);
  const Verdicts verdicts = ledger.link_over(kAnna, kGone);
  check(verdicts.at(0), jobs[0], Then::kAgain, true, 2);
  check(verdicts.at(1), jobs[1], Then::kElsewhere, true, 2);
  check(verdicts.at(2), jobs[2], Then::kElsewhere, true, 2);
  for (Job* job : jobs) job->release();
}

std::unique_ptr<EncodedTask> begin_nothing(std::span<const std::byte>) { return nullptr; }

// A coroutine that has begun need not be on any worker's stack.
TEST_F(Ledgers, a_coroutine_may_always_have_begun) {
  Job* const job = lendable();
  Function coroutine = *job->function;
  coroutine.begin_encoded = &begin_nothing;
  job->function = &coroutine;
  ledger.lend(*job, kAnna);
  check(ledger.link_over(kAnna, died_running({})).at(0), job, Then::kAgain, true, 2);
  EXPECT_EQ(blamed(job), 0u);
  job->release();
}

TEST_F(Ledgers, when_all_workers_were_busy_for_a_while_the_others_had_not_begun) {
  const std::vector<Job*> jobs = lendables(4);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  ledger.named(kAnna, {numbers[0], numbers[3]}, 2);
  const Verdicts verdicts = ledger.link_over(kAnna, kDied);
  check(verdicts.at(0), jobs[0], Then::kElsewhere, true, 2);
  check(verdicts.at(1), jobs[1], Then::kAgain, false, 1);
  check(verdicts.at(2), jobs[2], Then::kAgain, false, 1);
  check(verdicts.at(3), jobs[3], Then::kElsewhere, true, 2);
  for (Job* job : jobs) {
    EXPECT_EQ(blamed(job), 0u);
    job->release();
  }
}

TEST_F(Ledgers, the_one_that_kept_the_only_worker_busy_is_blamed) {
  const std::vector<Job*> jobs = lendables(3);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  ledger.named(kAnna, {numbers[0]}, 1);
  ledger.link_over(kAnna, kDied);
  EXPECT_EQ(blamed(jobs[0]), 1u);
  EXPECT_EQ(jobs[1]->attempt, 1u);
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, while_a_worker_may_have_begun_another_all_are_suspects) {
  const auto suspects = [&](const auto& what_is_named) {
    const std::vector<Job*> jobs = lendables(3);
    what_is_named(lend(jobs, kAnna));
    std::size_t count = 0;
    for (const Ledger::Verdict& verdict : ledger.link_over(kAnna, kDied))
      count += verdict.then == Then::kElsewhere ? 1u : 0u;
    for (Job* job : jobs) {
      EXPECT_EQ(blamed(job), 0u);
      job->release();
    }
    return count;
  };
  using Numbers = std::vector<std::uint64_t>;
  EXPECT_EQ(suspects([&](const Numbers&) {}), 3u);
  EXPECT_EQ(suspects([&](const Numbers& all) { ledger.named(kAnna, {all[0]}, 2); }), 3u);
  EXPECT_EQ(suspects([&](const Numbers&) { ledger.named(kAnna, {}, 0); }), 3u);
  EXPECT_EQ(suspects([&](const Numbers& all) {
              ledger.named(kAnna, {all[0]}, 1);
              ledger.named(kAnna, {}, 1);
            }),
            3u)
      << "the last word counts";
  EXPECT_EQ(suspects([&](const Numbers& all) {
              ledger.named(kAnna, {all[0], 4711}, 2);
            }),
            3u)
      << "a number that is no loan keeps no worker busy";
}

TEST_F(Ledgers, a_named_loan_that_has_ended_leaves_its_worker_to_the_others) {
  for (const bool settled : {true, false}) {
    const std::vector<Job*> jobs = lendables(3);
    const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
    ledger.named(kAnna, {numbers[0]}, 1);
    if (settled) {
      ASSERT_EQ(ledger.settle(numbers[0], kAnna), jobs[0]);
    } else {
      ASSERT_EQ(ledger.give_back(numbers[0], kAnna, true, "anna said").job, jobs[0]);
    }
    const Verdicts verdicts = ledger.link_over(kAnna, kDied);
    ASSERT_THAT(verdicts, SizeIs(2));
    check(verdicts[0], jobs[1], Then::kElsewhere, true, 2);
    check(verdicts[1], jobs[2], Then::kElsewhere, true, 2);
    for (Job* job : jobs) job->release();
  }
}

TEST_F(Ledgers, of_a_borrower_that_is_cut_off_all_may_have_begun_meanwhile) {
  const std::vector<Job*> jobs = lendables(2);
  const std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  ledger.named(kAnna, {numbers[0]}, 1);
  const Verdicts verdicts = ledger.link_over(kAnna, kCutOff);
  check(verdicts.at(0), jobs[0], Then::kAgain, true, 2);
  check(verdicts.at(1), jobs[1], Then::kAgain, true, 2);
  for (Job* job : jobs) job->release();
}

// ---- retries

TEST_F(Ledgers, blamed_more_often_than_its_retries_a_job_fails_and_names_every_loss) {
  Job* const job = lendable();
  check(killed_by(job, kAnna), job, Then::kElsewhere, true, 2);
  std::uint64_t number = ledger.lend(*job, kBert, true);
  check(ledger.give_back(number, kBert, true, "bert left"), job, Then::kElsewhere, true, 3);
  check(killed_by(job, kAnna), job, Then::kElsewhere, true, 4);
  number = ledger.lend(*job, kBert, true);
  check(ledger.give_back(number, kBert, false, "not begun"), job, Then::kElsewhere, false, 4);
  ledger.lend(*job, kCarl, true);
  check(ledger.link_over(kCarl, kCutOff).at(0), job, Then::kElsewhere, true, 5);
  check(killed_by(job, kAnna), job, Then::kElsewhere, true, 6);
  const Ledger::Verdict last = killed_by(job, kBert);
  EXPECT_EQ(last.job, job);
  EXPECT_EQ(last.then, Then::kFail);
  EXPECT_TRUE(last.lost);
  EXPECT_THAT(last.message,
              AllOf(HasSubstr("attempt 1: it is gone"), HasSubstr("attempt 2: bert left"),
                    HasSubstr("attempt 3: it is gone"), HasSubstr("attempt 4: it was cut off"),
                    HasSubstr("attempt 5: it is gone"), HasSubstr("attempt 6: it is gone"),
                    Not(HasSubstr("not begun"))));
  job->release();
}

// (History: a job that killed its node beside others that were always new there was tried on more
// than sixty of them.)
TEST_F(Ledgers, who_sees_death_after_death_in_changing_company_fails_in_the_end) {
  Job* const killer = lendable();
  unsigned deaths = 0;
  Ledger::Verdict verdict;
  do {
    ASSERT_LT(++deaths, 20u) << "it is tried without end";
    const std::vector<Job*> others = lendables(10);
    lend(others, kAnna);
    ledger.lend(*killer, kAnna, deaths > 1);
    for (const Ledger::Verdict& each : ledger.link_over(kAnna, kGone)) {
      if (each.job == killer) {
        verdict = each;
      } else {
        EXPECT_EQ(each.then, Then::kElsewhere);
      }
    }
    for (Job* other : others) other->release();
  } while (verdict.then == Then::kElsewhere);
  EXPECT_EQ(verdict.then, Then::kFail);
  EXPECT_EQ(blamed(killer), 0u) << "there were always others";
  EXPECT_GT(deaths, 8u) << "a share counts for half";
  EXPECT_THAT(verdict.message, HasSubstr("attempt 8: it is gone"));
  killer->release();
}

TEST_F(Ledgers, who_is_there_when_nodes_die_of_others_does_not_fail) {
  Job* const harmless = lendable();
  for (int round = 0; round < 100; ++round) {
    // Each killer comes from a few deaths, as it does where others are tried as well.
    const std::vector<Job*> killers = lendables(3);
    for (Job* killer : killers) particulars_of(*killer).deaths_seen = 3;
    lend(killers, kAnna);
    particulars_of(*harmless).deaths_seen = 0;  // a job of the same kind each time
    particulars_of(*harmless).shared_blame = 0;
    ledger.lend(*harmless, kAnna);
    for (const Ledger::Verdict& each : ledger.link_over(kAnna, kGone))
      EXPECT_NE(each.then, Then::kFail);
    EXPECT_LT(find_particulars(*harmless)->shared_blame, 50u);
    for (Job* killer : killers) killer->release();
  }
  harmless->release();
}

TEST_F(Ledgers, a_cohort_that_goes_from_death_to_death_shares_the_blame_evenly) {
  const std::vector<Job*> jobs = lendables(10);
  for (int round = 1; round <= 40; ++round) {
    lend(jobs, kAnna);
    for (const Ledger::Verdict& each : ledger.link_over(kAnna, kGone))
      ASSERT_EQ(each.then, Then::kElsewhere) << round;
  }
  for (Job* job : jobs) {
    EXPECT_EQ(find_particulars(*job)->shared_blame, 4000u);
    job->release();
  }
}

// What it spawns kills the node, and dies with it.
TEST_F(Ledgers, who_waits_wherever_a_node_dies_of_none_of_ours_fails_in_the_end_but_late) {
  Job* const parent = lendable();
  unsigned deaths = 0;
  Ledger::Verdict verdict;
  do {
    ASSERT_LT(++deaths, 100u);
    const std::uint64_t number = ledger.lend(*parent, kAnna);
    verdict = ledger.link_over(kAnna, died_running({{number, false}, {4711, true}})).at(0);
    ASSERT_TRUE(verdict.lost);
  } while (verdict.then == Then::kAgain);
  EXPECT_EQ(verdict.then, Then::kFail);
  EXPECT_EQ(deaths, 32u);
  // One that waits while another one of ours runs is not concerned.
  Job* const other = lendable();
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t waits = ledger.lend(*other, kAnna);
    Job* const runs = lendable();
    const std::uint64_t number = ledger.lend(*runs, kAnna);
    ledger.link_over(kAnna, died_running({{waits, false}, {number, true}}));
    runs->release();
  }
  EXPECT_EQ(find_particulars(*other)->shared_blame, 0u);
  parent->release();
  other->release();
}

TEST_F(Ledgers, without_retries_the_first_loss_is_the_last) {
  const Ledger::End ends[] = {kCutOff, kDied, kGone};
  for (const Ledger::End& end : ends) {
    Ledger strict(0);
    Job* const job = lendable();
    const std::uint64_t number = strict.lend(*job, kAnna);
    check(strict.give_back(number, kAnna, false, "wanted"), job, Then::kAgain, false, 1);
    strict.lend(*job, kAnna);
    const Ledger::Verdict verdict = strict.link_over(kAnna, end).at(0);
    EXPECT_EQ(verdict.job, job);
    EXPECT_EQ(verdict.then, Then::kFail);
    EXPECT_EQ(verdict.message, "attempt 1: " + end.how);
    job->release();
  }
  Ledger strict(0);
  Job* const job = lendable();
  const Ledger::Verdict verdict =
      strict.give_back(strict.lend(*job, kAnna), kAnna, true, "anna left");
  EXPECT_EQ(verdict.then, Then::kFail);
  EXPECT_EQ(verdict.message, "attempt 1: anna left");
  job->release();
}

TEST_F(Ledgers, a_jobs_own_retries_come_before_everybodys) {
  Job* const once = lendable();
  particulars_of(*once).options.retries = 0;
  ledger.lend(*once, kAnna);
  EXPECT_EQ(ledger.link_over(kAnna, kCutOff).at(0).then, Then::kFail);
  once->release();

  Job* const twice = lendable();
  particulars_of(*twice).options.retries = 1;
  EXPECT_EQ(killed_by(twice, kAnna).then, Then::kElsewhere);
  EXPECT_EQ(killed_by(twice, kAnna).then, Then::kFail);
  twice->release();

  Ledger strict(0);
  Job* const often = lendable();
  particulars_of(*often).options.retries = 2;
  strict.lend(*often, kAnna);
  EXPECT_EQ(strict.link_over(kAnna, kDied).at(0).then, Then::kElsewhere);
  often->release();
}

// That all workers were busy a while ago does not prove that none has begun another since: a job
// that waits for others leaves its worker to them. Who may run once only runs again on proof.
TEST_F(Ledgers, without_retries_a_job_comes_back_only_if_it_is_known_not_to_have_begun) {
  const std::vector<Job*> jobs = lendables(2);
  particulars_of(*jobs[1]).options.retries = 0;
  std::vector<std::uint64_t> numbers = lend(jobs, kAnna);
  check(ledger.link_over(kAnna, died_running({{numbers[0], true}})).at(1), jobs[1], Then::kAgain,
        false, 1);
  numbers = lend(jobs, kAnna);
  ledger.named(kAnna, {numbers[0]}, 1);
  EXPECT_EQ(ledger.link_over(kAnna, kDied).at(1).then, Then::kFail);
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, a_history_of_losses_has_an_end) {
  Job* const job = lendable();
  std::string message;
  for (int i = 0; i < 1'000; ++i) {
    ledger.lend(*job, kAnna);
    message = ledger.link_over(kAnna, {.how = std::string(100, '.'), .gone = true}).at(0).message;
  }
  EXPECT_EQ(job->attempt, 1'001u) << "it is counted all the same";
  EXPECT_THAT(message, HasSubstr("attempt 1: "));
  EXPECT_LT(message.size(), 5'000u);
  EXPECT_LT(find_particulars(*job)->losses.size(), 5'000u);
  job->release();
}

// ---- late results

TEST_F(Ledgers, the_job_of_a_lost_loan_is_there_for_its_late_result_once) {
  Job* const job = lendable();
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.take_late(number, kAnna), nullptr) << "it is not lost yet";
  ledger.link_over(kAnna, kCutOff);
  EXPECT_EQ(ledger.late(), 1u);
  EXPECT_EQ(references(job), 2u) << "the verdict's and the ledger's";
  EXPECT_EQ(ledger.settle(number, kAnna), nullptr) << "the loan has ended";
  EXPECT_EQ(ledger.take_late(number, kBert), nullptr) << "a stranger's word";
  EXPECT_EQ(ledger.take_late(number, kAnna), job);
  EXPECT_EQ(references(job), 2u) << "the verdict's and ours";
  EXPECT_EQ(ledger.take_late(number, kAnna), nullptr);
  EXPECT_EQ(ledger.late(), 0u);
  job->release();
  job->release();
  EXPECT_EQ(world.released(), 1u);
}

TEST_F(Ledgers, one_taken_for_dead_may_be_late_and_one_that_is_gone_is_not) {
  Job* const job = lendable();
  const std::uint64_t first = ledger.lend(*job, kAnna);
  ledger.link_over(kAnna, kDied);
  const std::uint64_t second = ledger.lend(*job, kBert);
  ledger.link_over(kBert, kGone);
  EXPECT_EQ(ledger.late(), 1u);
  EXPECT_EQ(ledger.take_late(second, kBert), nullptr);
  EXPECT_EQ(ledger.take_late(first, kAnna), job);
  job->release();
  EXPECT_EQ(references(job), 1u);
  job->release();
}

TEST_F(Ledgers, nothing_is_late_that_had_not_begun) {
  Job* const job = lendable();
  ledger.lend(*job, kAnna);
  ledger.link_over(kAnna, {.how = "it died", .died = true, .gone = false, .running = {{}}});
  EXPECT_EQ(ledger.late(), 0u);
  EXPECT_EQ(references(job), 1u);
  job->release();
}

TEST_F(Ledgers, a_job_that_is_lost_twice_may_be_late_twice) {
  Job* const job = lendable();
  const std::uint64_t first = ledger.lend(*job, kAnna);
  ledger.link_over(kAnna, kCutOff);
  const std::uint64_t second = ledger.lend(*job, kBert);
  ledger.link_over(kBert, kCutOff);
  EXPECT_EQ(references(job), 3u);
  EXPECT_EQ(ledger.take_late(second, kBert), job);
  EXPECT_EQ(ledger.take_late(first, kAnna), job);
  for (int i = 0; i < 3; ++i) job->release();
  EXPECT_EQ(world.released(), 1u);
}

TEST_F(Ledgers, a_job_that_failed_with_its_loan_may_be_late_too) {
  Job* const job = lendable();
  particulars_of(*job).options.retries = 0;
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.link_over(kAnna, kCutOff).at(0).then, Then::kFail);
  (void)job->mark_done();
  EXPECT_THAT(ledger.take_obsolete(), ElementsAre(Pair(kAnna, number)));
  EXPECT_EQ(references(job), 1u);
  job->release();
}

TEST_F(Ledgers, lost_loans_of_jobs_that_are_done_are_obsolete_once) {
  const std::vector<Job*> jobs = lendables(3);
  const std::uint64_t one = ledger.lend(*jobs[0], kAnna), two = ledger.lend(*jobs[1], kBert);
  const std::uint64_t three = ledger.lend(*jobs[2], kAnna);
  ledger.link_over(kAnna, kCutOff);
  ledger.link_over(kBert, kCutOff);
  EXPECT_THAT(ledger.take_obsolete(), IsEmpty());
  for (Job* job : {jobs[0], jobs[1]}) (void)job->mark_done();
  EXPECT_THAT(ledger.take_obsolete(), UnorderedElementsAre(Pair(kAnna, one), Pair(kBert, two)));
  EXPECT_THAT(ledger.take_obsolete(), IsEmpty());
  EXPECT_EQ(ledger.take_late(one, kAnna), nullptr);
  EXPECT_EQ(ledger.late(), 1u);
  EXPECT_EQ(ledger.take_late(three, kAnna), jobs[2]);
  jobs[2]->release();
  for (Job* job : jobs) {
    EXPECT_EQ(references(job), 1u);
    job->release();
  }
}

TEST_F(Ledgers, of_a_borrower_that_is_forgotten_nothing_comes_late) {
  const std::vector<Job*> jobs = lendables(2);
  const std::uint64_t one = ledger.lend(*jobs[0], kAnna), two = ledger.lend(*jobs[1], kBert);
  ledger.link_over(kAnna, kCutOff);
  ledger.link_over(kBert, kCutOff);
  ledger.forget_late(kAnna);
  EXPECT_EQ(ledger.take_late(one, kAnna), nullptr);
  EXPECT_EQ(references(jobs[0]), 1u);
  EXPECT_EQ(ledger.late(), 1u);
  EXPECT_EQ(ledger.take_late(two, kBert), jobs[1]) << "another's are not touched";
  jobs[1]->release();
  for (Job* job : jobs) job->release();
}

// ---- looking, and the end

TEST_F(Ledgers, finds_the_open_loans_of_jobs) {
  const std::vector<Job*> jobs = lendables(3);
  const std::uint64_t one = ledger.lend(*jobs[0], kAnna), two = ledger.lend(*jobs[1], kBert);
  ledger.lend(*jobs[2], kAnna);
  const std::vector<Ledger::Open> found = ledger.find({jobs[0], jobs[1], nullptr});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].number, one);
  EXPECT_EQ(found[0].borrower, kAnna);
  EXPECT_EQ(found[1].number, two);
  EXPECT_EQ(found[1].borrower, kBert);
  EXPECT_THAT(ledger.find({}), IsEmpty());
  ledger.link_over(kBert, kCutOff);
  EXPECT_THAT(ledger.find({jobs[1]}), IsEmpty()) << "a lost loan is not open";
  jobs[1]->release();
}

TEST_F(Ledgers, knows_which_loan_a_borrower_has_had_for_the_longest) {
  const Ledger::Time noon = Ledger::Time() + std::chrono::hours(12);
  EXPECT_FALSE(ledger.oldest(kAnna).has_value());
  Job* const first = lendable();
  Job* const second = lendable();
  const std::uint64_t number = ledger.lend(*first, kAnna, false, noon);
  ledger.lend(*second, kAnna, false, noon + std::chrono::seconds(1));
  ASSERT_TRUE(ledger.oldest(kAnna).has_value());
  EXPECT_EQ(ledger.oldest(kAnna)->job, first);
  EXPECT_EQ(ledger.oldest(kAnna)->since, noon);
  EXPECT_FALSE(ledger.oldest(kBert).has_value());
  ASSERT_EQ(ledger.settle(number, kAnna), first);
  EXPECT_EQ(ledger.oldest(kAnna)->job, second);
  first->release();
}

TEST_F(Ledgers, a_trial_does_not_keep_others_away_for_ever_but_longer_each_time) {
  using std::chrono::milliseconds;
  Job* const suspect = lendable();
  killed_by(suspect, kBert);
  const Ledger::Time begun(std::chrono::seconds(100));
  for (std::uint32_t attempt = 1; attempt < 20; ++attempt) {
    suspect->attempt = attempt;
    const std::uint64_t number = ledger.lend(*suspect, kAnna, true, begun);
    EXPECT_EQ(ledger.on_trial_until(kAnna), begun + milliseconds(125 << std::min(attempt, 13u)));
    ledger.settle(number, kAnna);
    EXPECT_EQ(ledger.on_trial_until(kAnna), Ledger::Time{});
  }
  suspect->release();
}

TEST_F(Ledgers, closing_hands_every_loan_back) {
  Job* const one = lendable();
  Job* const two = lendable();
  const std::uint64_t number = ledger.lend(*one, kAnna);
  ledger.lend(*two, kBert, true);
  const std::vector<Job*> jobs = ledger.close();
  EXPECT_THAT(jobs, UnorderedElementsAre(one, two));
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_EQ(ledger.open(kAnna), 0u);
  EXPECT_FALSE(tries(kBert));
  EXPECT_EQ(ledger.settle(number, kAnna), nullptr);
  EXPECT_THAT(ledger.close(), IsEmpty());
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, one_that_goes_releases_what_it_holds) {
  {
    Ledger brief(3);
    Job* const late = lendable();
    brief.lend(*late, kBert);
    brief.link_over(kBert, kCutOff);
    late->release();
    brief.lend(*lendable(), kAnna);
    EXPECT_EQ(world.released(), 0u);
  }
  EXPECT_EQ(world.released(), 2u);
}

}  // namespace
}  // namespace pp::runtime
