// A driver that only hands out.
#include "remote.hpp"

#include <pp/error.hpp>

namespace pp::bench {

int drive_others(const std::function<void(Runtime&)>& body) {
  return pp::run(0, nullptr, [&body](Runtime& runtime) {
    if (runtime.nodes().empty())
      throw Error("measures what other nodes do and there is none, expected pp-launch -n 2");
    runtime.set_workers(0);
    body(runtime);
  });
}

int own_core() { return Options::from_environment().role == Role::kDriver ? 0 : 1; }

Contender over_lanes(const std::string& body, const std::vector<std::string>& arguments) {
  return {kOurs, [body, arguments](const Settings& settings) {
            std::vector<Run> runs;
            for (const Lane& lane : settings.lanes)
              runs.push_back(cluster_run(settings, body, kPair, lane, arguments));
            return runs;
          }};
}

}  // namespace pp::bench
