// DiscoverOptions: what pp-launch is told about hosts that run ppd.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "discovered_hosts.hpp"

namespace pp::tools {

struct DiscoverOptions {
  std::string how;      // empty: nobody asked for multicast
  std::string daemons;  // addresses
  double seconds = 3;

  // This outlives the parsing.
  void add_to(CLI::App& app);

  bool asked() const { return !how.empty() || !daemons.empty(); }

  // For so many daemons, 0 all; of each at most so many workers, 0 what it lends. Throws Error.
  DiscoverPlan plan(const std::filesystem::path& key_file, unsigned wanted, unsigned workers) const;
};

}  // namespace pp::tools
