// Rows of both, matched by case and name.
#include "compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "columns.hpp"
#include "unit.hpp"

namespace pp::bench {
namespace {

const CaseResult* find(const Results& results, const std::string& name) {
  const auto found = std::ranges::find(results.cases, name, &CaseResult::name);
  return found == results.cases.end() ? nullptr : &*found;
}

const Row* find(const CaseResult& result, const Row& like) {
  const auto found = std::ranges::find_if(result.rows, [&like](const Row& row) {
    return row.name == like.name && row.unit == like.unit && row.by(kOurs) != nullptr;
  });
  return found == result.rows.end() ? nullptr : &*found;
}

std::string change(const Row& row, const Spread& before, const Spread& after) {
  if (before.readings < 2 || after.readings < 2) return "";  // no spread to compare with
  if (!before.apart_from(after)) return "";
  return (after.median < before.median) == less_is_better(row.unit) ? "better" : "worse";
}

// pp beside the first yardstick that both have.
std::string beside(const Row& before, const Row& after) {
  for (const Measured& other : before.measured) {
    const Measured* const same = after.by(other.who);
    if (other.who == kOurs || same == nullptr) continue;
    const auto was = ratio(before.by(kOurs)->readings, other.readings);
    const auto is = ratio(after.by(kOurs)->readings, same->readings);
    if (was && is && *was != 0) return fmt::format("{}x beside {}", digits(*is / *was), other.who);
  }
  return "";
}

std::string origin(const char* which, const Results& results) {
  const Provenance& from = results.provenance;
  return fmt::format("{}: commit {}, {}, {}, {} repetitions, load {}{}\n", which, from.commit,
                     from.date, from.processor, results.repetitions, from.load,
                     results.quick ? ", quick" : "");
}

// Those of pp's rows in `of` that `other` lacks.
std::string only_in(const char* which, const Results& of, const Results& other) {
  std::string text;
  for (const CaseResult& result : of.cases) {
    const CaseResult* const same = find(other, result.name);
    for (const Row& row : result.rows) {
      if (row.by(kOurs) != nullptr && (same == nullptr || find(*same, row) == nullptr))
        text += fmt::format("only {}: {}, {}, {}\n", which, result.name, row.name, row.unit);
    }
  }
  return text;
}

}  // namespace

std::string compare(const Results& before, const Results& after) {
  Columns columns({"case", "", "unit", "before", "after", "after / before", "", ""}, {3, 4, 5});
  std::size_t better = 0, worse = 0, both = 0;
  for (const CaseResult& result : before.cases) {
    const CaseResult* const same = find(after, result.name);
    if (same == nullptr) continue;
    for (const Row& row : result.rows) {
      const Row* const now = row.by(kOurs) ? find(*same, row) : nullptr;
      if (now == nullptr) continue;
      const auto was = spread_of(row.by(kOurs)->readings);
      const auto is = spread_of(now->by(kOurs)->readings);
      if (!was || !is) continue;
      const std::string changed = change(row, *was, *is);
      ++both;
      better += changed == "better" ? 1u : 0u;
      worse += changed == "worse" ? 1u : 0u;
      const std::string times = was->median != 0 ? digits(is->median / was->median) + "x" : "-";
      columns.add({result.name, row.name, row.unit, digits(was->median), digits(is->median), times,
                   changed, beside(row, *now)});
    }
  }
  std::string text = origin("before", before) + origin("after ", after);
  if (both > 0) text += "\n" + columns.text("");
  text += "\n" + only_in("before", before, after) + only_in("after", after, before);
  text += fmt::format("{} figures in both: {} better, {} worse, the others within their spread\n",
                      both, better, worse);
  return text;
}

}  // namespace pp::bench
