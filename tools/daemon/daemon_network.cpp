// Opening the daemons' network.
#include "daemon_network.hpp"

#include <unistd.h>

#include <pp/network_transport.hpp>
#include <utility>

#include "daemon_messages.hpp"

namespace pp::tools::daemon {
namespace {

// In the place of a program's table of functions: "ppd", and the version of what is spoken in the
// handshake's place. What is spoken after it says its own version, for a better sentence.
constexpr std::uint64_t kTable = 0x7070'6400'0000'0001;

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

}  // namespace

std::unique_ptr<transport::Transport> open_daemon_network(ClusterKey key,
                                                          const NetworkWishes& wishes) {
  transport::NetworkOptions options;
  options.introduction.node = wishes.node;
  options.introduction.name = !wishes.name.empty() ? wishes.name
                              : wishes.launcher    ? host_name() + ":" + std::to_string(::getpid())
                                                   : host_name();
  options.introduction.workers = wishes.workers;
  options.introduction.function_table = kTable;
  options.introduction.build = "pp " PP_VERSION;
  options.introduction.launch = kLaunch;
  options.introduction.driver = wishes.launcher;
  const bool anywhere = wishes.listen.starts_with(':');
  options.listen = Address::parse((anywhere ? "x" : "") + wishes.listen);
  if (anywhere) options.listen.host.clear();
  options.interface = wishes.interface;
  options.fabric = "off";
  options.shared_memory = false;
  options.limits.dead = wishes.silence;
  return transport::open_network(std::move(key), std::move(options));
}

discovery::MulticastOptions daemon_multicast(const std::string& how, const std::string& interface) {
  discovery::MulticastOptions options = discovery::MulticastOptions::parse(how);
  if (options.interfaces.empty() && !interface.empty()) options.interfaces = {interface};
  options.launch = kLaunch;
  options.function_table = kTable;
  return options;
}

discovery::Discovery::Self who_is(const transport::Transport& transport) {
  const transport::Introduction& self = transport.self();
  discovery::Discovery::Self who;
  who.node = self.node;
  who.name = self.name;
  if (!self.driver) who.addresses = self.addresses;  // nobody has to call a launcher
  who.workers = self.workers;
  who.daemon = true;
  who.seeks = self.driver;
  return who;
}

}  // namespace pp::tools::daemon
