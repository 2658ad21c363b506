// Discovered hosts: the thin shell around a search.
#include "discovered_hosts.hpp"

#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/multicast.hpp>
#include <pp/transport.hpp>

#include "child.hpp"
#include "daemon_network.hpp"
#include "daemon_search.hpp"
#include "deputy.hpp"
#include "descriptor.hpp"
#include "obituary.hpp"
#include "report_line.hpp"

namespace pp::tools {
namespace {

using daemon::DaemonSearch;
using transport::SessionId;

std::string machine() {
  utsname about{};
  ::uname(&about);
  return about.machine;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

// A launcher waits for no call, but a transport listens somewhere. Where everybody who is asked for
// lives on this host, nothing else is touched.
std::string where_to_listen(const DiscoverPlan& plan) {
  const bool near = !plan.peers.empty() &&
                    std::all_of(plan.peers.begin(), plan.peers.end(),
                                [](const Address& peer) { return is_loopback(peer.host); });
  return near && plan.how == "off" ? "127.0.0.1:0" : ":0";
}

class Lookout final : transport::Handler, discovery::Discovery::Listener {
 public:
  explicit Lookout(const DiscoverPlan& plan)
      : search_(plan.wanted, machine(), {.longest = plan.longest, .listens = plan.how != "off"},
                Clock::now()),
        transport_(daemon::open_daemon_network(ClusterKey::load(plan.key_file),
                                               {.node = NodeId::random(),
                                                .name = {},
                                                .workers = 0,
                                                .launcher = true,
                                                .listen = where_to_listen(plan),
                                                .interface = {}})) {
    for (const Address& peer : plan.peers) search_.sighted({peer}, std::nullopt);
    if (plan.how == "off") return;
    source_ = std::make_unique<discovery::Multicast>(ClusterKey::load(plan.key_file),
                                                     daemon::daemon_multicast(plan.how, {}));
    source_->introduce(daemon::who_is(*transport_));
    for (const int descriptor : source_->descriptors()) transport_->watch(descriptor);
  }

  DiscoveredHosts look() {
    for (;;) {
      now_ = Clock::now();
      transport_->poll(now_, *this);
      if (source_) source_->poll(now_, *this);
      for (const Address& address : search_.due(now_)) transport_->dial(address);
      transport_->poll(now_, *this);
      if (search_.finished(now_)) break;
      Time due = search_.next_due();
      if (source_) due = std::min(due, source_->next_due(now_));
      transport_->wait(due);
    }
    DiscoveredHosts found;
    for (const DaemonSearch::Found& one : search_.chosen())
      found.hosts.push_back({one.name, one.address, one.profile.share});
    if (!search_.nobody()) found.table = search_.table();
    found.notices = std::move(notices_);
    if (source_) {
      if (const auto ignored = source_->ignored(); ignored.foreign > 0) {
        found.notices.push_back(std::to_string(ignored.foreign) +
                                (ignored.foreign == 1 ? " beacon" : " beacons") +
                                " of other clusters came meanwhile (other keys, or nodes of "
                                "launches that run)");
      }
      source_->leave();
    }
    return found;
  }

 private:
  void on_up(SessionId session, const transport::Peer& peer) override {
    if (peer.introduction.driver) return transport_->hang_up(session, "two launchers");
    peers_.emplace(session, peer);
    transport_->send(session, daemon::encode(daemon::Look{}));
  }
  void on_message(SessionId session, std::span<const std::byte> bytes) override {
    const auto peer = peers_.find(session);
    if (peer == peers_.end()) return;
    try {
      const daemon::Message message = daemon::decode(bytes);
      if (const auto* profile = std::get_if<daemon::Profile>(&message)) {
        const transport::Introduction& who = peer->second.introduction;
        search_.answered(who.node, who.name, peer->second.remote, *profile, now_);
      }
    } catch (const Error& error) {
      search_.failed(peer->second.remote, error.what());
    }
    transport_->hang_up(session, "seen");
  }
  void on_word(SessionId, std::span<const std::byte>) override {}
  void on_down(SessionId session, transport::DownReason, std::string_view why) override {
    const auto peer = peers_.find(session);
    if (peer == peers_.end()) return;
    search_.failed(peer->second.remote, std::string(why));  // unless it has answered
    peers_.erase(peer);
  }
  void on_dial_failed(const Address& address, transport::DialFailure,
                      std::string_view why) override {
    search_.failed(address, std::string(why));
  }
  void on_refused(const transport::Refusal& refusal) override {
    search_.failed(refusal.remote, refusal.sentence);
  }

  void sighted(const discovery::Sighting& sighting) override {
    if (!sighting.leaving) search_.sighted(sighting.addresses, sighting.node);
  }
  void noticed(const std::string& sentence) override { notices_.push_back(printable(sentence)); }

  DaemonSearch search_;
  std::unique_ptr<transport::Transport> transport_;
  std::unique_ptr<discovery::Discovery> source_;
  std::map<SessionId, transport::Peer> peers_;
  std::vector<std::string> notices_;
  Time now_{};
};

}  // namespace

DiscoveredHosts discover_hosts(const DiscoverPlan& plan) { return Lookout(plan).look(); }

// A datagram socket that is connected knows its own end; nothing is sent.
std::string local_host_towards(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &list) != 0)
    return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    const Descriptor descriptor(::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage here{};
    socklen_t size = sizeof here;
    char host[NI_MAXHOST] = {};
    if (descriptor.open() && ::connect(descriptor.get(), one->ai_addr, one->ai_addrlen) == 0 &&
        ::getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&here), &size) == 0 &&
        ::getnameinfo(reinterpret_cast<sockaddr*>(&here), size, host, sizeof host, nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      return host;
    }
  }
  return {};
}

