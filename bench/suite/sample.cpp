// Samples as lines of JSON.
#include "sample.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <pp/error.hpp>
#include <utility>

#include "spread.hpp"

namespace pp::bench {
namespace {

using Json = nlohmann::ordered_json;

void read_line(std::string_view line, Samples& into) {
  const Json json = Json::parse(line);
  if (json.contains("quantiles")) {
    Distribution read{json.at("row"), json.at("unit"), json.at("quantiles")};
    if (read.values.size() != kept_quantiles().size()) throw Error("another number of quantiles");
    into.distributions.push_back(std::move(read));
    return;
  }
  Sample read{json.at("row"), json.at("unit"), json.at("value"), std::nullopt, {}};
  if (!std::isfinite(read.value)) throw Error("not a number");
  if (json.contains("x")) read.x = json.at("x").get<double>();
  if (json.contains("line")) read.line = json.at("line");
  into.samples.push_back(std::move(read));
}

void print(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

const std::vector<double>& kept_quantiles() {
  static const std::vector<double> kept = [] {
    std::vector<double> values;
    for (int percent = 0; percent <= 95; percent += 5) values.push_back(percent / 100.0);
    for (const double high : {0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0}) values.push_back(high);
    return values;
  }();
  return kept;
}

Distribution distribution_of(std::string row, std::string unit, std::vector<double> events) {
  std::ranges::sort(events);
  Distribution distribution{std::move(row), std::move(unit), {}};
  for (const double p : kept_quantiles()) distribution.values.push_back(quantile(events, p));
  return distribution;
}

std::string to_line(const Sample& sample) {
  Json json{{"row", sample.row}, {"unit", sample.unit}, {"value", sample.value}};
  if (sample.x) json["x"] = *sample.x;
  if (!sample.line.empty()) json["line"] = sample.line;
  return json.dump();
}

std::string to_line(const Distribution& distribution) {
  return Json{
      {"row", distribution.row}, {"unit", distribution.unit}, {"quantiles", distribution.values}}
      .dump();
}

Samples read_samples(std::string_view printed) {
  Samples samples;
  while (!printed.empty()) {
    const std::size_t end = std::min(printed.find('\n'), printed.size());
    const std::string_view line = printed.substr(0, end);
    printed.remove_prefix(std::min(end + 1, printed.size()));
    if (line.empty() || line.front() != '{') continue;
    try {
      read_line(line, samples);
    } catch (const std::exception& error) {
      throw Error("no sample: \"" + std::string(line.substr(0, 200)) + "\" (" + error.what() +
                  "), expected {\"row\":...,\"unit\":...,\"value\":...}");
    }
  }
  return samples;
}

void emit(const Sample& sample) { print(to_line(sample)); }
void emit(const Distribution& distribution) { print(to_line(distribution)); }

}  // namespace pp::bench
