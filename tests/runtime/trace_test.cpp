// The trace: what workers write down, how clocks are compared, and what the file shows.
#include "trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "clock_offset.hpp"
#include "json.hpp"
#include "trace_file.hpp"

namespace pp::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = TraceRecord::Kind;

TraceRecord job(std::int64_t begin, std::int64_t end, std::uint64_t id = 1,
                std::uint64_t function = 7) {
  TraceRecord record;
  record.kind = Kind::kJob;
  record.begin = begin;
  record.end = end;
  record.job = id;
  record.what = function;
  return record;
}

std::vector<TraceRecord> taken(TraceTrack& track, bool growing) {
  std::vector<TraceRecord> records;
  track.take([&](const TraceRecord& record) { records.push_back(record); }, growing);
  return records;
}

// ---- tracks

TEST(TraceTrack, long_jobs_are_told_one_by_one) {
  const auto track = std::make_unique<TraceTrack>();
  track->add(job(0, 100, 1), 100, 0);
  track->add(job(100, 250, 2), 100, 0);
  EXPECT_THAT(taken(*track, false), ElementsAre(job(0, 100, 1), job(100, 250, 2)));
  EXPECT_THAT(taken(*track, true), IsEmpty());
}

TEST(TraceTrack, short_jobs_in_a_row_are_one_record_until_it_is_as_long_as_the_grain) {
  const auto track = std::make_unique<TraceTrack>();
  for (int i = 0; i < 25; ++i) track->add(job(10 * i, 10 * i + 10, 1), 100, 0);
  TraceRecord first = job(0, 100);
  first.count = 10;
  TraceRecord second = job(100, 200);
  second.count = 10;
  EXPECT_THAT(taken(*track, false), ElementsAre(first, second));
}

TEST(TraceTrack, the_record_that_still_grows_is_told_at_the_end) {
  const auto track = std::make_unique<TraceTrack>();
  for (int i = 0; i < 3; ++i) track->add(job(10 * i, 10 * i + 5, 4), 100, 0);
  EXPECT_THAT(taken(*track, false), IsEmpty());
  TraceRecord grown = job(0, 25, 4);
  grown.count = 3;
  EXPECT_THAT(taken(*track, true), ElementsAre(grown));
}

TEST(TraceTrack, jobs_of_another_function_owner_attempt_or_depth_are_not_thrown_together) {
  const auto track = std::make_unique<TraceTrack>();
  track->add(job(0, 1), 100, 0);
  track->add(job(1, 2, 1, 8), 100, 0);
  TraceRecord foreign = job(2, 3, 1, 8);
  foreign.other = 5;
  track->add(foreign, 100, 0);
  TraceRecord again = foreign;
  again.begin = 3;
  again.end = 4;
  again.attempt = 2;
  track->add(again, 100, 0);
  TraceRecord child = again;
  child.begin = 4;
  child.end = 5;
  track->add(child, 100, 1);
  track->add(job(300, 301, 1), 100, 1);  // long after
  EXPECT_THAT(taken(*track, true), SizeIs(6));
}

// What viewers need: of two records of a worker one lies within the other, or they do not touch.
TEST(TraceTrack, a_job_that_ran_on_top_of_another_lies_within_it) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const auto track = std::make_unique<TraceTrack>();
    std::int64_t now = 0;
    const auto run = [&](auto& self, unsigned depth) -> void {
      const std::int64_t begin = now;
      now += random() % 20;
      while (depth < 3 && random() % 2 == 0) {
        self(self, depth + 1);
        now += random() % 20;
      }
      track->add(job(begin, now, random(), random() % 2), 50, depth);
      now += random() % 3;
    };
    for (int i = 0; i < 20; ++i) run(run, 0);
    const std::vector<TraceRecord> records = taken(*track, true);
    for (const TraceRecord& a : records) {
      for (const TraceRecord& b : records) {
        const bool apart = a.end <= b.begin || b.end <= a.begin;
        const bool within =
            (a.begin <= b.begin && b.end <= a.end) || (b.begin <= a.begin && a.end <= b.end);
        ASSERT_TRUE(apart || within)
            << round << ": " << a.begin << ".." << a.end << " and " << b.begin << ".." << b.end;
      }
    }
  }
}

