// Snapshot: what is told to those who watch a node, and how it is written down.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chronicle.hpp"
#include "tally.hpp"

namespace pp::runtime {

// The cluster, as one node sees it at one moment. Times are seconds, memory is bytes.
struct Snapshot {
  struct Node {
    std::string id, name;
    bool self = false;
    std::string state = "alive";  // alive, suspect, or gone
    std::string address, provider;
    std::uint32_t workers = 0, busy = 0, queued = 0;
    std::uint64_t jobs = 0, stolen = 0, lent = 0, memory = 0;
    double busy_time = 0;              // summed over its workers
    std::optional<double> round_trip;  // nothing: not measured
    // Of each function in Snapshot::functions that ran there: time, and workers that run it now.
    std::map<std::string, std::pair<double, std::uint32_t>> functions{};
  };
  struct Running {
    std::size_t worker = 0;
    std::string function;
    double since = 0;  // so long ago
  };

  std::string version;
  std::string node, id;
  bool driver = true;
  std::chrono::system_clock::time_point when{};
  double elapsed = 0;
  // What is known to be left: queued and running jobs everywhere, and elements of this node's maps.
  std::uint64_t open = 0;
  std::uint64_t elements = 0, elements_done = 0;  // of this node's maps
  std::uint64_t lost = 0, late = 0, refused = 0, misbehaved = 0;
  std::vector<Node> nodes;                           // this one first
  std::vector<Running> running;                      // at this node
  std::map<std::string, FunctionFigures> functions;  // by name, everywhere
  std::vector<Chronicle::Happening> events;          // the oldest first
};

// One JSON object; runtime/README.md tells what stands in it. Always valid UTF-8.
std::string to_json(const Snapshot& snapshot);

// Prometheus' text format, version 0.0.4.
std::string to_prometheus(const Snapshot& snapshot);

// With quotes around it; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace pp::runtime
