// Job log: what is read back from a file, whatever has become of it.
#include "job_log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace pp::runtime {
namespace {

using namespace std::chrono_literals;
using job_log::Batch;
using job_log::Elements;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// What a log says of one part.
struct Read {
  std::uint32_t batch;
  std::uint64_t first, last;
  std::vector<Elements::Range> holes;
  std::string values;
  bool operator==(const Read&) const = default;
};

void PrintTo(const Read& read, std::ostream* out) {
  *out << read.batch << ":[" << read.first << "," << read.last << ") " << read.values;
}

class JobLogFile : public testing::Test {
 protected:
  JobLogFile() {
    // In memory where that can be had: thousands of logs wait for no disk.
    const std::filesystem::path memory = "/dev/shm";
    const auto parent =
        access(memory.c_str(), W_OK | X_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "pp_job_log_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    file_ = folder_ + "/log";
  }
  ~JobLogFile() override { std::filesystem::remove_all(folder_); }

  JobLog::Settings settings(bool resume = true) const {
    JobLog::Settings settings;
    settings.file = file_;
    settings.resume = resume;
    settings.header.functions = 7;
    settings.header.build = "a compiler";
    settings.patience = 0ms;
    return settings;
  }

  static Batch batch(const std::string& name, std::uint64_t elements) {
    Batch batch;
    batch.function = name.size();
    batch.signature = 3;
    batch.elements = elements;
    batch.input[0] = 9;
    batch.seed = 42;
    batch.name = name;
    return batch;
  }
  static void add(JobLog& log, const Read& part) {
    log.add({part.batch, part.first, part.last, part.holes, std::as_bytes(std::span(part.values))},
            true);
  }

  // The same program each time: two batches; what the log has of them.
  std::vector<Read> begin_both(JobLog& log) {
    std::vector<Read> read;
    for (Batch one : {batch("halve", 6), batch("double", 100)}) {
      log.begin(one);
      codec::Bytes bytes;
      for (const JobLog::Part& part : log.parts(one.number)) {
        const Elements elements = log.values(part, bytes);
        read.push_back(
            {elements.batch,
             elements.first,
             elements.last,
             elements.holes,
             {reinterpret_cast<const char*>(elements.values.data()), elements.values.size()}});
      }
    }
    return read;
  }
  std::vector<Read> resumed() {
    Log heard("test", -1);  // one that has said nothing yet: it does not repeat itself
    JobLog log(settings(), heard);
    return begin_both(log);
  }

  static std::vector<Read> parts() {
    return {{0, 0, 2, {}, "ab"},
            {0, 2, 6, {{3, 4}, {5, 6}}, "c-d-"},
            {1, 50, 51, {}, ""},
            {1, 0, 50, {{0, 49}}, std::string(40, 'x')}};
  }
  // A log with all of them; where each record ends.
  std::vector<std::size_t> write_all() {
    std::vector<std::size_t> ends;
    {
      JobLog log(settings(false), log_);
      begin_both(log);
      for (const Read& part : parts()) add(log, part);
    }
    std::size_t end = job_log::kHeaderSize;
    const std::string bytes = content();
    while (end < bytes.size()) {
      end += job_log::record_size(std::as_bytes(std::span(bytes)).subspan(end));
      ends.push_back(end);
    }
    EXPECT_EQ(end, bytes.size());
    return ends;
  }

  std::string content() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const std::string& bytes) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << bytes;
  }
  // The sentence with which it is refused; the file is left as it was.
  std::string refusal(const JobLog::Settings& settings) {
    const std::string before = content();
    std::string sentence;
    try {
      const JobLog log(settings, log_);
    } catch (const Error& error) {
      sentence = error.what();
    }
    EXPECT_EQ(content(), before);
    return sentence;
  }

  std::string folder_;
  std::string file_;
  Log log_{"test", -1};
};

// Those of the parts whose records end at or before `size`: the first two records are the batches.
std::vector<Read> of_parts(const std::vector<Read>& parts, const std::vector<std::size_t>& ends,
                           std::size_t size) {
  std::vector<Read> whole;
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (ends[i + 2] <= size) whole.push_back(parts[i]);
  return whole;
}

TEST_F(JobLogFile, gives_back_what_was_added) {
  write_all();
  EXPECT_EQ(resumed(), parts());
  EXPECT_EQ(resumed(), parts()) << "reading changes nothing";
}

TEST_F(JobLogFile, keeps_the_seed_of_the_first_run) {
  write_all();
  JobLog log(settings(), log_);
  Batch again = batch("halve", 6);
  again.seed = 43;
  log.begin(again);
  EXPECT_EQ(again.seed, 42u);
}

