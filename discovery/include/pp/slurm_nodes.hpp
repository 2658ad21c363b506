// slurm_nodes: the names that Slurm's short form of a node list stands for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::discovery {

// Reads what Slurm writes into SLURM_STEP_NODELIST, so that nobody has to ask its controller:
//
//     n1                     n1
//     n[1-3,7],login         n1 n2 n3 n7 login
//     n[08-11]               n08 n09 n10 n11: as wide as the first number, if that begins with 0
//     r[1-2]n[1-2]-ib        r1n1-ib r1n2-ib r2n1-ib r2n2-ib: the last brackets count fastest
//
// In the order of the list, a name as often as it stands there. Whatever a hostile text says, it
// costs no more than its length and the names below. Throws pp::Error that quotes the place: empty
// lists, names and brackets, brackets within brackets or not closed, ranges that are no numbers or
// run backwards, characters that stand in no host's name, and what exceeds the limits.
std::vector<std::string> slurm_nodes(std::string_view list);

// Slurm itself has 65,536 nodes at most.
inline constexpr std::size_t kMostSlurmNodes = 65'536;
// Of one name; DNS knows no longer ones.
inline constexpr std::size_t kLongestSlurmNode = 255;
// Of the list; an environment variable holds 128 KiB.
inline constexpr std::size_t kLongestSlurmList = std::size_t{1} << 20;

}  // namespace pp::discovery

#pragma GCC visibility pop
