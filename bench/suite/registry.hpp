// Registry: the cases of the suite, in the order in which they are run and read.
#pragma once

#include <vector>

#include "case.hpp"

namespace pp::bench {

std::vector<Case> all_cases();

// The body of that name, or nothing.
const Body* find_body(const std::vector<Case>& cases, const std::string& name);

// One function for each file of bench/cases.
Case fork_case();
Case submit_case();
Case rate_case();
Case latency_case();
Case steal_case();
Case request_case();
Case grain_case();
std::vector<Case> uts_cases();
Case skew_case();
Case primes_case();
Case bulk_case();
Case argument_case();
Case start_case();
Case idle_case();
Case seal_case();
Case wire_case();

}  // namespace pp::bench
