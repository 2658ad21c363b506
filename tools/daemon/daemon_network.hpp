// Daemon network: the transport and the beacons of daemons and of those who look for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/discovery.hpp>
#include <pp/multicast.hpp>
#include <pp/node_id.hpp>
#include <pp/transport.hpp>
#include <string>

namespace pp::tools::daemon {

struct NetworkWishes {
  NodeId node;
  std::string name;  // empty: the host's, and a launcher's process id
  std::uint32_t workers = 0;
  bool launcher = false;  // it has something to run; otherwise it is a daemon
  std::string listen;
  std::string interface;
  std::chrono::seconds silence{10};
};

// Control connections alone, whose frames are sealed and encrypted between hosts and within one.
// Throws pp::Error.
std::unique_ptr<transport::Transport> open_daemon_network(ClusterKey key,
                                                          const NetworkWishes& wishes);

// The daemons of a key are a cluster of their own, which nodes of launches ignore. `how` is what
// MulticastOptions::parse() reads; `interface`, if it names one, where `how` does not.
discovery::MulticastOptions daemon_multicast(const std::string& how, const std::string& interface);

// As a source of sightings announces it.
discovery::Discovery::Self who_is(const transport::Transport& transport);

}  // namespace pp::tools::daemon
