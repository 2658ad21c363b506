// What a Multicast can be asked for, and what it refuses.
#pragma once

#include <pp/multicast.hpp>

namespace pp::discovery {

// Throws pp::Error that names the first part that cannot be meant, and what was expected.
void check(const MulticastOptions& options);

}  // namespace pp::discovery
