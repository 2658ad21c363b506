// The suite.
#include "registry.hpp"

#include <utility>

namespace pp::bench {

std::vector<Case> all_cases() {
  std::vector<Case> cases{fork_case(),  submit_case(),  rate_case(), latency_case(),
                          steal_case(), request_case(), grain_case()};
  for (Case& tree : uts_cases()) cases.push_back(std::move(tree));
  for (Case (*make)() : {skew_case, primes_case, bulk_case, argument_case, start_case, idle_case,
                         seal_case, wire_case})
    cases.push_back(make());
  return cases;
}

const Body* find_body(const std::vector<Case>& cases, const std::string& name) {
  for (const Case& each : cases) {
    for (const Body& body : each.bodies) {
      if (body.name == name) return &body;
    }
  }
  return nullptr;
}

}  // namespace pp::bench
