// Load: the jobs of a simulated cluster, how long each runs, and which it spawns.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace pp::bench {

// Times are in round trips of the simulated network.
struct SimJob {
  double work = 0;          // its own, or that of the tree below it
  std::uint32_t owner = 0;  // the node where it was submitted
  std::uint32_t dice = 0;   // where a tree is split follows from it
};

struct Load {
  enum class Kind {
    kEqual,   // a bag of jobs of one length
    kSkewed,  // a bag; lengths Pareto-distributed over three decades, exponent 1.1
    kHalves,  // one job, which spawns two of half its work, down to `job`
    kUneven,  // the same, split at a random place: deep and unbalanced, as UTS's trees are
  };
  Kind kind = Kind::kEqual;
  double total = 0;  // round trips of work, in all
  double job = 1;    // of a job of a bag on average, of a leaf of a tree at most
  std::size_t submitters = 1;

  bool is_tree() const { return kind == Kind::kHalves || kind == Kind::kUneven; }
};

// What splitting a job costs: a spawn, in round trips.
inline constexpr double kSplit = 0.001;

// The jobs that one of the submitters begins with.
inline std::vector<SimJob> submitted(const Load& load, std::uint32_t node, std::uint64_t seed) {
  const double share = load.total / static_cast<double>(load.submitters);
  std::mt19937_64 random(seed);
  if (load.is_tree()) return {{share, node, static_cast<std::uint32_t>(random())}};
  std::vector<SimJob> jobs(static_cast<std::size_t>(share / load.job + 0.5));
  double sum = 0;
  for (SimJob& job : jobs) {
    job.owner = node;
    job.work = load.job;
    if (load.kind == Load::Kind::kSkewed) {
      // Bounded Pareto by inversion: lengths 1 to 1000 before they are scaled.
      constexpr double kExponent = 1.1;
      constexpr double kLongest = 1000;
      const double u = std::uniform_real_distribution<double>(0, 1)(random);
      const double rest = std::pow(kLongest, -kExponent);
      job.work = std::pow(1 - u * (1 - rest), -1 / kExponent);
    }
    sum += job.work;
  }
  for (SimJob& job : jobs) job.work *= share / sum;
  return jobs;
}

struct Run {
  double work = 0;  // how long it runs
  std::vector<SimJob> spawned;
};

// What a job does on a worker of `node`.
inline Run run(const Load& load, const SimJob& job, std::uint32_t node) {
  if (!load.is_tree() || job.work <= load.job) return {job.work, {}};
  std::minstd_rand random(job.dice);
  double part = 0.5;
  if (load.kind == Load::Kind::kUneven) part = std::uniform_real_distribution<double>(0, 1)(random);
  const auto dice = [&random] { return static_cast<std::uint32_t>(random()); };
  const double left = job.work * part;
  return {kSplit, {{left, node, dice()}, {job.work - left, node, dice()}}};
}

}  // namespace pp::bench