// A driver may be killed in the middle of any write.
TEST_F(JobLogFile, cut_short_at_any_byte_it_holds_the_records_that_are_whole) {
  const std::vector<std::size_t> ends = write_all();
  const std::string bytes = content();
  const Read more{1, 60, 61, {}, "more"};
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    put(bytes.substr(0, size));
    std::vector<Read> expected = of_parts(parts(), ends, size);
    testing::internal::CaptureStderr();
    {
      JobLog log(settings(), log_);
      ASSERT_EQ(begin_both(log), expected) << size << " of " << bytes.size() << " bytes";
      add(log, more);
    }
    expected.push_back(more);
    ASSERT_EQ(resumed(), expected) << size << " of " << bytes.size() << " bytes";
    ASSERT_THAT(testing::internal::GetCapturedStderr(), IsEmpty());
  }
}

// A machine that dies may leave anything in what was not kept yet.
TEST_F(JobLogFile, with_any_byte_changed_it_holds_what_lies_before_it_and_says_where_that_ends) {
  const std::vector<std::size_t> ends = write_all();
  const std::string bytes = content();
  for (std::size_t at = job_log::kHeaderSize; at < bytes.size(); ++at) {
    std::size_t before = job_log::kHeaderSize;
    for (const std::size_t end : ends)
      if (end <= at) before = end;
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      put(changed);
      testing::internal::CaptureStderr();
      ASSERT_EQ(resumed(), of_parts(parts(), ends, before)) << "byte " << at;
      ASSERT_THAT(testing::internal::GetCapturedStderr(),
                  AllOf(HasSubstr(file_), HasSubstr("byte " + std::to_string(before) + ":")));
    }
  }
}

TEST_F(JobLogFile, with_any_byte_of_its_header_changed_it_is_refused_and_left_as_it_is) {
  write_all();
  const std::string bytes = content();
  for (std::size_t at = 0; at < job_log::kHeaderSize; ++at) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      put(changed);
      ASSERT_THAT(refusal(settings()), HasSubstr(file_)) << "byte " << at;
    }
  }
}

