// The suite.
#include "registry.hpp"

namespace pp::bench {

std::vector<Case> all_cases() {
  return {fork_case(),     submit_case(), rate_case(), latency_case(), steal_case(),
          grain_case(),    uts_case(),    skew_case(), primes_case(),  bulk_case(),
          argument_case(), start_case(),  idle_case(), seal_case(),    wire_case()};
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
