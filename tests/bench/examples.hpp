// Examples: results as a run of the suite might have them.
#pragma once

#include "results.hpp"

namespace pp::bench::test {

inline Row row(const std::string& name, const std::string& unit, std::vector<Reading> ours,
               std::vector<Reading> theirs = {}) {
  Row made{name, unit, std::nullopt, "", {}};
  if (!ours.empty()) made.measured.push_back({kOurs, std::move(ours)});
  if (!theirs.empty()) made.measured.push_back({"Peer", std::move(theirs)});
  return made;
}

inline Results results_with(std::vector<Row> rows, std::vector<Reach> reach = {}) {
  Results results;
  results.provenance.processor = "a processor";
  results.provenance.commit = "abc";
  results.repetitions = 2;
  results.cases.push_back(
      {"case", "a question", {}, std::move(reach), std::move(rows), {}, {}, {}});
  return results;
}

}  // namespace pp::bench::test
