// Fleet: a driver and its workers as processes, and what may be done to them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hosts.hpp"
#include "process.hpp"

namespace pp::test {

// The nodes are processes on loopback, where the workers dial the driver, or each is on a host of
// its own (Hosts), where they find each other by multicast. A place is where one worker can be: it
// is taken from its start to its end. The driver reports (tools/launch/report_line.hpp) on its standard
// output, between its own lines.
class Fleet {
 public:
  struct Setup {
    bool on_hosts = false;
    int places = 4;                        // for workers
    std::vector<std::string> driver;       // the command of the driver
    std::vector<std::string> worker;       // and of a worker
    std::vector<std::string> environment;  // of all of them: PP_WORKERS=1
    std::string key_file;
  };

  struct Node {
    std::string name;  // "driver", "worker-1", ...
    int place = -1;    // of a worker
    std::unique_ptr<Process> process;
    bool met = false;  // whoever hears that it has joined sets this
    bool leaving = false, stopped = false, cut = false, killed = false;
    std::size_t out_told = 0, err_told = 0;  // bytes that were handed to a listener
  };

  // Each whole line that a node has printed.
  using Listener = std::function<void(Node& node, std::string_view line)>;

  explicit Fleet(Setup setup);  // starts the driver
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  Node& driver() { return driver_; }
  // Those that have not ended, as far as is known; no place in memory is given up before forget().
  std::deque<std::unique_ptr<Node>>& workers() { return workers_; }
  // Where a worker could be started now.
  std::size_t free_places() const;

  // REQUIRES: a free place; whatever the driver is told by others, it has said where it listens.
  Node& start_worker();
  void kill(Node& worker);
  void tell_to_leave(Node& worker);
  void stop(Node& node);
  void go_on(Node& node);
  // Pulls the cable of the node's host. REQUIRES: on hosts.
  void cut(Node& node);
  void mend(Node& node);

  // Hands on what all have printed, and waits for more so long at most.
  void listen(std::chrono::milliseconds limit, const Listener& listener);
  // A worker that has ended: its place is free.
  void forget(const Node& worker);

 private:
  std::vector<std::string> environment(const std::string& name, std::vector<std::string> own) const;
  std::vector<std::string> on_host(int host, const std::vector<std::string>& command) const;
  int host_of(const Node& node) const { return node.place + 1; }

  const Setup setup_;
  std::optional<Hosts> hosts_;
  std::vector<bool> place_taken_;
  int next_place_ = 0;  // in turn, so that a place rests
  int started_ = 0;
  std::string address_;  // of the driver, on loopback
  Node driver_;
  std::deque<std::unique_ptr<Node>> workers_;
};

}  // namespace pp::test
