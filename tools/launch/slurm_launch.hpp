// SlurmLaunch: inside a Slurm allocation it is srun that starts the nodes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "launch_plan.hpp"

namespace pp::tools {

// What becomes of `pp-launch -- ./app` in a shell of salloc or in a script of sbatch: one node on
// each host of the allocation, with all the cores that the job has there. Who wants it otherwise
// calls srun: its tasks are nodes too.
struct SlurmLaunch {
  // A variable of the environment; nothing where there is none.
  using Lookup = std::function<std::optional<std::string>(const char* name)>;

  std::vector<std::string> command;      // srun and its arguments
  std::vector<std::string> environment;  // of srun, which hands it on to the tasks

  // Nothing: this is no allocation. Of the plan, what concerns all nodes becomes their environment;
  // workers = 0 leaves it to them. Throws pp::Error naming a variable that makes no sense, or an
  // option that has none there.
  static std::optional<SlurmLaunch> from(const LaunchPlan& plan, const Lookup& variable,
                                         const std::vector<std::string>& inherited);
  static std::optional<SlurmLaunch> from_environment(const LaunchPlan& plan);

  // Runs srun, which shares terminal, input and output with us; signals to us go to it, and it does
  // not outlive us. Returns its exit code, which is the highest of any task's. Throws pp::Error.
  int run() const;
};

}  // namespace pp::tools
