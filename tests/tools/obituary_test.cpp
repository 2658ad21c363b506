// Obituary: one line that says it all, whatever is known and whoever wrote it.
#include "obituary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <pp/function_table.hpp>
#include <string>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

int tripled(int n) { return 3 * n; }
[[maybe_unused]] const runtime::Function& kTripled =
    runtime::function_of<runtime::Constant<tripled>>();

Obituary killed() {
  Obituary obituary;
  obituary.node = 2;
  obituary.pid = 4711;
  obituary.status.signal = SIGKILL;
  obituary.lived = milliseconds(12'340);
  obituary.peak_bytes = std::uint64_t{34} << 20;
  return obituary;
}

TEST(Obituary, tells_of_a_process_that_has_noted_nothing_only_what_the_system_knows) {
  EXPECT_EQ(killed().sentence(),
            "node 2 (pid 4711) was killed by SIGKILL (9: killed) after 12.3 s, peak memory 34 MiB");
  Obituary driver = killed();
  driver.node = 0;
  driver.status = {.code = 3};
  EXPECT_EQ(driver.sentence(),
            "node 0 (driver, pid 4711) ended with code 3 after 12.3 s, peak memory 34 MiB");
}

TEST(Obituary, tells_what_it_was_running) {
  Obituary obituary = killed();
  obituary.name = "host:4711";
  EXPECT_THAT(obituary.sentence(), EndsWith("; host:4711 was running no job"));
  obituary.jobs = {{"sum_primes", "host:4700", 1, milliseconds(340)}, {"", "", 2, seconds(3)}};
  EXPECT_THAT(obituary.sentence(),
              EndsWith("; host:4711 was running sum_primes of host:4700 (attempt 1, for 340 ms), "
                       "a function without a name (attempt 2, for 3 s)"));
  obituary.complete = false;
  EXPECT_THAT(obituary.sentence(), EndsWith(", and jobs that it had no room to note"));
}

TEST(Obituary, stays_one_line_whatever_a_mad_process_has_written) {
  Obituary obituary = killed();
  obituary.name = std::string(500, '\n');
  for (int i = 0; i < 500; ++i)
    obituary.jobs.push_back(
        {std::string(500, '\x1b'), "a\nb", ~0u, std::chrono::nanoseconds::min()});
  const std::string sentence = obituary.sentence();
  EXPECT_THAT(sentence, AllOf(Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(sentence, EndsWith(" and 492 more"));
  EXPECT_LT(sentence.size(), 4096u);
}

TEST(Obituary, finds_names_in_the_black_box) {
  const auto& functions = runtime::FunctionTable::seal();
  const auto box = runtime::BlackBox::make(2, 1);
  const NodeId self = NodeId::random(), lender = NodeId::random();
  ASSERT_TRUE(box->enter(self, "host:1", functions));
  const auto other = runtime::BlackBox::open(box->descriptor());
  ASSERT_TRUE(other->enter(lender, "host:2", functions));
  runtime::Recorder recorder = box->recorder(0);
  recorder.begin({.owner = self, .function = kTripled.id, .since = seconds(1)});
  recorder.begin(
      {.owner = lender, .loan = 7, .function = kTripled.id, .attempt = 2, .since = seconds(2)});
  recorder.begin({.owner = NodeId::random(), .loan = 8, .function = 1, .since = seconds(3)});
  Obituary obituary = killed();
  add_last_jobs(obituary, *box, {self, "host:1", *box->running(self)}, seconds(4));
  ASSERT_EQ(obituary.jobs.size(), 3u);
  EXPECT_THAT(obituary.jobs[0].function, HasSubstr("tripled"));
  EXPECT_EQ(obituary.jobs[0].owner, "");
  EXPECT_EQ(obituary.jobs[0].running, seconds(3));
  EXPECT_EQ(obituary.jobs[1].owner, "host:2");
  EXPECT_EQ(obituary.jobs[1].attempt, 2u);
  EXPECT_EQ(obituary.jobs[2].function, "");
  EXPECT_EQ(obituary.jobs[2].owner, "another node");
}

TEST(Obituary, writes_numbers_as_people_do) {
  EXPECT_EQ(memory_in_words(0), "0 bytes");
  EXPECT_EQ(memory_in_words(3 * 1024), "3 KiB");
  EXPECT_EQ(memory_in_words(std::uint64_t{1288490189}), "1.2 GiB");
  EXPECT_EQ(memory_in_words(1023 * 1024), "1 MiB");
  EXPECT_EQ(time_in_words(milliseconds(-5)), "0 us");
  EXPECT_EQ(time_in_words(milliseconds(999)), "999 ms");
  EXPECT_EQ(time_in_words(seconds(119)), "119 s");
  EXPECT_EQ(time_in_words(seconds(150)), "2.5 min");
  EXPECT_EQ(time_in_words(seconds(86'400)), "24 h");
}

}  // namespace
}  // namespace pp::tools
