// One trace of a whole launch: every node is in it, on one clock, also one that died.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "cluster.hpp"
#include "json.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Traced : public Cluster {
 protected:
  static constexpr int kElements = 200;

  std::vector<std::string> program() const {
    return {SUMS_PROGRAM, std::to_string(kElements), "3", folder_ / "executed"};
  }
  Json read() const {
    std::ifstream stream(file_);
    std::stringstream text;
    text << stream.rdbuf();
    return Json::parse(text.str());
  }
  static std::vector<Json> events(const Json& trace, const std::string& category,
                                  const std::string& phase) {
    std::vector<Json> found;
    for (const Json& event : trace["traceEvents"].list)
      if (event["cat"].text == category && event["ph"].text == phase) found.push_back(event);
    return found;
  }
  // How wrong the clock of each node may be, by its name.
  static std::map<std::string, double> errors(const Json& trace) {
    std::map<std::string, double> errors;
    for (const Json& node : trace["otherData"]["nodes"].list)
      errors[node["name"].text] = node["clock_error_us"].number;
    return errors;
  }

  // Every job that was lent ran between its loan's beginning and its end, within the stated error;
  // says how many were looked at.
  static int check_loans(const Json& trace) {
    std::map<int, std::string> names;
    for (const Json& node : trace["otherData"]["nodes"].list)
      names[static_cast<int>(node["pid"].number)] = node["name"].text;
    std::map<double, double> ends;
    for (const Json& event : events(trace, "loan", "e"))
      ends[event["id"].number] = event["ts"].number;
    std::map<std::string, Json> runs;
    for (const Json& event : events(trace, "job", "X"))
      runs[names[static_cast<int>(event["pid"].number)] + event["args"]["job"].text] = event;
    int checked = 0;
    for (const Json& loan : events(trace, "loan", "b")) {
      const std::string& borrower = loan["args"]["borrower"].text;
      const auto run = runs.find(borrower + loan["args"]["job"].text);
      if (run == runs.end()) continue;
      if (run->second["args"]["attempt"].number != loan["args"]["attempt"].number) continue;
      if (!run->second["args"]["jobs"].is_null()) continue;  // several in one
      const double error = errors(trace)[borrower] + 0.002;
      const double begun = run->second["ts"].number;
      EXPECT_GE(begun + error, loan["ts"].number) << borrower;
      EXPECT_LE(begun + run->second["dur"].number, ends.at(loan["id"].number) + error) << borrower;
      ++checked;
    }
    return checked;
  }

  const std::string file_ = folder_ / "trace.json";
};

TEST_F(Traced, three_nodes_are_in_one_file_and_what_ran_elsewhere_ran_while_it_was_lent) {
  Process run(launch(3, program(), {"--trace", file_}));
  EXPECT_EQ(run.wait(), 0) << run.err();
  const Json trace = read();
  std::set<double> nodes;
  for (const Json& event : events(trace, "job", "X")) nodes.insert(event["pid"].number);
  EXPECT_EQ(nodes, (std::set<double>{0, 1, 2})) << run.out();
  EXPECT_EQ(trace["otherData"]["nodes"].list.size(), 3u);
  EXPECT_GT(check_loans(trace), 0);
  EXPECT_FALSE(events(trace, "steal", "b").empty());
  EXPECT_THAT(run.err(), Not(HasSubstr("trace")));
}

TEST_F(Traced, a_program_that_is_alone_draws_its_own) {
  Process run(launch(1, {SUM_PRIMES_PROGRAM}, {"--trace", file_}));
  EXPECT_EQ(run.wait(), 0) << run.err();
  const Json trace = read();
  EXPECT_EQ(events(trace, "job", "X").size(), 9u);
  EXPECT_EQ(events(trace, "job", "X").front()["name"].text, "sum_primes");
}

TEST_F(Traced, what_a_node_had_told_before_it_died_is_there) {
  Process run(launch(3, {SUMS_PROGRAM, "2000", "3", folder_ / "executed"}, {"--trace", file_}));
  run.wait_for_line("nodes are there");
  // Until it has told something: once a second it does.
  const auto victims = run.family_with("PP_ROLE=worker");
  ASSERT_EQ(victims.size(), 2u);
  ::sleep(3);
  ::kill(victims.front(), SIGKILL);
  EXPECT_EQ(run.wait(), 0) << run.err();
  const Json trace = read();
  std::set<double> nodes;
  for (const Json& event : events(trace, "job", "X")) nodes.insert(event["pid"].number);
  EXPECT_EQ(nodes.size(), 3u);
}

// Two systems whose clocks are 5,000 s apart, and no more than estimates to put them together.
TEST_F(Traced, clocks_that_tell_other_times_are_put_together) {
  Process probe({"unshare", "-T", "--monotonic", "5000", "true"});
  if (probe.wait() != 0) GTEST_SKIP() << "no time namespaces here: " << probe.err();
  const std::string script =
      "if [ \"$PP_ROLE\" = worker ]; then exec unshare -T --monotonic 5000 -- \"$0\" \"$@\"; fi; "
      "exec \"$0\" \"$@\"";
  std::vector<std::string> command{"sh", "-c", script};
  for (const std::string& word : program()) command.push_back(word);
  Process run(launch(2, command, {"--trace", file_}));
  EXPECT_EQ(run.wait(), 0) << run.err();
  const Json trace = read();
  double error = 0;
  for (const auto& [name, each] : errors(trace)) error = std::max(error, each);
  EXPECT_GT(error, 0) << "they were taken for one clock";
  EXPECT_LT(error, 1e6);
  EXPECT_GT(check_loans(trace), 0);
  for (const Json& event : events(trace, "job", "X")) EXPECT_LT(event["ts"].number, 1e9);
}

TEST_F(Traced, a_file_that_cannot_be_made_ends_the_program_before_it_begins) {
  Process run(launch(1, {SUM_PRIMES_PROGRAM}, {"--trace", folder_ / "nowhere/trace.json"}));
  EXPECT_NE(run.wait(), 0);
  EXPECT_THAT(run.err(), HasSubstr("nowhere/trace.json cannot be written"));
  EXPECT_THAT(run.out(), IsEmpty());
}

}  // namespace
}  // namespace pp::test
