// Status: the one file of the tools that reads JSON.
#include "status.hpp"

#include <nlohmann/json.hpp>
#include <pp/error.hpp>

#include "report_line.hpp"

namespace pp::tools {
namespace {

using Json = nlohmann::json;

std::string text(const Json& from, const char* key) {
  return printable(from.value(key, std::string()), 1024);
}
std::uint64_t count(const Json& from, const char* key) { return from.value(key, std::uint64_t{0}); }

}  // namespace

Status Status::parse(std::string_view json) {
  Status status;
  try {
    const Json whole = Json::parse(json);
    status.node = text(whole, "node");
    status.role = text(whole, "role");
    status.version = text(whole, "pp");
    status.time_ms = whole.value("time_ms", std::int64_t{0});
    status.elapsed = whole.value("elapsed", 0.0);
    const Json& progress = whole.at("progress");
    status.done = count(progress, "done");
    status.open = count(progress, "open");
    status.elements = count(progress, "elements");
    status.elements_done = count(progress, "elements_done");
    const Json& totals = whole.at("totals");
    status.workers = count(totals, "workers");
    status.busy = count(totals, "busy");
    status.queued = count(totals, "queued");
    status.lost = count(totals, "lost");
    status.refused = count(totals, "refused");
    for (const Json& from : whole.at("nodes")) {
      Node& node = status.nodes.emplace_back();
      node.id = text(from, "id");
      node.name = text(from, "name");
      node.state = text(from, "state");
      node.address = text(from, "address");
      node.provider = text(from, "provider");
      node.self = from.value("self", false);
      node.workers = count(from, "workers");
      node.busy = count(from, "busy");
      node.queued = count(from, "queued");
      node.jobs = count(from, "jobs");
      node.stolen = count(from, "stolen");
      node.lent = count(from, "lent");
      node.memory = count(from, "memory");
      if (from.contains("round_trip")) node.round_trip = from.value("round_trip", 0.0);
    }
    for (const Json& from : whole.at("functions")) {
      Function& function = status.functions.emplace_back();
      function.name = text(from, "name");
      function.runs = count(from, "runs");
      function.failed = count(from, "failed");
      function.running = count(from, "running");
      function.time = from.value("time", 0.0);
      function.p50 = from.value("p50", 0.0);
      function.p99 = from.value("p99", 0.0);
    }
    for (const Json& from : whole.at("events")) {
      Event& event = status.events.emplace_back();
      event.time_ms = from.value("time_ms", std::int64_t{0});
      event.kind = text(from, "kind");
      event.text = text(from, "text");
    }
  } catch (const Json::exception& error) {
    throw Error(std::string("what the node says is not what this pp-top expects: ") + error.what());
  }
  return status;
}

}  // namespace pp::tools
