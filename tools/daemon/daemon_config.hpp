// Daemon config: the node daemon's file of settings, in TOML.
#pragma once

#include <filesystem>

#include "daemon_settings.hpp"

namespace pp::tools::daemon {

// Sets what the file says. Throws pp::Error with file, line and column of the first thing that is
// wrong, and what was expected. Keys are those of all_settings(); `peers` may be a list.
void read_config(const std::filesystem::path& file, DaemonSettings& settings);

}  // namespace pp::tools::daemon
