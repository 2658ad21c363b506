// Which charts there are, and what is on them.
#include "plots.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <pp/error.hpp>

#include "svg.hpp"

namespace pp::bench {
namespace {

using Lines = std::map<std::string, ChartLine>;  // by who and which

std::string name_of(const std::string& who, const std::string& line) {
  return line.empty() ? who : who + ", " + line;
}

// One chart per unit: two units share no axis.
std::map<std::string, Lines> lines_of(const CaseResult& result) {
  std::map<std::string, Lines> by_unit;
  for (const Row& row : result.rows) {
    if (!row.x) continue;
    for (const Measured& each : row.measured) {
      const auto spread = spread_of(each.readings);
      if (!spread) continue;
      const std::string name = name_of(each.who, row.line);
      ChartLine& line = by_unit[row.unit][name];
      line.name = name;
      line.points.emplace_back(*row.x, spread->median);
    }
  }
  return by_unit;
}

bool is_ours(const std::string& name) { return name == kOurs || name.rfind(kOurs + ",", 0) == 0; }

// pp in front: it has the first colours in every chart.
std::vector<ChartLine> sorted(const Lines& lines) {
  std::vector<ChartLine> all;
  for (const bool ours : {true, false}) {
    for (const auto& [name, line] : lines) {
      if (is_ours(name) != ours) continue;
      all.push_back(line);
      std::ranges::sort(all.back().points);
    }
  }
  return all;
}

// "M nodes/s" as part of a file's name.
std::string file_part(const std::string& unit) {
  std::string part;
  for (const char c : unit) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
      part += c;
    else if (!part.empty() && part.back() != '_')
      part += '_';
  }
  return part.empty() ? "share" : part;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> plots_of(const Results& results) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const CaseResult& result : results.cases) {
    if (!result.chart.x.empty()) {
      for (const auto& [unit, lines] : lines_of(result)) {
        files.emplace_back(result.name + "-" + file_part(unit) + ".svg",
                           svg_chart(result.what, {result.chart.x, result.chart.logarithmic_x},
                                     {unit, result.chart.logarithmic_y}, sorted(lines)));
      }
    }
    Lines distributions;
    std::string unit;
    for (const DistributionRow& each : result.distributions) {
      const std::string name = name_of(each.who, each.distribution.row);
      ChartLine& line = distributions[name];
      line.name = name;
      unit = each.distribution.unit;
      const std::vector<double>& parts = kept_quantiles();
      for (std::size_t i = 0; i < std::min(parts.size(), each.distribution.values.size()); ++i)
        line.points.emplace_back(each.distribution.values[i], 100 * parts[i]);
    }
    if (!distributions.empty()) {
      files.emplace_back(result.name + "-distribution.svg",
                         svg_chart(result.what, {unit, true}, {"% that took no longer", false},
                                   sorted(distributions)));
    }
  }
  return files;
}

void write_plots(const Results& results, const std::filesystem::path& folder) {
  for (const auto& [name, text] : plots_of(results)) {
    std::ofstream out(folder / name);
    out << text;
    if (!out.flush()) throw Error((folder / name).string() + ": cannot be written");
  }
}

}  // namespace pp::bench
