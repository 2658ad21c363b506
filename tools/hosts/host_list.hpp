// HostList: the hosts that a command line or a hostfile names, one entry a host.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pp::tools {

// A host as its user wrote it. ssh knows what the name means: it may be an alias of its
// configuration.
struct HostEntry {
  std::string target;               // what ssh is given: "user@c", "10.0.0.7", "fd00::7"
  std::optional<unsigned> workers;  // jobs at a time; absent: as many as the host has cores

  // Without the user: what people call it.
  std::string name() const;
  friend bool operator==(const HostEntry&, const HostEntry&) = default;
};

// "a,b:8,user@c,4/d,[fd00::7]:2": a number of workers behind a colon, or in front of a slash as GNU
// parallel writes it. Throws pp::Error that names the entry and what was expected.
std::vector<HostEntry> parse_hosts(std::string_view text);

// A host a line, in those forms or as MPI writes it ("host slots=8 max_slots=9"; the latter is
// ignored). "#" begins a comment; empty lines are none. Throws pp::Error that names the file, the
// line and what was expected.
std::vector<HostEntry> parse_hostfile(std::string_view text, std::string_view file);

}  // namespace pp::tools