TEST(TraceTrack, what_finds_it_full_is_counted) {
  const auto track = std::make_unique<TraceTrack>();
  for (std::size_t i = 0; i < TraceTrack::kRecords + 5; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    track->add(job(at * 10, at * 10 + 10), 1, 0);
  }
  EXPECT_EQ(track->take_dropped(), 5u);
  EXPECT_EQ(track->take_dropped(), 0u);
  EXPECT_THAT(taken(*track, false), SizeIs(TraceTrack::kRecords));
}

TEST(TraceTrack, says_once_that_half_of_it_is_full) {
  const auto track = std::make_unique<TraceTrack>();
  int due = 0;
  for (std::size_t i = 0; i < TraceTrack::kRecords - 1; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    due += track->add(job(at * 10, at * 10 + 10), 1, 0) ? 1 : 0;
  }
  EXPECT_EQ(due, 1);
}

// What it would catch: a slot that is read while it is written (two words that do not belong
// together), one that is told twice, one that is lost without being counted.
TEST(TraceTrack, a_reader_beside_the_writer_gets_each_job_once_and_whole) {
  constexpr std::int64_t kJobs = 300'000;
  const auto track = std::make_unique<TraceTrack>();
  std::uint64_t jobs = 0;
  std::int64_t reached = -1;
  const auto take = [&](const TraceRecord& record) {
    EXPECT_EQ(record.job, static_cast<std::uint64_t>(record.begin));
    EXPECT_GT(record.begin, reached);
    EXPECT_EQ(record.end, record.begin + record.count);
    reached = record.begin;
    jobs += record.count;
  };
  std::thread writer([&] {
    for (std::int64_t i = 0; i < kJobs; ++i)
      track->add(job(i, i + 1, static_cast<std::uint64_t>(i)), i % 3 == 0 ? 1 : 3, 0);
  });
  for (int i = 0; i < 1000; ++i) track->take(take, false);
  writer.join();
  track->take(take, true);
  EXPECT_EQ(jobs + track->take_dropped(), static_cast<std::uint64_t>(kJobs));
}

