// Statistics: the table's columns stand under each other and its figures add up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iomanip>
#include <pp/statistics.hpp>
#include <sstream>

namespace pp {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> printed(const Statistics& statistics) {
  std::stringstream stream;
  print_statistics(stream, statistics);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

Statistics two_nodes() {
  Statistics statistics;
  statistics.nodes = {{NodeId{}, "here:1", 4, true, 75, milliseconds(1500), 0},
                      {NodeId{}, "there:2", 8, true, 25, milliseconds(500), 25}};
  statistics.elapsed = milliseconds(1234);
  return statistics;
}

std::vector<std::size_t> bars(const std::string& line) {
  std::vector<std::size_t> places;
  for (std::size_t at = line.find('|'); at != line.npos; at = line.find('|', at + 1)) {
    places.push_back(at);
  }
  return places;
}

TEST(Statistics, the_table_says_who_did_how_much) {
  const std::vector<std::string> lines = printed(two_nodes());
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], "Job execution statistics:");
  EXPECT_EQ(lines[1], "   job count | % of all jobs | job time sum | time per job | node");
  EXPECT_EQ(lines[2], "          75 |         75.00 |       1.5000 |     0.020000 | here:1");
  EXPECT_EQ(lines[3], "          25 |         25.00 |       0.5000 |     0.020000 | there:2");
  EXPECT_EQ(lines[4], "Time elapsed since start: 1.234 s; 2 nodes, 12 workers");
}

TEST(Statistics, the_columns_stand_under_each_other) {
  Statistics statistics = two_nodes();
  statistics.nodes[0].jobs = 999'999'999'999;
  statistics.nodes[1].time = std::chrono::hours(24);
  const std::vector<std::string> lines = printed(statistics);
  EXPECT_EQ(bars(lines[2]), bars(lines[1]));
  EXPECT_EQ(bars(lines[3]), bars(lines[1]));
}

TEST(Statistics, a_node_without_jobs_divides_nothing_by_zero) {
  Statistics statistics;
  statistics.nodes = {{NodeId{}, "idle:1", 1, true, 0, milliseconds(0), 0}};
  const std::vector<std::string> lines = printed(statistics);
  EXPECT_EQ(lines[2], "           0 |          0.00 |       0.0000 |     0.000000 | idle:1");
  EXPECT_THAT(lines[3], HasSubstr("1 node, 1 worker"));
  EXPECT_THAT(lines[3], Not(HasSubstr("workers")));
}

TEST(Statistics, who_is_gone_is_listed_but_counts_no_workers) {
  Statistics statistics = two_nodes();
  statistics.nodes[1].present = false;
  const std::vector<std::string> lines = printed(statistics);
  EXPECT_THAT(lines[3], HasSubstr("| there:2 (gone)"));
  EXPECT_THAT(lines[3], HasSubstr(" 25.00 |"));
  EXPECT_THAT(lines[4], HasSubstr("1 node, 4 workers"));
}

TEST(Statistics, what_did_not_happen_is_not_mentioned) {
  EXPECT_THAT(printed(two_nodes())[4], Not(HasSubstr("lent")));
  Statistics statistics = two_nodes();
  statistics.lent = 25;
  statistics.lost = 2;
  statistics.refused_peers = 3;
  EXPECT_EQ(printed(statistics)[4],
            "Time elapsed since start: 1.234 s; 2 nodes, 12 workers; 25 jobs of this node lent; 2 "
            "executions lost with a node and begun again; 3 connections refused");
}

TEST(Statistics, what_was_taken_from_a_job_log_is_mentioned_if_there_is_one) {
  Statistics statistics = two_nodes();
  statistics.recorded_elements = 900;
  EXPECT_THAT(printed(statistics)[4],
              HasSubstr("workers; 0 of 900 elements taken from the job log"));
  statistics.resumed_elements = 120;
  EXPECT_THAT(printed(statistics)[4],
              HasSubstr("workers; 120 of 900 elements taken from the job log"));
}

std::string printed_of(const IgnoredBeacons& ignored) {
  Statistics statistics = two_nodes();
  statistics.ignored = ignored;
  const std::string line = printed(statistics).at(4);
  const std::string before = "2 nodes, 12 workers";
  return line.substr(line.find(before) + before.size());
}

TEST(Statistics, beacons_that_were_ignored_are_said_by_kind) {
  EXPECT_EQ(printed_of({12, 3, 40, 7}),
            "; 12 beacons of other clusters, 3 forged, 40 replayed and 7 malformed ones ignored");
  EXPECT_EQ(printed_of({12, 0, 0, 1}),
            "; 12 beacons of other clusters and 1 malformed one ignored");
  EXPECT_EQ(printed_of({12, 0, 0, 0}), "; 12 beacons of other clusters ignored");
  EXPECT_EQ(printed_of({1, 0, 0, 0}), "; 1 beacon of another cluster ignored");
  EXPECT_EQ(printed_of({0, 3, 40, 0}), "; 3 forged and 40 replayed beacons ignored");
  EXPECT_EQ(printed_of({0, 0, 1, 0}), "; 1 replayed beacon ignored");
  EXPECT_EQ(printed_of({0, 0, 0, 0}), "");
}

TEST(Statistics, the_callers_stream_keeps_its_format) {
  std::ostringstream stream;
  stream << std::hex << std::setprecision(3);
  print_statistics(stream, two_nodes());
  EXPECT_THAT(stream.str(), HasSubstr("          75 |"));
  stream.str("");
  stream << 255 << ' ' << 1.23456;
  EXPECT_EQ(stream.str(), "ff 1.23");
}

}  // namespace
}  // namespace pp
