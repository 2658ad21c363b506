// Svg: a chart with lines, as the text of an SVG file.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pp::bench {

// A line through points. A value.
struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // in ascending x
};

// An axis, and what it says. A logarithmic one shows positive values alone.
struct Axis {
  std::string says;
  bool logarithmic = false;
};

// Points that are not finite, or not positive on a logarithmic axis, are left out.
std::string svg_chart(const std::string& title, const Axis& x, const Axis& y,
                      const std::vector<ChartLine>& lines);

// Where an axis from `low` to `high` has its marks: about `count` round numbers, or powers of ten
// (and their halves and fifths when there are few) on a logarithmic one.
std::vector<double> marks(double low, double high, bool logarithmic);

}  // namespace pp::bench