// What it would catch: the growing record read half written.
TEST(TraceTrack, the_growing_record_is_read_whole_while_it_grows) {
  constexpr std::int64_t kJobs = 200'000;
  const auto track = std::make_unique<TraceTrack>();
  std::thread writer([&] {
    for (std::int64_t i = 0; i < kJobs; ++i)
      track->add(job(i, i + 1, static_cast<std::uint64_t>(i)), 1'000'000'000, 0);
  });
  std::uint32_t most = 0;
  while (most < kJobs) {
    for (const TraceRecord& record : taken(*track, true)) {
      ASSERT_EQ(record.begin, 0);
      ASSERT_EQ(record.end, record.count);
      ASSERT_GE(record.count, most);
      most = record.count;
    }
  }
  writer.join();
}

TEST(TraceTrack, of_children_that_are_too_short_few_are_looked_at_until_one_is_not) {
  TraceTrack& track = *new TraceTrack;
  const std::unique_ptr<TraceTrack> owner(&track);
  int looked = 0;
  for (int i = 0; i < 1000; ++i) {
    if (track.passes_over()) continue;
    ++looked;
    track.took(50);
  }
  EXPECT_LT(looked, 30);
  EXPECT_GT(looked, 10);
  while (track.passes_over()) {
  }
  track.took(50'000);
  EXPECT_FALSE(track.passes_over());
}

TEST(TraceTrack, what_runs_on_top_of_a_child_that_is_passed_over_is_passed_over_too) {
  const auto track = std::make_unique<TraceTrack>();
  track->pass();
  EXPECT_TRUE(track->passes_over());
  track->pass();
  track->go_on();
  EXPECT_TRUE(track->passes_over());
  track->go_on();
  EXPECT_FALSE(track->passes_over());
}

// ---- clocks

TEST(ClockOffset, an_answer_tells_the_middle_and_is_wrong_by_half_of_the_way_at_most) {
  ClockOffset clock;
  EXPECT_FALSE(clock.known());
  clock.add(1'000, 6'400, 6'500, 1'500);  // 400 under way, 5,200 ahead
  ASSERT_TRUE(clock.known());
  EXPECT_EQ(clock.at(6'450).ahead, 5'200);
  EXPECT_EQ(clock.at(6'450).error, 201);
  EXPECT_EQ(clock.ours(6'450), 1'250);
}

TEST(ClockOffset, one_clock_is_never_wrong) {
  ClockOffset clock;
  clock.same_clock();
  clock.add(1'000, 6'400, 6'500, 1'500);
  EXPECT_TRUE(clock.known());
  EXPECT_EQ(clock.ours(6'450), 6'450);
  EXPECT_EQ(clock.largest_error(), 0);
}

TEST(ClockOffset, what_cannot_be_counts_nothing) {
  ClockOffset clock;
  clock.add(1'000, 6'500, 6'400, 1'500);  // said before it was heard
  clock.add(1'500, 6'400, 6'500, 1'000);  // answered before it was asked
  clock.add(1'000, 6'000, 9'000, 1'500);  // longer there than in all
  EXPECT_FALSE(clock.known());
}

TEST(ClockOffset, a_slow_answer_does_not_count_beside_a_quick_one) {
  ClockOffset clock;
  clock.add(0, 1'000'050, 1'000'050, 100);
  clock.add(1'000, 1'001'900, 1'001'900, 3'000);
  EXPECT_EQ(clock.at(1'001'900).ahead, 1'000'000);
  clock.add(4'000, 1'004'010, 1'004'010, 4'020);  // and a quicker one makes up for both
  EXPECT_EQ(clock.at(1'000'050).ahead, 1'000'000);
  EXPECT_LE(clock.largest_error(), 11);
}

// The true offset drifts, ways are of unequal lengths, some answers come late: at no time is the
// estimate further off than it says.
TEST(ClockOffset, is_never_further_off_than_it_says) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    ClockOffset clock;
    const auto start = static_cast<std::int64_t>(random() % 1'000'000'000'000);
    const double drift = (static_cast<double>(random() % 2001) - 1000) / 1000 * 0.9e-4;
    const auto theirs_at = [&](std::int64_t ours) {
      return start + ours + static_cast<std::int64_t>(drift * static_cast<double>(ours));
    };
    const auto way = [&] {
      const bool late = random() % 5 == 0;
      return static_cast<std::int64_t>(10'000 + random() % (late ? 20'000'000 : 100'000));
    };
    for (int second = 0; second < 60; ++second) {
      const std::int64_t asked = second * 1'000'000'000ll;
      const std::int64_t heard = asked + way();
      const std::int64_t said = heard + static_cast<std::int64_t>(random() % 10'000);
      clock.add(asked, theirs_at(heard), theirs_at(said), said + way());
    }
    for (std::int64_t ours = 0; ours < 65'000'000'000; ours += 77'777'777) {
      const std::int64_t theirs = theirs_at(ours);
      const ClockOffset::Estimate estimate = clock.at(theirs);
      ASSERT_LE(std::abs(theirs - estimate.ahead - ours), estimate.error + 2)
          << round << ' ' << ours;
    }
    EXPECT_LT(clock.largest_error(), 1'500'000) << round;  // after some late answers in a row
  }
}

TEST(ClockOffset, two_times_stay_in_their_order) {
  ClockOffset clock;
  clock.add(0, 1'000'000, 1'000'000, 1'000);
  clock.add(1'000'000'000, 1'001'050'000, 1'001'050'000, 1'000'001'000);
  std::int64_t last = INT64_MIN;
  for (std::int64_t theirs = 0; theirs < 1'100'000'000; theirs += 999'983) {
    EXPECT_GT(clock.ours(theirs), last);
    last = clock.ours(theirs);
  }
}

// ---- the file

class TraceFiles : public testing::Test {
 protected:
  TraceFiles() { std::filesystem::create_directory(folder_); }
  ~TraceFiles() override { std::filesystem::remove_all(folder_); }

  static NodeId node(std::uint8_t first) {
    NodeId id;
    id.bytes.fill(first);
    return id;
  }
  static std::span<const std::byte> bytes(const std::vector<TraceRecord>& records) {
    return std::as_bytes(std::span(records));
  }
  static std::string_view name_of(std::uint64_t function) {
    return function == 7 ? "seven \"quoted\"" : "another";
  }
  test::Json read() const {
    std::ifstream stream(file_);
    std::stringstream text;
    text << stream.rdbuf();
    return test::Json::parse(text.str());
  }
  // The events of this category.
  static std::vector<test::Json> events(const test::Json& trace, const std::string& category) {
    std::vector<test::Json> found;
    for (const test::Json& event : trace["traceEvents"].list)
      if (event["cat"].text == category) found.push_back(event);
    return found;
  }

  const std::string folder_ = testing::TempDir() + "trace_files." + std::to_string(getpid());
  const std::string file_ = folder_ + "/trace.json";
  const NodeId self_ = node(1);
};

TEST_F(TraceFiles, shows_jobs_of_all_nodes_on_the_drivers_clock) {
  TraceFile trace(file_, self_, "driver", 1'000);
  trace.meet(node(2), "worker \\ 2");
  trace.tell_clock(node(2), false, 1'000, 1'001'000, 1'001'000, 1'000);  // a million ahead
  EXPECT_TRUE(trace.add(self_, bytes({job(2'000, 5'000, 0xabc)}), 0));
  TraceRecord borrowed = job(1'003'000, 1'004'500, 0xdef, 8);
  borrowed.other = brief(self_);
  borrowed.worker = 3;
  borrowed.attempt = 2;
  EXPECT_TRUE(trace.add(node(2), bytes({borrowed}), 0));
  EXPECT_EQ(trace.write(name_of), "");
  const test::Json json = read();
  const std::vector<test::Json> jobs = events(json, "job");
  ASSERT_THAT(jobs, SizeIs(2));
  EXPECT_EQ(jobs[0]["name"].text, "seven \"quoted\"");
  EXPECT_EQ(jobs[0]["ts"].number, 1.0);
  EXPECT_EQ(jobs[0]["dur"].number, 3.0);
  EXPECT_EQ(jobs[0]["pid"].number, 0);
  EXPECT_EQ(jobs[0]["tid"].number, 1);
  EXPECT_EQ(jobs[0]["args"]["job"].text, "0000000000000abc");
  EXPECT_EQ(jobs[1]["ts"].number, 2.0);
  EXPECT_EQ(jobs[1]["dur"].number, 1.5);
  EXPECT_EQ(jobs[1]["pid"].number, 1);
  EXPECT_EQ(jobs[1]["tid"].number, 4);
  EXPECT_EQ(jobs[1]["args"]["owner"].text, "driver");
  EXPECT_EQ(jobs[1]["args"]["attempt"].number, 2);
  EXPECT_EQ(json["otherData"]["nodes"].list.at(1)["name"].text, "worker \\ 2");
  EXPECT_EQ(json["otherData"]["nodes"].list.at(1)["clock_error_us"].number, 0.001);
}

TEST_F(TraceFiles, shows_what_couriers_tell_as_spans_of_their_own) {
  TraceFile trace(file_, self_, "driver", 0);
  TraceRecord steal = job(10'000, 20'000);
  steal.kind = Kind::kSteal;
  steal.other = brief(node(9));
  TraceRecord transfer = job(30'000, 40'000, 0, 64'000'000);
  transfer.kind = Kind::kTransfer;
  transfer.other = brief(self_);
  TraceRecord loan = job(50'000, 60'000);
  loan.kind = Kind::kLoan;
  TraceRecord lost = loan;
  lost.kind = Kind::kLost;
  EXPECT_TRUE(trace.add(self_, bytes({steal, transfer, loan, lost}), 0));
  EXPECT_EQ(trace.write(name_of), "");
  const test::Json json = read();
  for (const char* category : {"steal", "transfer", "loan", "lost"}) {
    const auto both = events(json, category);
    ASSERT_THAT(both, SizeIs(2)) << category;
    EXPECT_EQ(both[0]["ph"].text, "b");
    EXPECT_EQ(both[1]["ph"].text, "e");
    EXPECT_EQ(both[0]["id"].number, both[1]["id"].number);
    EXPECT_EQ(both[0]["name"].text, both[1]["name"].text);
    EXPECT_EQ(both[1]["ts"].number - both[0]["ts"].number, 10) << category;
  }
  EXPECT_EQ(events(json, "transfer")[0]["name"].text, "64 MB from driver");
  EXPECT_EQ(events(json, "steal")[0]["args"]["victim"].text, "a node that is not known");
}

TEST_F(TraceFiles, what_none_of_ours_would_write_down_is_refused_as_a_whole) {
  TraceFile trace(file_, self_, "driver", 0);
  const std::vector<TraceRecord> good{job(1, 2)};
  EXPECT_FALSE(trace.add(node(2), bytes(good).first(47), 0));
  for (int wrong = 0; wrong < 5; ++wrong) {
    std::vector<TraceRecord> records{job(1, 2), job(1, 2)};
    if (wrong == 0) records[1].end = 0;
    if (wrong == 1) records[1].begin = -1;
    if (wrong == 2) records[1].worker = 1024;
    if (wrong == 3) records[1].kind = Kind::kNone;
    if (wrong == 4) records[1].kind = static_cast<Kind>(200);
    EXPECT_FALSE(trace.add(node(2), bytes(records), 0)) << wrong;
  }
  trace.write(name_of);
  EXPECT_THAT(events(read(), "job"), IsEmpty());
}

TEST_F(TraceFiles, says_what_is_missing) {
  TraceFile trace(file_, self_, "driver", 0);
  trace.meet(node(2), "deaf");
  EXPECT_TRUE(trace.add(self_, bytes({job(1, 2)}), 41));
  EXPECT_THAT(trace.write(name_of), AllOf(HasSubstr("41 jobs are not in it"),
                                          HasSubstr("nothing is known of the clock of deaf")));
}

TEST_F(TraceFiles, more_jobs_are_shown_together_when_there_are_too_many) {
  TraceFile trace(file_, self_, "driver", 0);
  EXPECT_EQ(trace.measure(1).grain, TraceFile::kGrain);
  const std::vector<TraceRecord> many(TraceFile::kMostRecords / 10, job(1, 2));
  EXPECT_TRUE(trace.add(self_, bytes(many), 0));
  EXPECT_EQ(trace.measure(1).grain, 2 * TraceFile::kGrain);
  EXPECT_EQ(trace.measure(1).grain, 2 * TraceFile::kGrain);
  EXPECT_GT(trace.measure(1).records_per_second, trace.measure(1000).records_per_second);
}

TEST_F(TraceFiles, is_json_before_its_end_and_leaves_nothing_beside_it) {
  {
    const TraceFile trace(file_, self_, "driver", 0);
    EXPECT_THAT(read()["traceEvents"].list, IsEmpty());
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(TraceFiles, a_file_that_cannot_be_made_is_refused_at_once) {
  try {
    const TraceFile trace(folder_ + "/nowhere/trace.json", self_, "driver", 0);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("nowhere/trace.json"), HasSubstr("PP_TRACE")));
  }
}

TEST(TraceTimes, are_written_in_microseconds) {
  EXPECT_EQ(TraceFile::microseconds(0), "0.000");
  EXPECT_EQ(TraceFile::microseconds(1'234'567), "1234.567");
  EXPECT_EQ(TraceFile::microseconds(-12), "-0.012");
}

}  // namespace
}  // namespace pp::runtime
