// How many cores this process may really use.
#pragma once

#include <optional>
#include <string_view>

#pragma GCC visibility push(default)

namespace pp {

// The smaller of the affinity mask and the control groups' CPU quota, rounded up; at least 1.
unsigned usable_cores();

// The quota in cores that a control group's files state, or nothing where there is none:
// version 2's cpu.max ("150000 100000", "max 100000"), version 1's cpu.cfs_quota_us and
// cpu.cfs_period_us.
std::optional<unsigned> quota_of(std::string_view cpu_max);
std::optional<unsigned> quota_of(std::string_view cfs_quota_us, std::string_view cfs_period_us);

}  // namespace pp

#pragma GCC visibility pop
