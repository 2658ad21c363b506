// Remote: what the cases between two nodes have in common.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <pp/pp.hpp>
#include <string>
#include <vector>

#include "case.hpp"

namespace pp::bench {

// Two nodes of one worker.
inline constexpr Shape kPair{2, 1};

// What a small job takes and gives: 64 bytes.
using Small = std::array<std::uint64_t, 8>;
inline Small same_small(Small small) { return small; }

// The driver submits and runs nothing itself: each of its jobs is another node's. Workers serve.
int drive_others(const std::function<void(Runtime&)>& body);

// Which core this process should be pinned to when its launch is a conversation of two: the
// driver's, or the workers'.
int own_core();

// pp over each lane: one launch of a pair for each.
Contender over_lanes(const std::string& body, const std::vector<std::string>& arguments = {});

}  // namespace pp::bench
