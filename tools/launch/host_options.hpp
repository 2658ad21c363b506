// HostOptions: what pp-launch is told about hosts that it reaches by ssh.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "host_launch.hpp"

namespace pp::tools {

struct HostOptions {
  std::string hosts;
  std::string hostfile;
  std::string ssh = "ssh";
  std::string workdir;
  std::vector<std::string> environment;
  std::string key_on_hosts;
  unsigned driver_workers = 0;
  unsigned min_nodes = 0;
  unsigned connect_timeout = 10;  // s
  unsigned timeout = 0;           // s
  bool stage = false;
  std::string stage_cache;
  std::uint64_t stage_limit = 1024;  // MiB

  // This outlives the parsing.
  void add_to(CLI::App& app);

  bool name_hosts() const { return !hosts.empty() || !hostfile.empty(); }

  // Those of its options that would be passed over in silence where no host is named.
  static const std::vector<std::string>& about_hosts();

  // Both throw pp::Error.
  HostPlan plan() const;
  StagePlan stage_plan(const std::string& program) const;
};

}  // namespace pp::tools
