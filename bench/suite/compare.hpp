// Compare: two results side by side.
#pragma once

#include <string>

#include "results.hpp"

namespace pp::bench {

// For each figure of pp that both have: both medians, after / before, and the same ratio of what pp
// is beside its first yardstick, which a faster machine does not change. "better" or "worse" where
// the middle halves of the readings lie apart. Figures that only one of them has are named.
std::string compare(const Results& before, const Results& after);

}  // namespace pp::bench
