// spread_app: a program that does what it is told and says which process has done it.
//
//   spread_app submitted N    the driver submits jobs until N processes have run some of them
//   spread_app spawned        a job on a worker spawns children until the driver and another worker
//                             have run some
//   spread_app hold           does what the lines of its input say; at their end it counts to ten
//                             with jobs
//
// What `hold` is asked, and how it answers:
//
//   nodes        "nodes 3": how many are there, itself included
//   who          "member NAME ADDRESS" for each of them, itself first, then "who 3"
//   refused      "refused 2": connections that were refused so far
//   lent         "lent 17": jobs of this node that others have run so far
//   said         "said 40 900 120000": messages, words and bytes that it has sent to others so far
//   ignored      "ignored 12 3 40 7": beacons that were foreign, forged, replayed, malformed so far
//   statistics   what pp prints at the end
//   spread       as `submitted`, with as many processes as there are nodes
//   once 900 F   runs 900 jobs, each of which adds a byte to file F: "once 900 done"
//   tree T1 20   searches a tree of uts, each hash computed 20 times: "tree T1 is met", or what it
//                counted instead
//   crash 11     a job on another node raises that signal: "crash was lost", or what else came of
//   it
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <pp/pp.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "parallel.hpp"

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

void who(pp::Runtime& rt) {
  std::cout << "member " << rt.name() << ' ' << rt.address() << '\n';
  const std::vector<pp::NodeView> others = rt.nodes();
  for (const pp::NodeView& node : others)
    std::cout << "member " << node.name << ' ' << node.address.to_string() << '\n';
  std::cout << "who " << others.size() + 1 << '\n';
}

// A job: computes for a while and adds a byte to a file. Files that are opened to append grow by
// whole writes, whoever else writes.
int note(std::string file) {
  here(2000);
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const ssize_t written = ::write(descriptor, "x", 1);
  ::close(descriptor);
  return static_cast<int>(written);
}

void once(pp::Runtime& rt, std::size_t jobs, const std::string& file) {
  std::vector<pp::Future<int>> notes;
  for (std::size_t i = 0; i < jobs; ++i) notes.push_back(rt.submit<note>(file));
  for (auto& done : notes) done.get();
  std::cout << "once " << jobs << " done\n";
}

void tree(pp::Runtime& rt, std::string_view name, std::uint32_t granularity) {
  const uts::Published* published = uts::published(name);
  if (published == nullptr) {
    std::cout << "tree " << name << " is not known\n";
    return;
  }
  uts::Parameters parameters = published->parameters;
  parameters.granularity = granularity;
  parameters.sha1 = uts::fastest();
  const uts::Counts counts = uts::search_all(rt, parameters);
  std::cout << "tree " << name;
  if (counts == published->counts) {
    std::cout << " is met\n";
  } else {
    std::cout << " is NOT met: " << counts.nodes << " nodes, depth " << counts.depth << ", "
              << counts.leaves << " leaves\n";
  }
}

// A job: takes its process with it.
int end_by(int signal) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  return ::raise(signal);
}

void crash(pp::Runtime& rt, int signal) {
  const pp::JobOptions once{.retries = 0, .where = pp::Where::not_here()};
  try {
    rt.submit<end_by>(once, signal).get();
    std::cout << "crash was survived\n";
  } catch (const pp::NodeLost&) {
    std::cout << "crash was lost\n";
  }
}

void said(const pp::Statistics& statistics) {
  std::cout << "said " << statistics.messages << ' ' << statistics.words << ' ' << statistics.bytes
            << '\n';
}

void ignored(const pp::IgnoredBeacons& beacons) {
  std::cout << "ignored " << beacons.foreign << ' ' << beacons.forged << ' ' << beacons.replayed
            << ' ' << beacons.malformed << '\n';
}

void answer(pp::Runtime& rt, const std::string& line) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word == "nodes") std::cout << "nodes " << rt.nodes().size() + 1 << '\n';
  if (word == "who") who(rt);
  if (word == "refused") std::cout << "refused " << rt.stats().refused_peers << '\n';
  if (word == "lent") std::cout << "lent " << rt.stats().lent << '\n';
  if (word == "said") said(rt.stats());
  if (word == "ignored") ignored(rt.stats().ignored);
  if (word == "statistics") rt.print_stats(std::cout);
  if (word == "spread") submitted(rt, rt.nodes().size() + 1);
  if (word == "crash") {
    int signal = 0;
    words >> signal;
    crash(rt, signal);
  }
  if (word == "once") {
    std::size_t jobs = 0;
    std::string file;
    words >> jobs >> file;
    once(rt, jobs, file);
  }
  if (word == "tree") {
    std::string name;
    std::uint32_t granularity = 1;
    words >> name >> granularity;
    tree(rt, name, granularity);
  }
  std::cout.flush();
}

int hold(pp::Runtime& rt) {
  std::cout << "holding " << ::getpid() << ' ' << rt.address() << std::endl;
  for (std::string line; std::getline(std::cin, line);) answer(rt, line);
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
