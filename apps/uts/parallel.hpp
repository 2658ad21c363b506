// The search of a tree as jobs that any core of any node can run.
#pragma once

#include <pp/pp.hpp>

#include "search.hpp"

namespace uts {

// A job: counts the descendants of the nodes in the piece. While somebody else is idle it gives
// away what lies nearest to the root, as jobs of its own, and it ends when those have ended.
// Depends on nothing but its arguments.
Counts search_piece(Parameters parameters, Piece piece);

// All of the tree, by all who have joined; called by the driver.
Counts search_all(pp::Runtime& runtime, const Parameters& parameters);

}  // namespace uts
