// Sample: one line that a measured program prints, and we read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pp::bench {

// One figure. A value.
struct Sample {
  std::string row;   // what exactly was measured: "2 nodes x 1", "64 KiB, fabric"
  std::string unit;  // see less_is_better()
  double value = 0;
  std::optional<double> x;  // its place in a chart: a size, a number of cores
  std::string line;         // the line of the chart that it belongs to, beside who it is

  friend bool operator==(const Sample&, const Sample&) = default;
};

// How single events were distributed: value at each of kQuantiles. A value.
struct Distribution {
  std::string row;
  std::string unit;
  std::vector<double> values;

  friend bool operator==(const Distribution&, const Distribution&) = default;
};

// Where a distribution is sampled, in ascending order.
const std::vector<double>& kept_quantiles();
// Of single events, in any order. REQUIRES: not empty.
Distribution distribution_of(std::string row, std::string unit, std::vector<double> events);

// A line without its end: a JSON object, so that a program in any language can print it.
std::string to_line(const Sample& sample);
std::string to_line(const Distribution& distribution);

struct Samples {
  std::vector<Sample> samples;
  std::vector<Distribution> distributions;
};

// Reads what a program has printed. Lines that do not begin with a brace are the program's own
// business; one that does and is no sample throws pp::Error with the line.
Samples read_samples(std::string_view printed);

// Prints a line at once: what was measured before a crash is kept.
void emit(const Sample& sample);
void emit(const Distribution& distribution);

}  // namespace pp::bench
