// slurm_address: where Slurm itself finds a host whose name means nothing to the system.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace pp::discovery {

// The names in a node list are Slurm's own; as a rule they are those of the hosts, too. Where the
// system cannot look one up, `scontrol show node` is asked, once and for 5 s at most, for the
// address that Slurm's configuration has for it. Nothing: the name serves, or nobody knows better.
// Blocks as long as the system's resolver does.
std::optional<std::string> slurm_address(const std::string& host);

// The value of NodeAddr= in what scontrol prints, if it is there and could be an address.
std::optional<std::string> node_address_in(std::string_view text);

}  // namespace pp::discovery

#pragma GCC visibility pop
