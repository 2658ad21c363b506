// start: from the command line until the program's own code runs and all nodes are there.
#include "local.hpp"
#include "mpi_peer.hpp"
#include "python_peer.hpp"
#include "registry.hpp"
#include "started.hpp"

namespace pp::bench {
namespace {

int start_pp(const Arguments& arguments) {
  const std::string row = arguments.text("row", "");
  return pp::run(0, nullptr, [&](Runtime& runtime) {
    runtime.submit([](int n) { return n; }, 1).get();
    emit_start(row.empty() ? places_of(arguments).front().text() : row);
  });
}

int start_tbb(const Arguments& arguments) {
  TbbArena tbb(arguments.count("workers", 1));
  tbb.arena.execute([] {});
  emit_start(arguments.text("row", ""));
  return 0;
}

std::vector<Place> places(const Settings& settings) {
  std::vector<Place> all{{{1, 1}, ""}};
  for (const unsigned nodes : {2u, 8u}) {
    for (const Lane& lane : settings.lanes) all.push_back({{nodes, 1}, lane.name});
  }
  return all;
}

}  // namespace

Case start_case() {
  const std::string alone = "row=alone";
  return {.name = "start",
          .what = "from exec until all nodes are there and the first job has run",
          .contenders = {{kOurs,
                          [alone](const Settings& settings) {
                            std::vector<Run> runs = runs_at(settings, places(settings), "start.pp");
                            runs.insert(runs.begin(), own_run(settings, "start.pp", {alone}));
                            return runs;
                          }},
                         {"oneTBB",
                          [alone](const Settings& settings) {
                            return std::vector<Run>{own_run(settings, "start.tbb", {alone})};
                          }},
                         mpi_with_ranks("start", {2, 8}),
                         python_with_nodes(PythonPool::kFutures, "start", {2, 8}),
                         python_with_nodes(PythonPool::kDask, "start", {2, 8})},
          .reach = {},
          .bodies = {{"start.pp", start_pp}, {"start.tbb", start_tbb}}};
}

}  // namespace pp::bench
