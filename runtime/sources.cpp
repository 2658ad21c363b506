// The sources of addresses that a node's options name.
#include <pp/apart.hpp>
#include <pp/cluster_key.hpp>
#include <pp/discovery.hpp>
#include <pp/dns_name.hpp>
#include <pp/hosts_file.hpp>
#include <pp/multicast.hpp>
#include <pp/shared_folder.hpp>

#include "node.hpp"

namespace pp::runtime {

namespace {

// Nodes that listen on this host's own address only are not to be found from elsewhere.
bool meets_others(const transport::Introduction& self) {
  for (const Address& address : self.addresses) {
    if (address.host != "::1" && !address.host.starts_with("127.")) return true;
  }
  return false;
}

// Where other nodes of this cluster listen, if nobody says otherwise: where this one was told to.
std::uint16_t usual_port(const Options& options) {
  constexpr std::uint16_t kUsual = 7400;
  const std::size_t colon = options.listen.rfind(':');
  if (colon == std::string::npos) return kUsual;
  const std::uint16_t port = Address::parse("x" + options.listen.substr(colon)).port;
  return port == 0 ? kUsual : port;
}

// Null where multicast is off, or cannot work and is not needed.
std::unique_ptr<discovery::Discovery> open_multicast(const Options& options,
                                                     const transport::Introduction& self,
                                                     Log& log) {
  if (options.discover == "off" || options.key_file.empty()) return nullptr;
  discovery::MulticastOptions multicast = discovery::MulticastOptions::parse(options.discover);
  const bool only_source = options.listen.empty() && !options.has_contacts();
  if (multicast.interfaces.empty()) {
    if (!options.interface.empty()) multicast.interfaces = {options.interface};
    // A host without a network: its own nodes find each other all the same.
    if (!meets_others(self)) {
      if (!only_source) return nullptr;
      multicast.interfaces = {"lo"};
    }
  }
  multicast.launch = options.launch;
  multicast.function_table = self.function_table;
  multicast.seed = std::hash<NodeId>{}(self.node);
  try {
    return std::make_unique<discovery::Multicast>(ClusterKey::load(options.key_file),
                                                  std::move(multicast));
  } catch (const Error& error) {
    if (only_source) throw;  // nobody would ever find this node
    log.warn(std::string("goes on without multicast: ") + error.what());
    return nullptr;
  }
}

// Files may lie on a server that does not answer for minutes; the courier waits for none.
std::unique_ptr<discovery::Discovery> apart(std::unique_ptr<discovery::Discovery> source) {
  return std::make_unique<discovery::Apart>(std::move(source));
}

}  // namespace

Courier::Sources open_sources(const Options& options, const transport::Introduction& self,
                              Log& log) {
  Courier::Sources sources;
  if (!options.peers.empty())
    sources.push_back(std::make_unique<discovery::FixedList>(options.peers));
  const std::uint64_t seed = std::hash<NodeId>{}(self.node);
  if (!options.hosts_file.empty()) {
    sources.push_back(
        apart(std::make_unique<discovery::HostsFile>(options.hosts_file, usual_port(options))));
  }
  if (options.dns) sources.push_back(std::make_unique<discovery::DnsName>(*options.dns, seed));
  if (!options.folder.empty())
    sources.push_back(apart(std::make_unique<discovery::SharedFolder>(options.folder, seed)));
  if (auto multicast = open_multicast(options, self, log)) sources.push_back(std::move(multicast));
  return sources;
}

}  // namespace pp::runtime
