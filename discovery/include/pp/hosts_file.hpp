// HostsFile: a text file of hosts, read again when it changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <pp/discovery.hpp>
#include <string>

#pragma GCC visibility push(default)

namespace pp::discovery {

// One host per line, at `default_port` where the line names none:
//
//     # the cluster in the basement
//     node1
//     node2:7401
//     10.0.0.7
//     [fd00::1]:7401
//     fd00::2
//
// Files written for others are understood as far as they name a host: what looks like slots=4 after
// it (MPI's hostfiles) is passed over, as are 8/ and user@ before it (GNU parallel's sshlogin
// files), and a host named twice counts once. But after a colon stands a port, not a number of
// slots.
//
// It is looked at every 2 s, also while it does not exist. Each address is sighted once, as
// lasting; one whose line vanished is not told again and is not taken back either, since who was
// met there may be at work. Lines that name no host are noticed once per change of the file, and
// the others count all the same. A last line without an end counts from the second look on: it may
// be half of a name that somebody is still writing.
//
// poll() takes as long as the file's server does, which may be for ever: see Apart (pp/apart.hpp).
class HostsFile final : public Discovery {
 public:
  // Ten times the largest cluster; a longer file is not a list of hosts. What stands beyond is
  // noticed and not read.
  static constexpr std::size_t kMostLines = 65'536;
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;

  // REQUIRES: default_port is not 0.
  HostsFile(std::filesystem::path file, std::uint16_t default_port);
  ~HostsFile() override;

  void poll(Time now, Listener& listener) override;
  Time next_due(Time now) const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pp::discovery

#pragma GCC visibility pop
