// PythonPeer: concurrent.futures and dask as yardsticks, by the script of bench/peers.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "places.hpp"

namespace pp::bench {

enum class PythonPool {
  kFutures,  // ProcessPoolExecutor of the standard library
  kDask,     // a LocalCluster of dask.distributed
};

// "Python futures" or "dask": a pool of as many processes as the place has nodes, for every place
// of several nodes with one worker.
Contender python_at_places(PythonPool pool, const std::string& test);
// The same whatever the shapes asked for: these numbers of nodes.
Contender python_with_nodes(PythonPool pool, const std::string& test,
                            const std::vector<unsigned>& nodes);
// A pool of one process, and of as many as there are cores.
Contender python_over_workers(PythonPool pool, const std::string& test);

}  // namespace pp::bench
