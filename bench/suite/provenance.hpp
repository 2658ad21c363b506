// Provenance: what has to stand beside every figure.
#pragma once

#include "results.hpp"

namespace pp::bench {

// Of this program, on this machine, now.
Provenance provenance();

}  // namespace pp::bench
