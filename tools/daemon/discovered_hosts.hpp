// Discovered hosts: the node daemons that a launch finds, before it begins.
#pragma once

#include <chrono>
#include <filesystem>
#include <pp/address.hpp>
#include <pp/error.hpp>
#include <string>
#include <vector>

#include "launch_plan.hpp"

namespace pp::tools {

struct DiscoverPlan {
  std::filesystem::path key_file;  // the daemons'
  std::string how = "on";          // MulticastOptions::parse(), or "off"
  std::vector<Address> peers;      // daemons that somebody wrote down
  unsigned wanted = 0;             // so many will do; 0: all that there are
  unsigned workers = 0;            // at most so many of each; 0: what it lends
  std::chrono::milliseconds longest{3000};
};

struct DiscoveredHost {
  std::string name;
  Address address;
  unsigned workers = 0;  // that it would lend
};

struct DiscoveredHosts {
  std::vector<DiscoveredHost> hosts;  // to be used, at most as many as were wanted
  std::string table;                  // of all that were found, a line each
  std::vector<std::string> notices;   // foreign clusters and the like, a sentence each
};

// Looks around; returns as soon as it has found enough. Throws pp::Error if it cannot look.
DiscoveredHosts discover_hosts(const DiscoverPlan& plan);

// Our own address on the way to another; empty if there is no way.
std::string local_host_towards(const Address& address);

// Not as many daemons as were wanted; the text says who was found and who was not.
struct TooFewHosts : Error {
  using Error::Error;
};

// Looks around and makes `plan` a launch on what it finds, beside the driver here: how many nodes,
// a deputy for each daemon, and, unless that is `listen_given`, where the driver can be reached by
// all of them. A key that was named is the daemons'; the launch gets one of its own. Says on
// standard error what was found, unless plan.quiet. Throws TooFewHosts, or pp::Error.
void add_discovered_hosts(LaunchPlan& plan, const DiscoverPlan& discover, bool listen_given);

}  // namespace pp::tools
