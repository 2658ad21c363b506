// SshHosts: configuration and keys for a few minutes.
#include "ssh_hosts.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace pp::test {
namespace {

constexpr char kServer[] = "/usr/sbin/sshd";  // it insists on being called by its whole path

void make_key(const std::string& file) {
  Process keygen({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file});
  if (keygen.wait() != 0) throw std::runtime_error("ssh-keygen: " + keygen.err());
}

std::string line_of(const std::string& file) {
  std::string line;
  std::getline(std::ifstream(file), line);
  return line;
}

}  // namespace

std::string SshHosts::why_not() {
  if (::geteuid() != 0) return "no sshd can be run here: it must be root's";
  if (::access(kServer, X_OK) != 0)
    return "no sshd can be run here: there is no " + std::string(kServer) + " (openssh-server)";
  if (Process({"ssh", "-V"}).wait() != 0) return "there is no ssh here (openssh-client)";
  return Hosts::why_not();
}

SshHosts::SshHosts(int count, const Folder& folder)
    : hosts_(count + 1), config_(folder / "ssh_config") {
  ::mkdir("/run/sshd", 0755);  // where sshd goes to be nobody; the package's service makes it
  make_key(folder / "user_key");
  make_key(folder / "stranger_key");
  make_key(folder / "host_key");
  std::ofstream(folder / "authorized_keys") << line_of(folder / "user_key.pub") << '\n';
  std::ofstream(folder / "known_hosts") << "any " << line_of(folder / "host_key.pub") << '\n';
  std::ofstream config(config_);
  for (int host = 1; host <= count; ++host) {
    config << "Host h" << host << "\n  HostName " << hosts_.address(host) << '\n';
    const std::string file = folder / ("sshd_config" + std::to_string(host));
    std::ofstream(file) << "ListenAddress " << hosts_.address(host) << "\nHostKey "
                        << folder / "host_key"
                        << "\nAuthorizedKeysFile " << folder / "authorized_keys"
                        << "\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
                           "KbdInteractiveAuthentication no\nPermitRootLogin yes\n";
    auto server = std::make_unique<Process>(hosts_.on(host, {kServer, "-D", "-e", "-f", file}));
    server->wait_for_line("Server listening");
    servers_.push_back(std::move(server));
  }
  config << "Host dead\n  HostName 10.231.7.99\nHost closed\n  HostName " << hosts_.address(0)
         << "\nHost foreign\n  HostName " << hosts_.address(1) << "\n  IdentityFile "
         << folder / "stranger_key"
         << "\nHost * !foreign\n  IdentityFile " << folder / "user_key"
         << "\nHost *\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile "
         << folder / "known_hosts"
         << "\n  GlobalKnownHostsFile /dev/null\n  HostKeyAlias any\n"
            "  StrictHostKeyChecking yes\n";
}

// sshd writes its title where its environment was, by which a Process knows what it must end.
SshHosts::~SshHosts() {
  for (const auto& server : servers_) {
    try {
      server->signal(SIGTERM);
      server->wait();
    } catch (const std::exception& error) {
      std::cerr << error.what() << std::endl;
    }
  }
}

std::vector<pid_t> SshHosts::running_on(int host) const {
  std::vector<pid_t> left;
  for (const pid_t pid : hosts_.pids(host)) {
    if (host == 0 || pid != servers_.at(static_cast<std::size_t>(host) - 1)->pid())
      left.push_back(pid);
  }
  return left;
}

}  // namespace pp::test
