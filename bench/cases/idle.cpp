// idle: what nodes cost that have nothing to do.
#include <unistd.h>

#include "footprint.hpp"
#include "mpi_peer.hpp"
#include "places.hpp"
#include "registry.hpp"
#include "remote.hpp"

namespace pp::bench {
namespace {

int own_pid() { return static_cast<int>(::getpid()); }

int idle_pp(const Arguments& arguments) {
  return pp::run(0, nullptr, [&arguments](Runtime& runtime) {
    std::vector<pid_t> nodes{::getpid()};
    for (const NodeView& node : runtime.nodes())
      nodes.push_back(runtime.submit<own_pid>(JobOptions{.where = Where::node(node.id)}).get());
    emit_footprint(arguments, places_of(arguments).front().text(), nodes);
  });
}

// Whatever the shapes asked for.
Settings with_sizes(Settings settings) {
  settings.shapes = {{1, 1}, {2, 1}, {8, 1}};
  return settings;
}

}  // namespace

Case idle_case() {
  return {.name = "idle",
          .what = "a node that has nothing to do: processor time and resident memory of each",
          .contenders = {{kOurs,
                          [](const Settings& settings) {
                            return runs_at(settings, places_of(with_sizes(settings)), "idle.pp");
                          }},
                         mpi_with_ranks("idle", {2})},
          .reach = {{.rows = "processor time", .against = "", .bound = 0.5}},
          .bodies = {{"idle.pp", idle_pp}}};
}

}  // namespace pp::bench
