// Hosts over ip (iproute2): a batch per namespace, so that many hosts take no time.
#include "hosts.hpp"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "process.hpp"

namespace pp::test {
namespace {

constexpr std::string_view kPrefix = "pp-test-";
constexpr char kWhereNamespacesAre[] = "/run/netns";

std::string numbered(std::string_view text, int number) {
  return std::string(text) + std::to_string(number);
}

// The lines as `ip -batch` reads them, in the namespace of that name or, without, in ours.
void ip(const std::string& where, const std::vector<std::string>& lines) {
  std::vector<std::string> command{"ip"};
  if (!where.empty()) command.insert(command.end(), {"-n", where});
  command.insert(command.end(), {"-batch", "-"});
  Process::Setting setting;
  for (const std::string& line : lines) setting.input += line + '\n';
  Process run(command, setting);
  if (run.wait() != 0) throw std::runtime_error("ip: " + run.err().substr(0, run.err().find('\n')));
}

// The namespaces go although programs may still run in some of them; nothing is thrown.
void remove(const std::vector<std::string>& names) {
  std::vector<std::string> command{"ip", "-force", "-batch", "-"};  // one that is gone ends nothing
  Process::Setting setting;
  for (const std::string& name : names) setting.input += "netns del " + name + '\n';
  try {
    Process run(command, setting);
    run.wait();
  } catch (const std::exception&) {  // the next test's sweep tries again
  }
}

// The process that made it; none if the name is not one of ours.
std::optional<pid_t> maker(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-') return std::nullopt;
  return pid;
}

bool lives(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

std::vector<pid_t> all_in(const std::string& name) {
  Process run({"ip", "netns", "pids", name});
  run.wait();
  std::istringstream out(run.out());
  std::vector<pid_t> pids;
  for (pid_t pid = 0; out >> pid;) pids.push_back(pid);
  return pids;
}

void kill_all_in(const std::string& name) {
  for (const pid_t pid : all_in(name)) ::kill(pid, SIGKILL);
}

int given_names = 0;

// What the names of one set of hosts begin with.
std::string new_prefix() {
  if (given_names == 0) Hosts::remove_leftovers();
  return numbered(kPrefix, ::getpid()) + numbered("-", ++given_names) + "-";
}

// Without snooping a bridge floods multicast, as a plain switch does; without delay a port carries
// at once.
std::vector<std::string> new_bridge(const std::string& bridge) {
  return {"link add name " + bridge + " type bridge mcast_snooping 0 stp_state 0 forward_delay 0",
          "link set " + bridge + " addrgenmode none up"};
}

std::vector<std::string> new_cable(const std::string& port, const std::string& bridge,
                                   const std::string& interface, const std::string& host) {
  return {"link add name " + port + " type veth peer name " + interface + " netns " + host,
          "link set " + port + " addrgenmode none master " + bridge + " up"};
}

// IPv6 without the second in which an address is tried out; link-local ones by hand, because those
// that the system makes are tried out in any case.
std::vector<std::string> addresses(const std::string& interface, const std::string& v4,
                                   const std::vector<std::string>& v6) {
  std::vector<std::string> lines{"link set " + interface + " addrgenmode none",
                                 "addr add " + v4 + "/24 brd + dev " + interface};
  for (const std::string& address : v6)
    lines.push_back("addr add " + address + "/64 dev " + interface + " nodad");
  lines.push_back("link set " + interface + " up");
  return lines;
}

// A cable carries a moment after both its ends are up: a worker of the kernel says so, when it gets
// to it. A program that looks before has no interface but the loopback.
void wait_until_it_carries(const std::string& interface, const std::string& host) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    Process run({"ip", "-n", host, "-o", "link", "show", "dev", interface});
    run.wait();
    if (run.out().find("state UP") != std::string::npos) return;
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error(interface + " of " + host + " does not carry: " + run.out());
  }
}

void append(std::vector<std::string>& to, const std::vector<std::string>& lines) {
  to.insert(to.end(), lines.begin(), lines.end());
}

}  // namespace

