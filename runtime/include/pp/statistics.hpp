// Statistics: who ran how many jobs and how long.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <pp/node_id.hpp>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

// One node's share, counted where the jobs ran: executions that ended, nested ones included.
struct NodeStatistics {
  NodeId id;               // as its Runtime::id() says
  std::string name;        // its Options::name
  unsigned workers = 0;    // jobs it runs at a time
  bool present = true;     // false: it left or was lost; the figures are the last ones heard
  std::uint64_t jobs = 0;  // executions that ended
  std::chrono::nanoseconds time{0};  // summed over workers, without waiting
  std::uint64_t stolen = 0;          // of `jobs`: for another node
  std::uint64_t lent = 0;            // jobs of its own that it gave to others
  std::uint64_t memory = 0;          // bytes that its process has in use
};

// Datagrams that this node heard where nodes announce themselves (PP_DISCOVER), and did not heed. A
// few are no cause for alarm: others may share the network.
struct IgnoredBeacons {
  std::uint64_t foreign = 0;    // of other clusters, or of another version of pp
  std::uint64_t forged = 0;     // said to be of this cluster, by somebody who has not its key
  std::uint64_t replayed = 0;   // of this cluster, but heard before
  std::uint64_t malformed = 0;  // nothing that pp writes
};

struct Statistics {
  std::vector<NodeStatistics> nodes;    // this node first
  std::chrono::nanoseconds elapsed{0};  // since the runtime started
  std::uint64_t lent = 0;               // jobs of this node given to others
  std::uint64_t lost = 0;               // of these: executions lost with a node and begun again
  std::uint64_t late = 0;               // results that came for a loan already ended: dropped
  std::uint64_t refused_peers = 0;      // wrong key, other build, garbage: see the log
  std::uint64_t misbehaved = 0;         // what members said against the protocol: see the log
  IgnoredBeacons ignored;               // heard by this node

  // Elements of the batches that a job log records (Options::joblog).
  std::uint64_t recorded_elements = 0;
  // Of these: taken from it instead of being run.
  std::uint64_t resumed_elements = 0;

  // What this node has said to others over its connections since it started; beacons do not count.
  std::uint64_t messages = 0;  // about jobs, their results and the load
  std::uint64_t words = 0;     // about who is there: small, they ride in heartbeats
  std::uint64_t bytes = 0;     // all of it as it went out: sealed, with heartbeats

  // Of what is shared, and of arguments and results too large to travel with their jobs:
  std::uint64_t fetched = 0;        // that this node has fetched from others
  std::uint64_t fetched_bytes = 0;  // of those
  std::uint64_t reused = 0;         // times that a borrowed job needed one that was here already
  std::uint64_t given_bytes = 0;    // that this node has given to others
};

// Parallel Python's table: job count, % of all jobs, job time sum, time per job, node; then elapsed
// time, nodes, workers, and what is not zero of the rest but what this node has said.
void print_statistics(std::ostream& out, const Statistics& statistics);

}  // namespace pp

#pragma GCC visibility pop
