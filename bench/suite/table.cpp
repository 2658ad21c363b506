// Results as text: columns as wide as what stands in them.
#include "table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <vector>

#include "columns.hpp"
#include "unit.hpp"

namespace pp::bench {
namespace {

std::string quartiles(const Spread& spread) {
  if (spread.readings < 2) return "";
  return fmt::format("{} .. {}", digits(spread.lower), digits(spread.upper));
}

std::string multiple(double value) { return digits(value) + "x"; }

std::string reach_text(const Row& row, const Reach& reach) {
  const std::string sign = less_is_better(row.unit) ? "<= " : ">= ";
  if (reach.against.empty()) return sign + fmt::format("{:g} {}", reach.bound, row.unit);
  return sign + fmt::format("{:g}x {}", reach.bound, reach.against);
}

std::string verdict(const Row& row, const Reach& reach) {
  const std::optional<double> value = reached(row, reach);
  if (!value) return "not measured";
  return met(row, reach, *value) ? "reached" : "missed";
}

void add_row(const CaseResult& result, const Row& row, Columns& columns) {
  const Reach* const reach = reach_for(result, row);
  const Measured* const ours = row.by(kOurs);
  std::vector<std::string> cells{row.name, row.unit, "", "", "", "", "", "", "", ""};
  if (const auto spread = ours ? spread_of(ours->readings) : std::nullopt) {
    cells[2] = digits(spread->median);
    cells[3] = quartiles(*spread);
  }
  if (reach != nullptr) {
    cells[8] = reach_text(row, *reach);
    cells[9] = verdict(row, *reach);
  }
  bool first = true;
  for (const Measured& other : row.measured) {
    const auto spread = spread_of(other.readings);
    if (&other == ours || !spread) continue;
    if (!first) cells = std::vector<std::string>(10);
    first = false;
    cells[4] = other.who;
    cells[5] = digits(spread->median);
    cells[6] = quartiles(*spread);
    const auto times = ours ? ratio(ours->readings, other.readings) : std::nullopt;
    cells[7] = times ? multiple(*times) : "";
    columns.add(cells);
  }
  if (first) columns.add(cells);
}

std::string listed(const std::map<std::string, std::set<std::string>>& by_reason) {
  std::string text;
  for (const auto& [why, names] : by_reason) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    text += fmt::format("  {}: {}\n", all, why);
  }
  return text;
}

// Others at work: a single thread then gets less of the machine than several do, and every ratio
// is off.
bool busy(const Provenance& from) { return std::atof(from.load.c_str()) > 0.5 * from.cores; }

}  // namespace

std::string heading(const Results& results) {
  const Provenance& from = results.provenance;
  std::string versions;
  for (const auto& [name, version] : from.versions)
    versions += fmt::format("{}{} {}", versions.empty() ? "" : ", ", name, version);
  return fmt::format(
      "pp-bench, commit {}, {}{}\n{}, {} core{}, {:.0f} GiB, {}, load {}{}\n{}, {}; {}\n",
      from.commit, from.date, results.quick ? ", quick: not for figures" : "", from.processor,
      from.cores, from.cores == 1 ? "" : "s", from.memory_gib, from.system, from.load,
      busy(from) ? ", BUSY: not for figures" : "", from.compiler, from.build, versions);
}

std::string table(const CaseResult& result) {
  std::string text = fmt::format("\n{}: {}\n", result.name, result.what);
  if (!result.rows.empty()) {
    Columns columns(
        {"", "unit", "pp", "quartiles", "beside", "median", "quartiles", "pp / it", "to reach", ""},
        {2, 5, 7});
    for (const Row& row : result.rows) add_row(result, row, columns);
    text += columns.text("  ");
  }
  for (const Missing& each : result.failed)
    text += fmt::format("  FAILED {}: {}\n", each.who, each.why);
  return text;
}

std::string closing(const Results& results) {
  std::map<std::string, std::set<std::string>> skipped;
  std::size_t wanted = 0, good = 0;
  for (const CaseResult& result : results.cases) {
    for (const Missing& each : result.skipped) skipped[each.why].insert(each.who);
    for (const Row& row : result.rows) {
      const Reach* const reach = reach_for(result, row);
      const auto value = reach ? reached(row, *reach) : std::nullopt;
      if (!value) continue;
      ++wanted;
      good += met(row, *reach, *value) ? 1u : 0u;
    }
  }
  std::string text = "\n";
  if (!skipped.empty()) text += "skipped, not installed:\n" + listed(skipped);
  if (wanted > 0) text += fmt::format("{} of {} figures to reach are reached\n", good, wanted);
  return text;
}

}  // namespace pp::bench
