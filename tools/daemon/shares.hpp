// Shares: how a daemon's workers are divided among the leases that want them.
#pragma once

#include <span>
#include <vector>

namespace pp::tools::daemon {

// Max-min fair: what one does not want is there for the others, and nobody who wants more has less
// than another. Each of `wants` is a number of workers, 0 for as many as there are; the answers are
// in the same order, at least 1 each even where there are more leases than workers. Of what cannot
// be divided evenly those that came first get one more.
std::vector<unsigned> fair_shares(unsigned workers, std::span<const unsigned> wants);

}  // namespace pp::tools::daemon
