// Ledger: a loan ends once, and a job that is lost too often says how each time.
#include "ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_jobs.hpp"
#include "particulars.hpp"

namespace pp::runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr SessionId kAnna{1};
constexpr SessionId kBert{2};

class Ledgers : public testing::Test {
 protected:
  Job* lendable() {
    Job* job = world.travelling();
    EXPECT_TRUE(job->claim(Job::kLent));
    return job;
  }
  // What the courier does with a verdict: the reference goes back to whoever lends it next.
  static void check_again(const Ledger::Verdict& verdict, const Job* job, std::uint32_t attempt) {
    EXPECT_EQ(verdict.job, job);
    EXPECT_TRUE(verdict.again);
    EXPECT_EQ(job->attempt, attempt);
  }

  FakeJobs world;
  Ledger ledger{3};
};

TEST_F(Ledgers, a_loan_is_settled_once) {
  Job* const job = lendable();
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.open(), 1u);
  EXPECT_EQ(ledger.settle(number, kAnna), job);
  EXPECT_EQ(ledger.settle(number, kAnna), nullptr);
  EXPECT_EQ(ledger.give_back(number, kAnna, true, "late").job, nullptr);
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_EQ(FakeJobs::phase(*job), Job::kLent)
      << "what becomes of the job is the caller's business";
  job->release();
}

TEST_F(Ledgers, a_strangers_word_about_a_loan_counts_nothing) {
  Job* const job = lendable();
  const std::uint64_t number = ledger.lend(*job, kAnna);
  EXPECT_EQ(ledger.settle(number, kBert), nullptr);
  EXPECT_EQ(ledger.give_back(number, kBert, true, "bert says so").job, nullptr);
  EXPECT_THAT(ledger.link_over(kBert, "bert was lost"), IsEmpty());
  EXPECT_EQ(job->attempt, 1u);
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
    check_again(ledger.give_back(number, kAnna, false, "wanted"), job, 1);
  }
  EXPECT_EQ(find_particulars(*job), nullptr);
  EXPECT_EQ(ledger.open(), 0u);
  job->release();
}

TEST_F(Ledgers, what_comes_back_begun_was_an_attempt) {
  Job* const job = lendable();
  check_again(ledger.give_back(ledger.lend(*job, kAnna), kAnna, true, "anna left"), job, 2);
  check_again(ledger.give_back(ledger.lend(*job, kAnna), kAnna, false, "wanted"), job, 2);
  check_again(ledger.give_back(ledger.lend(*job, kBert), kBert, true, "bert left"), job, 3);
  job->release();
}

TEST_F(Ledgers, when_a_link_is_over_its_loans_come_back_in_the_order_they_were_made) {
  std::vector<Job*> annas;
  std::vector<std::uint64_t> berts;
  for (int i = 0; i < 20; ++i) {
    annas.push_back(lendable());
    ledger.lend(*annas.back(), kAnna);
    berts.push_back(ledger.lend(*lendable(), kBert));
  }
  EXPECT_EQ(ledger.open(kAnna), 20u);
  const std::vector<Ledger::Verdict> verdicts = ledger.link_over(kAnna, "anna was lost");
  ASSERT_EQ(verdicts.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) {
    check_again(verdicts[i], annas[i], 2);
    annas[i]->release();
  }
  EXPECT_EQ(ledger.open(kAnna), 0u);
  EXPECT_EQ(ledger.open(kBert), 20u);
  EXPECT_THAT(ledger.link_over(kAnna, "again"), IsEmpty());
  for (const std::uint64_t number : berts) {
    Job* const job = ledger.settle(number, kBert);
    ASSERT_NE(job, nullptr);
    job->release();
  }
}

TEST_F(Ledgers, after_its_retries_a_job_fails_and_names_every_loss) {
  Job* const job = lendable();
  check_again(ledger.link_over((ledger.lend(*job, kAnna), kAnna), "anna burned").at(0), job, 2);
  check_again(ledger.give_back(ledger.lend(*job, kBert), kBert, true, "bert left"), job, 3);
  check_again(ledger.give_back(ledger.lend(*job, kBert), kBert, false, "not begun"), job, 3);
  check_again(ledger.link_over((ledger.lend(*job, kAnna), kAnna), "anna drowned").at(0), job, 4);
  ledger.lend(*job, kBert);
  const Ledger::Verdict last = ledger.link_over(kBert, "bert was cut off").at(0);
  EXPECT_EQ(last.job, job);
  EXPECT_FALSE(last.again);
  EXPECT_EQ(job->attempt, 4u);
  EXPECT_THAT(last.message,
              AllOf(HasSubstr("attempt 1: anna burned"), HasSubstr("attempt 2: bert left"),
                    HasSubstr("attempt 3: anna drowned"), HasSubstr("attempt 4: bert was cut off"),
                    Not(HasSubstr("not begun"))));
  job->release();
}

TEST_F(Ledgers, without_retries_the_first_loss_is_the_last) {
  Ledger strict(0);
  Job* const job = lendable();
  EXPECT_TRUE(strict.give_back(strict.lend(*job, kAnna), kAnna, false, "wanted").again);
  const Ledger::Verdict verdict =
      strict.give_back(strict.lend(*job, kAnna), kAnna, true, "anna left");
  EXPECT_EQ(verdict.job, job);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.message, "attempt 1: anna left");
  job->release();
}

TEST_F(Ledgers, closing_hands_every_loan_back) {
  Job* const one = lendable();
  Job* const two = lendable();
  const std::uint64_t number = ledger.lend(*one, kAnna);
  ledger.lend(*two, kBert);
  const std::vector<Job*> jobs = ledger.close();
  EXPECT_THAT(jobs, UnorderedElementsAre(one, two));
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_EQ(ledger.settle(number, kAnna), nullptr);
  EXPECT_THAT(ledger.close(), IsEmpty());
  for (Job* job : jobs) job->release();
}

TEST_F(Ledgers, one_that_goes_releases_what_it_holds) {
  {
    Ledger brief(3);
    brief.lend(*lendable(), kAnna);
    EXPECT_EQ(world.released(), 0u);
  }
  EXPECT_EQ(world.released(), 1u);
}

}  // namespace
}  // namespace pp::runtime
