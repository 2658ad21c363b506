// Results as JSON, and back.
#include <fstream>
#include <nlohmann/json.hpp>
#include <pp/error.hpp>
#include <sstream>

#include "results.hpp"

namespace pp::bench {
namespace {

using Json = nlohmann::ordered_json;

// Raised when a reader of the old format would misread the new one.
constexpr int kFormat = 1;

Json json_of(const Provenance& from) {
  Json versions = Json::object();
  for (const auto& [name, version] : from.versions) versions[name] = version;
  return {{"date", from.date},     {"processor", from.processor},
          {"cores", from.cores},   {"memory_gib", from.memory_gib},
          {"system", from.system}, {"compiler", from.compiler},
          {"build", from.build},   {"commit", from.commit},
          {"versions", versions},  {"load", from.load}};
}

Provenance provenance_of(const Json& json) {
  Provenance read{json.at("date"),       json.at("processor"), json.at("cores"),
                  json.at("memory_gib"), json.at("system"),    json.at("compiler"),
                  json.at("build"),      json.at("commit"),    {},
                  json.at("load")};
  for (const auto& [name, version] : json.at("versions").items())
    read.versions.emplace_back(name, version);
  return read;
}

Json json_of(const Measured& from) {
  Json readings = Json::array();
  for (const Reading& reading : from.readings)
    readings.push_back(Json::array({reading.repetition, reading.value}));
  Json json{{"who", from.who}};
  // For readers of the file; we compute them again.
  if (const auto spread = spread_of(from.readings)) {
    json["median"] = spread->median;
    json["quartiles"] = {spread->lower, spread->upper};
  }
  json["readings"] = readings;
  return json;
}

Measured measured_of(const Json& json) {
  Measured read{json.at("who"), {}};
  for (const Json& reading : json.at("readings"))
    read.readings.push_back({reading.at(0), reading.at(1)});
  return read;
}

Json json_of(const Row& from) {
  Json json{{"row", from.name}, {"unit", from.unit}};
  if (from.x) json["x"] = *from.x;
  if (!from.line.empty()) json["line"] = from.line;
  json["measured"] = Json::array();
  for (const Measured& each : from.measured) json["measured"].push_back(json_of(each));
  return json;
}

Row row_of(const Json& json) {
  Row read{json.at("row"), json.at("unit"), std::nullopt, json.value("line", ""), {}};
  if (json.contains("x")) read.x = json.at("x").get<double>();
  for (const Json& each : json.at("measured")) read.measured.push_back(measured_of(each));
  return read;
}

Json json_of(const std::vector<Missing>& from) {
  Json json = Json::array();
  for (const Missing& each : from) json.push_back({{"who", each.who}, {"why", each.why}});
  return json;
}

std::vector<Missing> missing_of(const Json& json) {
  std::vector<Missing> read;
  for (const Json& each : json) read.push_back({each.at("who"), each.at("why")});
  return read;
}

Json json_of(const CaseResult& from) {
  Json json{{"name", from.name}, {"what", from.what}};
  json["chart"] = {{"x", from.chart.x},
                   {"logarithmic_x", from.chart.logarithmic_x},
                   {"logarithmic_y", from.chart.logarithmic_y}};
  json["reach"] = Json::array();
  for (const Reach& each : from.reach)
    json["reach"].push_back(
        {{"rows", each.rows}, {"against", each.against}, {"bound", each.bound}});
  json["rows"] = Json::array();
  for (const Row& row : from.rows) json["rows"].push_back(json_of(row));
  json["distributions"] = Json::array();
  for (const DistributionRow& each : from.distributions) {
    json["distributions"].push_back({{"who", each.who},
                                     {"row", each.distribution.row},
                                     {"unit", each.distribution.unit},
                                     {"quantiles", each.distribution.values}});
  }
  json["skipped"] = json_of(from.skipped);
  json["failed"] = json_of(from.failed);
  return json;
}

CaseResult case_of(const Json& json) {
  CaseResult read{json.at("name"), json.at("what"), {}, {}, {}, {}, {}, {}};
  const Json& chart = json.at("chart");
  read.chart = {chart.at("x"), chart.at("logarithmic_x"), chart.at("logarithmic_y")};
  for (const Json& each : json.at("reach"))
    read.reach.push_back({each.at("rows"), each.at("against"), each.at("bound")});
  for (const Json& row : json.at("rows")) read.rows.push_back(row_of(row));
  for (const Json& each : json.at("distributions")) {
    read.distributions.push_back(
        {each.at("who"), {each.at("row"), each.at("unit"), each.at("quantiles")}});
  }
  read.skipped = missing_of(json.at("skipped"));
  read.failed = missing_of(json.at("failed"));
  return read;
}

}  // namespace

std::string to_json(const Results& results) {
  Json json{{"format", kFormat},
            {"provenance", json_of(results.provenance)},
            {"repetitions", results.repetitions},
            {"quick", results.quick}};
  json["cases"] = Json::array();
  for (const CaseResult& each : results.cases) json["cases"].push_back(json_of(each));
  return json.dump(1) + "\n";
}

Results results_from_json(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != kFormat) {
      throw Error("format " + json.at("format").dump() + ", expected " + std::to_string(kFormat) +
                  ": measured by another version of pp-bench");
    }
    Results results{
        provenance_of(json.at("provenance")), json.at("repetitions"), json.at("quick"), {}};
    for (const Json& each : json.at("cases")) results.cases.push_back(case_of(each));
    return results;
  } catch (const Json::exception& error) {
    throw Error(std::string("not written by pp-bench --json: ") + error.what());
  }
}

Results results_from_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw Error(file.string() + ": cannot be read, expected a file of pp-bench --json");
  std::ostringstream text;
  text << in.rdbuf();
  try {
    return results_from_json(text.str());
  } catch (const Error& error) {
    throw Error(file.string() + ": " + error.what());
  }
}

}  // namespace pp::bench
