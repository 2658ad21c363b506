// DiscoverOptions: see the header.
#include "discover_options.hpp"

#include <chrono>
#include <pp/address.hpp>
#include <pp/multicast.hpp>

namespace pp::tools {

void DiscoverOptions::add_to(CLI::App& app) {
  app.add_flag("--discover{on}", how,
               "Use hosts that run ppd, found by multicast (--discover=SETTINGS as in "
               "PP_DISCOVER; off: only --daemons); without -n all of them");
  app.add_option("--daemons", daemons, "HOST:PORT,... of ppds that multicast does not reach");
  app.add_option("--discover-time", seconds,
                 "Seconds within which enough of them must have been found")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
}

DiscoverPlan DiscoverOptions::plan(const std::filesystem::path& key_file, unsigned wanted,
                                   unsigned workers) const {
  DiscoverPlan plan;
  plan.key_file = key_file;
  plan.how = how.empty() ? "off" : how;
  if (plan.how != "off") discovery::MulticastOptions::parse(plan.how);  // whether it makes sense
  plan.peers = Address::parse_list(daemons);
  plan.wanted = wanted;
  plan.workers = workers;
  plan.longest = std::chrono::milliseconds(static_cast<long long>(seconds * 1000));
  return plan;
}

}  // namespace pp::tools
