// In turn, and again.
#include "runner.hpp"

#include <algorithm>
#include <map>
#include <pp/error.hpp>
#include <utility>

namespace pp::bench {
namespace {

// One contender's runs, and which of them are not worth repeating.
struct Entrant {
  std::string who;
  std::vector<Run> runs;
  std::vector<bool> failed;
};

// Collects what comes in.
class Collector {
 public:
  explicit Collector(CaseResult& result) : result_(result) {}

  void add(const std::string& who, unsigned repetition, const Samples& samples) {
    for (const Sample& sample : samples.samples) {
      Measured& measured = measured_by(row_of(sample), who);
      measured.readings.push_back({repetition, sample.value});
    }
    for (const Distribution& each : samples.distributions)
      distributions_[{who, each.row}].push_back(each);
  }

  // The medians over the repetitions, quantile by quantile.
  void finish() {
    for (const auto& [key, repeated] : distributions_) {
      Distribution all = repeated.front();
      for (std::size_t i = 0; i < all.values.size(); ++i) {
        std::vector<double> values;
        for (const Distribution& each : repeated) values.push_back(each.values[i]);
        all.values[i] = spread_of(std::move(values))->median;
      }
      result_.distributions.push_back({key.first, std::move(all)});
    }
  }

 private:
  Row& row_of(const Sample& sample) {
    const auto found = std::ranges::find_if(result_.rows, [&sample](const Row& row) {
      return row.name == sample.row && row.unit == sample.unit;
    });
    if (found != result_.rows.end()) return *found;
    result_.rows.push_back({sample.row, sample.unit, sample.x, sample.line, {}});
    return result_.rows.back();
  }
  static Measured& measured_by(Row& row, const std::string& who) {
    const auto found = std::ranges::find(row.measured, who, &Measured::who);
    if (found != row.measured.end()) return *found;
    row.measured.push_back({who, {}});
    return row.measured.back();
  }

  CaseResult& result_;
  std::map<std::pair<std::string, std::string>, std::vector<Distribution>> distributions_;
};

std::vector<Entrant> entrants(const Case& measured, const Settings& settings, CaseResult& result) {
  std::vector<Entrant> all;
  for (const Contender& contender : measured.contenders) {
    auto runs = contender.runs(settings);
    if (const Absent* const absent = std::get_if<Absent>(&runs)) {
      result.skipped.push_back({contender.who, absent->needs});
      continue;
    }
    auto& these = std::get<std::vector<Run>>(runs);
    const std::size_t count = these.size();
    all.push_back({contender.who, std::move(these), std::vector<bool>(count, false)});
  }
  return all;
}

}  // namespace

CaseResult run_case(const Case& measured, const Settings& settings, unsigned repetitions,
                    const Start& start, const Watch& watch) {
  CaseResult result{measured.name, measured.what, measured.chart, measured.reach, {}, {}, {}, {}};
  std::vector<Entrant> all = entrants(measured, settings, result);
  std::size_t most = 0;
  for (const Entrant& entrant : all) most = std::max(most, entrant.runs.size());

  Collector collector(result);
  for (unsigned repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t turn = 0; turn < most; ++turn) {
      for (Entrant& entrant : all) {
        if (turn >= entrant.runs.size() || entrant.failed[turn]) continue;
        watch(measured.name + ", " + entrant.who + ", repetition " +
              std::to_string(repetition + 1) + " of " + std::to_string(repetitions));
        Outcome outcome = start(entrant.runs[turn]);
        try {  // also of one that failed: it may have got far
          collector.add(entrant.who, repetition, read_samples(outcome.printed));
        } catch (const Error& error) {
          outcome = {false, "", error.what()};
        }
        if (outcome.good) continue;
        entrant.failed[turn] = true;
        std::string line;
        for (const std::string& word : entrant.runs[turn].words)
          line += (line.empty() ? "" : " ") + word;
        result.failed.push_back({entrant.who, line + " " + outcome.why});
      }
    }
  }
  collector.finish();
  return result;
}

std::vector<std::string> command_line(const Run& run, const Settings& settings) {
  if (!run.shape) return run.words;
  std::vector<std::string> words{settings.launcher.string(),
                                 "-n",
                                 std::to_string(run.shape->nodes),
                                 "--workers",
                                 std::to_string(run.shape->workers),
                                 "--quiet",
                                 "--"};
  words.insert(words.end(), run.words.begin(), run.words.end());
  return words;
}

}  // namespace pp::bench
