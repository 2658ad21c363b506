// Statistics: who ran how many jobs and how long.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <pp/node_id.hpp>
#include <string>
#include <vector>

namespace pp {

// One node's share, counted where the jobs ran: executions that ended, nested ones included.
struct NodeStatistics {
  NodeId id;             // as its Runtime::id() says
  std::string name;      // its Options::name
  unsigned workers = 0;  // jobs it runs at a time
  bool present = true;  // false: it left or was lost; the figures are the last ones heard
  std::uint64_t jobs = 0;  // executions that ended
  std::chrono::nanoseconds time{0};  // summed over workers, without waiting
  std::uint64_t stolen = 0;          // of `jobs`: for another node
};

struct Statistics {
  std::vector<NodeStatistics> nodes;    // this node first
  std::chrono::nanoseconds elapsed{0};  // since the runtime started
  std::uint64_t lent = 0;               // jobs of this node given to others
  std::uint64_t lost = 0;               // of these: executions lost with a node and begun again
  std::uint64_t late = 0;               // results that came for a loan already ended: dropped
  std::uint64_t refused_peers = 0;      // wrong key, other build, garbage: see the log
};

// Parallel Python's table: job count, % of all jobs, job time sum, time per job, node; then elapsed
// time, nodes, workers.
void print_statistics(std::ostream& out, const Statistics& statistics);

}  // namespace pp