TEST_F(JobLogFile, followed_by_zeros_it_is_damaged_there) {
  write_all();
  const std::string bytes = content();
  put(bytes + std::string(5'000, '\0'));
  testing::internal::CaptureStderr();
  EXPECT_EQ(resumed(), parts());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("5000 bytes"));
  EXPECT_EQ(content(), bytes);
}

// Each hangs on the one before: a record of the same log in another place is not believed.
TEST_F(JobLogFile, a_record_in_the_place_of_another_is_damage) {
  const std::vector<std::size_t> ends = write_all();
  const std::string bytes = content();
  put(bytes + bytes.substr(ends[1], ends[2] - ends[1]));
  testing::internal::CaptureStderr();
  EXPECT_EQ(resumed(), parts());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is damaged at byte"));
}

TEST_F(JobLogFile, that_exists_is_not_overwritten) {
  write_all();
  EXPECT_THAT(refusal(settings(false)),
              AllOf(HasSubstr(file_), HasSubstr("--resume"), HasSubstr("PP_RESUME=on")));
}

TEST_F(JobLogFile, that_is_empty_or_missing_is_begun) {
  put("");
  EXPECT_THAT(resumed(), IsEmpty());
  std::filesystem::remove(file_);
  EXPECT_THAT(resumed(), IsEmpty());
  std::filesystem::remove(file_);
  put("");
  EXPECT_EQ(write_all().size(), 6u);
}

TEST_F(JobLogFile, of_another_program_is_refused) {
  write_all();
  JobLog::Settings other = settings();
  other.header.functions = 8;
  EXPECT_THAT(refusal(other), AllOf(HasSubstr("another program"), HasSubstr("0000000000000007"),
                                    HasSubstr("0000000000000008")));
  other = settings();
  other.header.build = "another compiler";
  EXPECT_THAT(refusal(other), AllOf(HasSubstr("build a compiler"), HasSubstr("another compiler")));
  other = settings();
  other.header.seed = 5;
  EXPECT_THAT(refusal(other), AllOf(HasSubstr("PP_SEED=0"), HasSubstr("PP_SEED=5")));
}

TEST_F(JobLogFile, that_is_something_else_is_refused) {
  put("a letter to a friend");
  EXPECT_THAT(refusal(settings()), HasSubstr("is no job log"));
  put("x");
  EXPECT_THAT(refusal(settings()), HasSubstr("is no job log"));
  JobLog::Settings folder = settings();
  folder.file = folder_;
  EXPECT_THAT(refusal(folder), HasSubstr(folder_));
  ASSERT_EQ(mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  folder.file = folder_ + "/pipe";
  EXPECT_THAT(refusal(folder), HasSubstr("no regular file"));
  folder.file = folder_ + "/nowhere/log";
  EXPECT_THAT(refusal(folder), HasSubstr("No such file"));
}

TEST_F(JobLogFile, belongs_to_one_driver_at_a_time) {
  write_all();
  {
    JobLog log(settings(), log_);
    EXPECT_THAT(refusal(settings()), HasSubstr("in use by another driver"));
    EXPECT_THAT(refusal(settings(false)), HasSubstr("in use by another driver"));
  }
  EXPECT_EQ(resumed(), parts());
}

TEST_F(JobLogFile, is_waited_for_while_its_last_driver_ends) {
  write_all();
  auto last = std::make_unique<JobLog>(settings(), log_);
  std::thread ending([&] { last.reset(); });
  JobLog::Settings patient = settings();
  patient.patience = 60s;
  {
    JobLog log(patient, log_);
    EXPECT_EQ(begin_both(log), parts());
  }
  ending.join();
}

TEST_F(JobLogFile, with_another_batch_in_its_place_is_refused_by_the_batch) {
  write_all();
  const std::string before = content();
  const auto refused = [&](Batch other) {
    JobLog log(settings(), log_);
    try {
      log.begin(other);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refused(batch("halve", 7)),
              AllOf(HasSubstr("batch 1 "), HasSubstr("7 calls of halve"),
                    HasSubstr("6 calls of halve"), HasSubstr(file_)));
  EXPECT_THAT(refused(batch("treble", 6)),
              AllOf(HasSubstr("6 calls of treble"), HasSubstr("6 calls of halve")));
  Batch other = batch("halve", 6);
  other.input[15] = 1;
  EXPECT_THAT(refused(other), HasSubstr("other elements or arguments"));
  EXPECT_EQ(content(), before);
}

TEST_F(JobLogFile, takes_what_many_threads_add) {
  constexpr int kThreads = 4, kEach = 5'000;
  {
    JobLog log(settings(false), log_);
    Batch one = batch("halve", kThreads * kEach);
    log.begin(one);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&log, t] {
        for (int i = 0; i < kEach; ++i) {
          const auto n = static_cast<std::uint64_t>(t * kEach + i);
          add(log, {0, n, n + 1, {}, std::to_string(n)});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  JobLog log(settings(), log_);
  Batch one = batch("halve", kThreads * kEach);
  log.begin(one);
  std::vector<bool> seen(kThreads * kEach);
  codec::Bytes bytes;
  for (const JobLog::Part& part : log.parts(0)) {
    const Elements elements = log.values(part, bytes);
    ASSERT_EQ(
        std::string(reinterpret_cast<const char*>(elements.values.data()), elements.values.size()),
        std::to_string(part.first));
    ASSERT_FALSE(seen[part.first]);
    seen[part.first] = true;
  }
  EXPECT_EQ(std::ranges::count(seen, true), kThreads * kEach);
}

// More than may be unwritten at a time: who adds waits, and nothing is lost.
TEST_F(JobLogFile, makes_those_wait_who_are_faster_than_the_disk) {
  const std::string large(JobLog::kMostUnwritten / 4, 'x');
  {
    JobLog log(settings(false), log_);
    Batch one = batch("halve", 12);
    log.begin(one);
    for (std::uint64_t n = 0; n < 12; ++n) add(log, {0, n, n + 1, {}, large});
  }
  JobLog log(settings(), log_);
  Batch one = batch("halve", 12);
  log.begin(one);
  EXPECT_EQ(log.parts(0).size(), 12u);
}

// A limit on the size of files is met as a full disk is.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(JobLogFile, that_was_settled_has_it_all_though_nobody_ends_it) {
  JobLog log(settings(), log_);
  Batch one = batch("f", 1000);
  log.begin(one);
  for (std::uint64_t i = 0; i < 100; ++i) add(log, {one.number, i, i + 1, {}, "v"});
  log.settle();
  const auto size = std::filesystem::file_size(file_);
  log.settle();
  EXPECT_EQ(std::filesystem::file_size(file_), size);
  add(log, {one.number, 100, 101, {}, "v"});
  log.settle();
  EXPECT_GT(std::filesystem::file_size(file_), size);
}

TEST_F(JobLogFile, that_cannot_grow_says_so_once_and_keeps_what_it_has) {
  testing::internal::CaptureStderr();
  {
    const SizeLimit limit(20'000);
    JobLog log(settings(false), log_);
    Batch one = batch("halve", 100'000);
    log.begin(one);
    for (std::uint64_t n = 0; n < 100'000; ++n) add(log, {0, n, n + 1, {}, std::string(100, 'x')});
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, AllOf(testing::StartsWith("pp test warning: the job log " + file_ +
                                              " cannot be written (File too large)"),
                          HasSubstr("NOTHING MORE IS RECORDED")));
  EXPECT_EQ(std::ranges::count(said, '\n'), 1);
  JobLog log(settings(), log_);
  Batch one = batch("halve", 100'000);
  log.begin(one);
  const std::vector<JobLog::Part> kept = log.parts(0);
  EXPECT_GT(kept.size(), 50u);
  EXPECT_LT(kept.size(), 200u);
}

}  // namespace
}  // namespace pp::runtime