void add_discovered_hosts(LaunchPlan& plan, const DiscoverPlan& discover, bool listen_given) {
  if (discover.key_file.empty()) {
    throw Error(
        "ppd answers only who holds its key, and none is named: expected --key-file FILE or "
        "PP_KEY_FILE");
  }
  const char* path = std::getenv("PATH");
  const auto program =
      find_program(plan.command.front(), path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  DiscoveredHosts found = discover_hosts(discover);
  std::string said;
  for (const std::string& notice : found.notices) said += "pp-launch: " + notice + '\n';
  const unsigned wanted = std::max(discover.wanted, 1u);
  if (found.hosts.size() < wanted) {
    std::cerr << said;
    throw TooFewHosts(
        found.table.empty()
            ? "no ppd has answered within " + time_in_words(discover.longest) +
                  " with the key of " + discover.key_file.string() +
                  ": is it running there (systemctl status ppd), does it have this key "
                  "(pp-keygen --fingerprint), does the network carry multicast (if not: --daemons "
                  "HOST:PORT)?"
            : std::to_string(found.hosts.size()) + " of " + std::to_string(wanted) +
                  " node daemons can be used:\n" + found.table);
  }
  if (!plan.quiet) std::cerr << said << found.table;

  std::vector<std::string> here;
  for (const DiscoveredHost& host : found.hosts) here.push_back(local_host_towards(host.address));
  const bool one_way =
      !here.front().empty() &&
      std::adjacent_find(here.begin(), here.end(), std::not_equal_to<>()) == here.end();
  if (!listen_given) plan.listen = one_way ? Address{here.front(), 0}.to_string() : ":0";
  plan.key_file.clear();
  plan.nodes = static_cast<unsigned>(found.hosts.size()) + 1;
  // One that is not there is told of by the launch itself.
  const auto* file = std::get_if<std::string>(&program);
  for (std::size_t i = 0; i < found.hosts.size(); ++i) {
    DeputyPlan deputy;
    deputy.daemon = found.hosts[i].address.to_string();
    deputy.name = found.hosts[i].name;
    deputy.key_file = discover.key_file.string();
    deputy.file = file != nullptr ? *file : plan.command.front();
    if (!listen_given && !one_way) deputy.here = here[i];
    deputy.workers = discover.workers;
    deputy.command = plan.command;
    plan.deputies.push_back(deputy_arguments(deputy));
  }
}

}  // namespace pp::tools