Hosts::Namespaces::~Namespaces() { remove(names_); }

void Hosts::Namespaces::add(const std::vector<std::string>& names) {
  names_.insert(names_.end(), names.begin(), names.end());  // first: some may have been made
  std::vector<std::string> lines;
  for (const std::string& name : names) lines.push_back("netns add " + name);
  ip("", lines);
}

std::string Hosts::why_not() {
  if (Process({"ip", "-V"}).wait() != 0) {
    return "no hosts can be made here: there is no program ip (iproute2)";
  }
  try {
    Namespaces tried;
    const std::string prefix = new_prefix();
    const std::string one = prefix + "a";
    const std::string other = prefix + "b";
    tried.add({one, other});
    std::vector<std::string> lines = new_bridge("lan");
    append(lines, new_cable("p0", "lan", "eth0", other));
    ip(one, lines);
    return {};
  } catch (const std::exception& error) {
    return std::string("no hosts can be made here: ") + error.what();
  }
}

// Their process ids may have come round: a name with ours, before we have given any, is a leftover
// too.
void Hosts::remove_leftovers() {
  std::vector<std::string> left;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(kWhereNamespacesAre, none)) {
    const std::string name = entry.path().filename();
    const std::optional<pid_t> pid = maker(name);
    const bool ours = pid == ::getpid();
    if (pid && (ours ? given_names == 0 : !lives(*pid))) left.push_back(name);
  }
  for (const std::string& name : left) kill_all_in(name);
  if (!left.empty()) remove(left);
}

Hosts::Hosts(int count) {
  const std::string prefix = new_prefix();
  wire_ = prefix + "wire";
  for (int i = 0; i < count; ++i) hosts_.push_back(numbered(prefix, i));
  std::vector<std::string> all = hosts_;
  all.push_back(wire_);
  namespaces_.add(all);

  std::vector<std::string> wiring = new_bridge("lan");
  for (int i = 0; i < count; ++i)
    append(wiring, new_cable(numbered("p", i), "lan", "eth0", hosts_[i]));
  ip(wire_, wiring);
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> lines{"link set lo up"};
    append(lines, addresses("eth0", address(i), {numbered("fe80::", i + 1), address_v6(i)}));
    ip(hosts_[i], lines);
  }
  for (const std::string& host : hosts_) wait_until_it_carries("eth0", host);
}

std::vector<std::string> Hosts::on(int host, const std::vector<std::string>& program) const {
  std::vector<std::string> words{"ip", "netns", "exec", hosts_.at(host)};
  append(words, program);
  return words;
}

std::vector<pid_t> Hosts::pids(int host) const { return all_in(hosts_.at(host)); }

std::string Hosts::address(int host) const { return numbered("10.231.7.", host + 1); }
std::string Hosts::address_v6(int host) const { return numbered("fd00:231:7::", host + 1); }
std::string Hosts::second_address(int host) const { return numbered("10.232.7.", host + 1); }

void Hosts::add_second_network(std::initializer_list<int> hosts) {
  std::vector<std::string> wiring = new_bridge("second");
  for (const int host : hosts)
    append(wiring, new_cable(numbered("q", host), "second", "eth1", hosts_.at(host)));
  ip(wire_, wiring);
  for (const int host : hosts) {
    ip(hosts_[host], addresses("eth1", second_address(host), {numbered("fe80::1:", host + 1)}));
  }
  for (const int host : hosts) wait_until_it_carries("eth1", hosts_[host]);
}

void Hosts::link_down(int host) { ip(wire_, {"link set " + numbered("p", host) + " down"}); }
void Hosts::link_up(int host) { ip(wire_, {"link set " + numbered("p", host) + " up"}); }
void Hosts::drop_v4(int host) {
  ip(hosts_.at(host), {"addr del " + address(host) + "/24 dev eth0"});
}
void Hosts::lead_nowhere(int host) { ip(wire_, {"link set " + numbered("p", host) + " nomaster"}); }

}  // namespace pp::test
