// Nodes that come and go while others work: killed, told to leave, stopped, started.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "on_hosts.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;

using Clock = std::chrono::steady_clock;

// Takes a second or two of two cores: nodes come and go in the middle of it.
constexpr char kTree[] = "tree T1 10";
constexpr char kTreeIsMet[] = "tree T1 is met";

// A minute where PP_TEST_LONG is set in the environment.
seconds length_of_churn() {
  return std::getenv("PP_TEST_LONG") != nullptr ? seconds{60} : seconds{15};
}

// Every second a node is started, killed or told to leave, on one of seven hosts beside the
// driver's, while the driver searches one tree after the other. A job that is lost with its node or
// counted twice changes a count; a worker that does not leave in order has another exit code.
class Churn : public OnHosts {
 protected:
  struct Worker {
    std::string name;
    int host;
    std::unique_ptr<Process> process;
    bool met = false;  // the driver has named it: it is past its beginnings
  };

  void SetUp() override {
    OnHosts::SetUp();
    if (IsSkipped()) return;
    hosts_.emplace(8);
    key_ = new_key("key");
    // Where a node is killed every other second, a piece of the search that takes seconds may well
    // meet that four times; more than PP_RETRIES are an error, as they should be.
    driver_ = start_held(*hosts_, 0, driver_with(key_, {"PP_NAME=driver", "PP_RETRIES=1000"}));
    for (int host = 1; host < hosts_->count(); ++host) free_hosts_.push_back(host);
  }

  void start_worker() {
    const std::string name = "worker-" + std::to_string(++started_);
    const int host = free_hosts_.back();
    free_hosts_.pop_back();
    workers_.push_back(
        {name, host,
         start(hosts_->on(host, {SPREAD_PROGRAM}), worker_with(key_, {"PP_NAME=" + name}))});
    history_ += " +" + name;
  }

  // Takes it out of those that may be killed or told to leave; its host may have another.
  Worker take(std::size_t which) {
    Worker worker = std::move(workers_[which]);
    workers_.erase(workers_.begin() + which);
    free_hosts_.insert(free_hosts_.begin(), worker.host);
    return worker;
  }

  void kill_worker(std::size_t which) {
    const Worker worker = take(which);
    worker.process->signal(SIGKILL);
    history_ += " killed " + worker.name;
  }

  // It has until the end of the test.
  void tell_to_leave(std::size_t which) {
    leaving_.push_back(take(which));
    leaving_.back().process->signal(SIGTERM);
    history_ += " told " + leaving_.back().name;
  }

  // One node joins or leaves.
  void change(std::mt19937& random) {
    const bool may_start = !free_hosts_.empty();
    if (workers_.empty() || (may_start && random() % 2 == 0)) {
      start_worker();
      return;
    }
    const std::size_t which = random() % workers_.size();
    // Before it is a member nothing is promised about a SIGTERM: the program is still being loaded.
    if (workers_[which].met && random() % 2 == 0) {
      tell_to_leave(which);
    } else {
      kill_worker(which);
    }
  }

  std::size_t trees_answered() const { return count(driver_->out(), "tree "); }

  // The driver always has a tree to search. Between two it says who is there.
  void keep_busy() {
    if (trees_answered() < trees_asked_) return;
    const std::set<std::string> known = members(*driver_);
    for (Worker& worker : workers_) worker.met = worker.met || known.contains(worker.name);
    driver_->write_input(std::string(kTree) + "\n");
    ++trees_asked_;
  }

  std::optional<Hosts> hosts_;
  std::string key_;
  std::unique_ptr<Process> driver_;
  std::vector<Worker> workers_;
  std::vector<Worker> leaving_;
  std::vector<int> free_hosts_;  // the longest free last
  std::size_t trees_asked_ = 0;
  int started_ = 0;
  std::string history_;  // for people who look why it failed
};

TEST_F(Churn, of_a_node_a_second_changes_no_count) {
  std::mt19937 random = seeded();
  for (int i = 0; i < 4; ++i) start_worker();
  ask_until(*driver_, "nodes", "nodes 5");
  const Clock::time_point end = Clock::now() + length_of_churn();
  for (Clock::time_point next = Clock::now() + seconds{1}; next < end; next += seconds{1}) {
    driver_->wait_until(
        [&] {
          keep_busy();
          return Clock::now() >= next;
        },
        "the next second");
    change(random);
  }
  driver_->wait_until([&] { return trees_answered() == trees_asked_; },
                      "the last tree after" + history_, seconds{120});
  std::cout << trees_asked_ << " trees;" << history_ << std::endl;

  EXPECT_EQ(count(driver_->out(), kTreeIsMet), trees_asked_) << driver_->out() << history_;
  EXPECT_NE(ask(*driver_, "lent"), "lent 0") << "nobody took any of the work";
  for (const Worker& worker : leaving_) {
    EXPECT_EQ(worker.process->wait(), 0) << worker.name << " was told to leave;" << history_ << '\n'
                                         << worker.process->err();
  }
  driver_->close_input();
  EXPECT_EQ(driver_->wait(), 0) << driver_->err();
}

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
