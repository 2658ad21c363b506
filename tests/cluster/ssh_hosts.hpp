// SshHosts: hosts with a real sshd each, and what a user needs to reach them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hosts.hpp"
#include "process.hpp"

namespace pp::test {

// Host 0 is where pp-launch runs; the others are called h1, h2, ... by the ssh configuration, each
// with an sshd of its own that knows one key. In the same configuration, "dead" is an address where
// nobody is, "closed" one where nobody listens, and "foreign" is h1 by a key that it does not know.
class SshHosts {
 public:
  // Why there can be none here, in one line; empty if there can.
  static std::string why_not();

  // With `count` hosts beside host 0; all files go to `folder`, which must outlive them.
  SshHosts(int count, const Folder& folder);
  ~SshHosts();
  SshHosts(const SshHosts&) = delete;
  SshHosts& operator=(const SshHosts&) = delete;

  Hosts& hosts() { return hosts_; }
  // For pp-launch --ssh.
  std::string ssh() const { return "ssh -F " + config_; }
  // Processes on that host, its sshd left out.
  std::vector<pid_t> running_on(int host) const;

 private:
  Hosts hosts_;
  std::string config_;
  std::vector<std::unique_ptr<Process>> servers_;
};

}  // namespace pp::test
