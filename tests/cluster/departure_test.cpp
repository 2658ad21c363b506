// One node that leaves: told to or stopped, in the middle of work, and taken back. (Many at random:
// chaos_test.)
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;

// A driver and two workers, the first of which has something happen to it.
class Departure : public OnHosts {
 protected:
  void SetUp() override {
    OnHosts::SetUp();
    if (IsSkipped()) return;
    hosts_.emplace(3);
    const std::string key = new_key("key");
    driver_ = start_held(*hosts_, 0, driver_with(key, {"PP_LOG=info"}));
    first_ =
        start(hosts_->on(1, {SPREAD_PROGRAM}), worker_with(key, {std::string("PP_NAME=") + kName}));
    second_ = start(hosts_->on(2, {SPREAD_PROGRAM}), worker_with(key));
    ask_until(*driver_, "nodes", "nodes 3");
  }

  void wait_until_the_first_is_at_work() {
    const double before = cpu_seconds(first_->pid());
    driver_->wait_until([&] { return cpu_seconds(first_->pid()) > before + 0.3; },
                        "the worker to be at work");
  }

  bool is_said_to_be_silent() const {
    const std::vector<std::string> lines = lines_with(driver_->err(), kName);
    return std::ranges::any_of(lines, [](const std::string& line) {
      return line.find("suspect") != std::string::npos || line.find("silent") != std::string::npos;
    });
  }

  // The first worker is stopped in the middle of a search, and reported; the search goes on to its
  // end without it.
  void stop_the_first_in_a_search() {
    driver_->write_input("tree T3 20\n");
    wait_until_the_first_is_at_work();
    first_->signal(SIGSTOP);
    driver_->wait_until([this] { return is_said_to_be_silent(); },
                        "a sentence that says that the worker is suspected");
    driver_->wait_for_line("tree T3 is met", seconds{120});
  }

  static constexpr char kName[] = "sleeper";

  std::optional<Hosts> hosts_;
  std::unique_ptr<Process> driver_, first_, second_;
};

TEST_F(Departure, by_SIGTERM_in_the_middle_of_a_search_changes_no_count) {
  driver_->write_input("tree T3 20\n");
  wait_until_the_first_is_at_work();
  first_->signal(SIGTERM);
  EXPECT_EQ(first_->wait(), 0) << first_->err();
  driver_->wait_for_line("tree T3 is met", seconds{120});
  ask_until(*driver_, "nodes", "nodes 2");
  expect_work_on(*driver_, *second_);
}

// Some of these jobs run on the worker when it is told to leave, some wait there, and some of their
// results are on their way. Whoever takes such a node for lost runs them again.
TEST_F(Departure, by_SIGTERM_runs_no_job_twice) {
  const std::string notes = folder_ / "notes";
  const auto noted = [&] {
    std::error_code none;
    const std::uintmax_t size = std::filesystem::file_size(notes, none);
    return none ? 0 : size;
  };
  driver_->write_input("once 3000 " + notes + "\n");
  driver_->wait_until([&] { return noted() > 500; }, "the first jobs");
  first_->signal(SIGTERM);
  EXPECT_EQ(first_->wait(), 0) << first_->err();
  driver_->wait_for_line("once 3000 done", seconds{120});
  EXPECT_EQ(noted(), 3000u);
  EXPECT_NE(ask(*driver_, "lent"), "lent 0") << "nobody took any of the work";
}

TEST_F(Departure, by_SIGSTOP_is_reported_and_ended_by_SIGCONT) {
  stop_the_first_in_a_search();
  first_->signal(SIGCONT);
  ask_until(*driver_, "nodes", "nodes 3");
  expect_work_on(*driver_, *first_);
}

TEST_F(Departure, by_SIGSTOP_for_so_long_that_it_was_taken_for_dead_is_ended_by_SIGCONT) {
  stop_the_first_in_a_search();
  ask_until(*driver_, "nodes", "nodes 2");
  expect_work_on(*driver_, *second_);
  first_->signal(SIGCONT);
  ask_until(*driver_, "nodes", "nodes 3");
  expect_work_on(*driver_, *first_);
  EXPECT_THAT(ask(*driver_, "tree T1 5"), HasSubstr("is met"));
}

}  // namespace
}  // namespace pp::test
