// Spread: what repeated readings of one figure say together.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace pp::bench {

// The value below which the part `p` (0 to 1) of the readings lies, linear between neighbours.
// REQUIRES: sorted, not empty.
double quantile(const std::vector<double>& sorted, double p);

// A value. The quartiles are where the middle half of the readings lies.
struct Spread {
  double median = 0, lower = 0, upper = 0;
  std::size_t readings = 0;

  // Whether the middle halves of both lie apart: a change that repetition alone would not explain.
  bool apart_from(const Spread& other) const { return upper < other.lower || other.upper < lower; }
};

// Nothing when there are no readings.
std::optional<Spread> spread_of(std::vector<double> readings);

// A reading and the repetition in which it was taken.
struct Reading {
  unsigned repetition = 0;
  double value = 0;

  friend bool operator==(const Reading&, const Reading&) = default;
};

std::optional<Spread> spread_of(const std::vector<Reading>& readings);

// The median, over the repetitions that have both, of a's reading divided by b's: what disturbs a
// shared machine for longer than one repetition disturbs both and cancels out. Nothing when no
// repetition has both.
std::optional<double> ratio(const std::vector<Reading>& a, const std::vector<Reading>& b);

}  // namespace pp::bench
