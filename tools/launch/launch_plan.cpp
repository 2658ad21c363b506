// The environment of a node.
#include "launch_plan.hpp"

#include <algorithm>
#include <array>
#include <pp/node_id.hpp>

namespace pp::tools {
namespace {

// What the launch decides, and would be a wrong answer if it were inherited.
constexpr std::array<std::string_view, 16> kOurs = {
    "PP_ROLE",        "PP_LISTEN", "PP_KEY_FILE",  "PP_NODES",     "PP_JOIN_TIMEOUT", "PP_PEERS",
    "PP_WORKERS",     "PP_LAUNCH", "PP_REPORT_FD", "PP_BLACK_BOX", "PP_JOBLOG",       "PP_RESUME",
    "PP_LAUNCH_NODE", "PP_HTTP",   "PP_TRACE",     "PP_CHECK"};

}  // namespace

bool is_set_by_launch(std::string_view variable) {
  return std::find(kOurs.begin(), kOurs.end(), variable.substr(0, variable.find('='))) !=
         kOurs.end();
}

std::vector<std::string> node_environment(const LaunchPlan& plan, unsigned node,
                                          std::string_view launch, std::string_view driver_address,
                                          Inherited descriptors,
                                          const std::vector<std::string>& inherited) {
  std::vector<std::string> environment;
  std::copy_if(inherited.begin(), inherited.end(), std::back_inserter(environment),
               [](const std::string& variable) { return !is_set_by_launch(variable); });
  const auto set = [&](std::string name, std::string_view value) {
    environment.push_back(std::move(name) + "=" + std::string(value));
  };
  const bool driver = node == 0;
  set("PP_ROLE", driver ? "driver" : "worker");
  set("PP_WORKERS", std::to_string(plan.workers));
  set("PP_LAUNCH", launch);
  set("PP_REPORT_FD", std::to_string(descriptors.report));
  if (descriptors.black_box >= 0) set("PP_BLACK_BOX", std::to_string(descriptors.black_box));
  if (plan.check) {
    set("PP_CHECK", "on");
  } else if (driver) {
    if (!plan.joblog.empty()) set("PP_JOBLOG", plan.joblog);
    if (plan.resume) set("PP_RESUME", "on");
    if (!plan.http.empty()) set("PP_HTTP", plan.http);
    if (!plan.progress.empty()) {
      std::erase_if(environment,
                    [](const std::string& one) { return one.starts_with("PP_PROGRESS="); });
      set("PP_PROGRESS", plan.progress);
    }
    if (!plan.trace.empty()) set("PP_TRACE", plan.trace);
  }
  if (plan.nodes == 1) return environment;

  set("PP_LISTEN", driver ? plan.listen : plan.listen.substr(0, plan.listen.rfind(':')) + ":0");
  set("PP_KEY_FILE", plan.key_file.string());
  if (driver) {
    set("PP_NODES", std::to_string(plan.begin_with != 0 ? plan.begin_with : plan.nodes));
    set("PP_JOIN_TIMEOUT", std::to_string(plan.join_limit.count()));
  } else {
    set("PP_PEERS", driver_address);
  }
  return environment;
}

std::string fresh_launch_id() { return NodeId::random().to_string(); }

}  // namespace pp::tools
