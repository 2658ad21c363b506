// DaemonSettings: what a node daemon can be told, on its command line or in its file.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <pp/address.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pp::tools::daemon {

enum class LogLevel { kError, kWarning, kInfo, kDebug };
enum class LogFormat { kPlain, kJournal, kJson };

// A value.
struct DaemonSettings {
  std::filesystem::path key_file;
  std::string listen = ":7706";  // host empty: chosen by itself
  std::string interface;
  std::string discover = "on";
  std::vector<Address> peers;
  std::string name;             // empty: the host's
  unsigned workers = 0;         // 0: the usable cores
  unsigned leases = 4;          // at a time
  std::uint64_t memory = 0;     // bytes that each process may use; 0: as much as there is
  std::filesystem::path cache;  // empty: where such things lie
  std::uint64_t cache_size = std::uint64_t{2} << 30;
  std::uint64_t max_program = std::uint64_t{1} << 30;
  std::filesystem::path pid_file;
  std::filesystem::path workdir;          // of the workers; empty: one of each lease's own
  std::chrono::seconds idle_exit{0};      // 0: never
  std::chrono::seconds longest_lease{0};  // 0: any
  std::chrono::seconds drain{30};
  std::chrono::seconds silence{10};
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kPlain;

  friend bool operator==(const DaemonSettings&, const DaemonSettings&) = default;
};

// One of them, by its name: the flag is --name, the key in the file `name`.
struct Setting {
  const char* name;
  const char* value;  // what stands for it in a usage text: FILE, N, SECONDS
  const char* help;
  // Throws pp::Error: what was expected.
  std::function<void(DaemonSettings&, std::string_view)> set;
  // As set() reads it.
  std::function<std::string(const DaemonSettings&)> show;
};
const std::vector<Setting>& all_settings();
// Null if there is none of this name.
const Setting* find_setting(std::string_view name);
// The one whose name is nearest, for who has mistyped it; empty if none is near.
std::string nearest_setting(std::string_view name);

// What does not fit together. Throws pp::Error.
void check(const DaemonSettings& settings);

}  // namespace pp::tools::daemon
