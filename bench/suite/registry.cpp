// The suite.
#include "registry.hpp"

namespace pp::bench {

std::vector<Case> all_cases() { return {fork_case(), submit_case(), rate_case()}; }

const Body* find_body(const std::vector<Case>& cases, const std::string& name) {
  for (const Case& each : cases) {
    for (const Body& body : each.bodies) {
      if (body.name == name) return &body;
    }
  }
  return nullptr;
}

}  // namespace pp::bench
