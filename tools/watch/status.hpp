// Status: what a node has told of its cluster, as pp-top reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pp::tools {

// As in the node's /status.json; times in seconds, memory in bytes. Every text is fit for a
// terminal, whoever wrote it.
struct Status {
  struct Node {
    std::string id, name, state, address, provider;
    bool self = false;
    std::uint64_t workers = 0, busy = 0, queued = 0, jobs = 0, stolen = 0, lent = 0, memory = 0;
    std::optional<double> round_trip{};
  };
  struct Function {
    std::string name;
    std::uint64_t runs = 0, failed = 0, running = 0;
    double time = 0, p50 = 0, p99 = 0;
  };
  struct Event {
    std::int64_t time_ms = 0;  // since 1970
    std::string kind, text;
  };

  std::string node, role, version;
  std::int64_t time_ms = 0;
  double elapsed = 0;
  std::uint64_t done = 0, open = 0, elements = 0, elements_done = 0;
  std::uint64_t workers = 0, busy = 0, queued = 0, lost = 0, refused = 0;
  std::vector<Node> nodes;
  std::vector<Function> functions;
  std::vector<Event> events;  // the oldest first

  // Throws pp::Error if it is none.
  static Status parse(std::string_view json);
};

}  // namespace pp::tools
