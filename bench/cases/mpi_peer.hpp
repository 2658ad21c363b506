// MpiPeer: OpenMPI as a yardstick, by the program of bench/peers.
#pragma once

#include <string>
#include <vector>

#include "case.hpp"

namespace pp::bench {

// By which way its ranks talk.
enum class MpiWay {
  kShared,  // shared memory, as it does by itself on one host
  kTcp,     // as between hosts
};

// Two ranks on a core each, told of all lanes.
Contender mpi_pair(MpiWay way, const std::string& test);

// For each number of nodes with one worker a run with `more` ranks than that, and for each of the
// arguments one.
Contender mpi_at_places(const std::string& test, unsigned more,
                        std::function<std::vector<std::string>(const Settings&)> arguments = {});

// The same whatever the shapes asked for: these numbers of ranks.
Contender mpi_with_ranks(const std::string& test, const std::vector<unsigned>& ranks);

}  // namespace pp::bench
