// Hosts: several hosts on one machine, joined by a bridge.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace pp::test {

// Each host is a network namespace with an interface eth0 of its own; the bridge that joins them
// lies in another one, so that the machine's own network is not touched and sees nothing. Names
// carry the process id: several test programs may run side by side, and all use the same addresses.
//
//   Hosts hosts(2);
//   Process server(hosts.on(0, {"server"}));
//   Process client(hosts.on(1, {"client", hosts.address(0)}));
//   hosts.link_down(1);
//
// All is removed by the destructor. What a test left that was killed is removed by the next one,
// with the programs that still run there. Functions that change something throw std::runtime_error
// with what ip (iproute2) says.
class Hosts {
 public:
  // Why no host can be made here, in one line; empty if they can.
  static std::string why_not();
  // Takes away what killed tests left; called before the first hosts are made.
  static void remove_leftovers();

  explicit Hosts(int count);
  ~Hosts() = default;
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  int count() const { return static_cast<int>(hosts_.size()); }
  // The command that runs a program on that host, 0 to count() - 1. It becomes the program: the
  // process id of the one is that of the other.
  std::vector<std::string> on(int host, const std::vector<std::string>& program) const;

  // All that run there.
  std::vector<pid_t> pids(int host) const;

  // Of eth0; usable at once. The network of each host is 10.231.7.0/24 and fd00:231:7::/64.
  std::string address(int host) const;
  std::string address_v6(int host) const;
  // Of eth1.
  std::string second_address(int host) const;

  // A second bridge: these hosts get an interface eth1, in 10.232.7.0/24.
  void add_second_network(std::initializer_list<int> hosts);

  // Pulls eth0's cable and puts it back: the host sees that it has no carrier; its addresses stay.
  void link_down(int host);
  void link_up(int host);
  void drop_v4(int host);  // eth0 keeps its IPv6 addresses only
  // eth0 looks well, but nobody is at the other end.
  void lead_nowhere(int host);

 private:
  // Network namespaces by name, made one by one and removed together, also when a constructor ends
  // halfway.
  class Namespaces {
   public:
    Namespaces() = default;
    ~Namespaces();
    Namespaces(const Namespaces&) = delete;
    Namespaces& operator=(const Namespaces&) = delete;
    void add(const std::vector<std::string>& names);

   private:
    std::vector<std::string> names_;
  };

  Namespaces namespaces_;
  std::string wire_;                // where the bridges are
  std::vector<std::string> hosts_;  // names of the others
};

}  // namespace pp::test
