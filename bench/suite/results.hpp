// Results: everything one run of the suite has found out. Values, as they lie in the JSON file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "case.hpp"
#include "sample.hpp"
#include "spread.hpp"

namespace pp::bench {

// On what it was measured, and of what.
struct Provenance {
  std::string date;  // UTC, "2026-11-25T23:51:23Z"
  std::string processor;
  unsigned cores = 0;  // that this process may use
  double memory_gib = 0;
  std::string system;  // kernel and distribution
  std::string compiler;
  std::string build;  // Release, Debug, ...
  std::string commit;
  std::vector<std::pair<std::string, std::string>> versions;  // of what pp is built from
  std::string load;                                           // of the machine in the minute before

  friend bool operator==(const Provenance&, const Provenance&) = default;
};

// What one contender has measured for one row.
struct Measured {
  std::string who;
  std::vector<Reading> readings;

  friend bool operator==(const Measured&, const Measured&) = default;
};

struct Row {
  std::string name;
  std::string unit;
  std::optional<double> x;
  std::string line;
  std::vector<Measured> measured;  // pp first, if it has one

  const Measured* by(const std::string& who) const;
  friend bool operator==(const Row&, const Row&) = default;
};

struct DistributionRow {
  std::string who;
  Distribution distribution;  // the medians of the repetitions

  friend bool operator==(const DistributionRow&, const DistributionRow&) = default;
};

// Somebody who did not take part, and why.
struct Missing {
  std::string who;
  std::string why;

  friend bool operator==(const Missing&, const Missing&) = default;
};

struct CaseResult {
  std::string name;
  std::string what;
  Chart chart{};
  std::vector<Reach> reach;
  std::vector<Row> rows;
  std::vector<DistributionRow> distributions;
  std::vector<Missing> skipped;  // not installed
  std::vector<Missing> failed;
};

struct Results {
  Provenance provenance;
  unsigned repetitions = 0;
  bool quick = false;
  std::vector<CaseResult> cases;

  bool any_failed() const;
};

// The figure to reach for this row, if there is one.
const Reach* reach_for(const CaseResult& result, const Row& row);
// What pp has of it: the ratio to whom it is held against, or the value itself. Nothing: not
// measured.
std::optional<double> reached(const Row& row, const Reach& reach);
bool met(const Row& row, const Reach& reach, double value);

// As JSON, and back. Throws pp::Error for a text that is none of ours, saying where.
std::string to_json(const Results& results);
Results results_from_json(const std::string& text);
// Throws pp::Error naming the file.
Results results_from_file(const std::filesystem::path& file);

}  // namespace pp::bench
