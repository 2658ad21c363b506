// spread_app: a program whose jobs say in which process they ran.
//
//   spread_app submitted N       the driver submits jobs until N processes have run some of them
//   spread_app spawned           a job on a worker spawns children until the driver and another
//   worker have run some spread_app hold              waits for the end of its input, doing
//   nothing, then counts to ten with jobs
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <pp/pp.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace spread {

using Runs = std::map<int, std::uint64_t>;  // jobs by process

// Rounds after which the work is taken not to spread at all; each is some milliseconds of every
// core.
constexpr int kMostRounds = 2000;
constexpr int kJobsOfARound = 32;

// A job: computes for a while, so that it is worth taking, and says where.
int here(int microseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < end) {
  }
  return ::getpid();
}

// A job: on the driver nothing but time; on a worker it spawns children until they have run on the
// driver and on a worker other than this one. Who ran how many.
Runs spread_from_a_worker(int driver) {
  Runs runs;
  if (here(2000) == driver) return runs;
  const auto seen_both = [&] {
    bool other = false;
    for (const auto& [pid, count] : runs) other = other || (pid != driver && pid != ::getpid());
    return other && runs.contains(driver);
  };
  for (int round = 0; round < kMostRounds && !seen_both(); ++round) {
    std::vector<pp::Future<int>> children;
    for (int i = 0; i < kJobsOfARound; ++i) children.push_back(pp::spawn<here>(500));
    for (auto& child : children) ++runs[child.get()];
  }
  return runs;
}

int submitted(pp::Runtime& rt, std::size_t processes) {
  Runs runs;
  for (int round = 0; round < kMostRounds && runs.size() < processes; ++round) {
    std::vector<pp::Future<int>> jobs;
    for (int i = 0; i < kJobsOfARound; ++i) jobs.push_back(rt.submit<here>(1000));
    for (auto& job : jobs) ++runs[job.get()];
  }
  std::cout << "jobs ran in " << runs.size() << " processes\n";
  for (const auto& [pid, count] : runs) {
    std::cout << (pid == ::getpid() ? "driver " : "other ") << pid << " ran " << count << '\n';
  }
  return runs.size() >= processes ? 0 : 1;
}

int spawned(pp::Runtime& rt) {
  const int driver = ::getpid();
  for (int round = 0; round < kMostRounds; ++round) {
    std::vector<pp::Future<Runs>> parents;
    for (int i = 0; i < 8; ++i) parents.push_back(rt.submit<spread_from_a_worker>(driver));
    for (auto& parent : parents) {
      const Runs runs = parent.get();
      if (runs.contains(driver) && runs.size() >= 3) {
        std::cout << "children of a job on a worker ran on the driver (" << runs.at(driver)
                  << ") and " << runs.size() - 1 << " workers\n";
        return 0;
      }
    }
  }
  std::cout << "children of jobs on workers did not reach the driver and another worker\n";
  return 1;
}

int hold(pp::Runtime& rt) {
  std::cout << "holding " << ::getpid() << ' ' << rt.address() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line == "nodes") std::cout << "nodes " << rt.nodes().size() + 1 << std::endl;
    if (line == "refused") std::cout << "refused " << rt.stats().refused_peers << std::endl;
    if (line == "spread") submitted(rt, rt.nodes().size() + 1);
    std::cout.flush();
  }
  int sum = 0;
  for (int i = 1; i <= 10; ++i) sum += rt.submit([](int n) { return n; }, i).get();
  std::cout << "sum " << sum << '\n';
  return sum == 55 ? 0 : 1;
}

}  // namespace spread

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  return pp::run(argc, argv, [&](pp::Runtime& rt) {
    if (mode == "submitted" && argc > 2)
      return spread::submitted(rt, std::strtoul(argv[2], nullptr, 10));
    if (mode == "spawned") return spread::spawned(rt);
    if (mode == "hold") return spread::hold(rt);
    std::cerr << "spread_app: submitted N, spawned or hold\n";
    return 2;
  });
}
