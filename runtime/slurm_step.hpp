// SlurmStep: what Slurm tells a task about its step, and what a node of pp makes of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <pp/options.hpp>
#include <string>
#include <vector>

namespace pp::runtime {

// `srun -n 4 ./app` starts four tasks that know of each other by SLURM_ variables alone. No process
// management interface is asked: the first task is the driver, it listens at a port that follows
// from the numbers of job and step, and the others dial it by the name of its host.
struct SlurmStep {
  // A variable of the environment; nothing where there is none.
  using Lookup = std::function<std::optional<std::string>(const char* name)>;

  std::uint64_t job = 0;
  std::uint64_t step = 0;
  unsigned task = 0;                 // SLURM_PROCID
  unsigned tasks = 0;                // of the step
  std::vector<std::string> hosts{};  // on one of which task 0 runs; nearly always the first
  std::optional<unsigned> share{};   // cores of this task, if Slurm tells
  // When the allocation ends; absent where Slurm does not tell (before 23.02), or there is no end.
  std::optional<std::chrono::system_clock::time_point> end{};
  // The same in all tasks of this step, and in no other step: fit for a file's name.
  std::string name{};
  // Which of PP_NODES, PP_DISCOVER and PP_DRAIN are set.
  bool nodes_given = false;
  bool multicast_given = false;
  bool drain_given = false;

  // Nothing: this process is no task of a step of several tasks, or is not to be taken for one
  // (PP_ROLE says already what it is). Throws pp::Error naming a variable that makes no sense.
  static std::optional<SlurmStep> from(const Lookup& variable);
  static std::optional<SlurmStep> from_environment();

  bool driver() const { return task == 0; }

  // The driver's control port: even, and the fabric's is the next one. `ports`: "7400", or a range
  // "7400-7499", in which steps that run side by side on one host differ. Throws pp::Error.
  std::uint16_t port(const std::string& ports) const;

  // Fills in what nobody has decided: role, nodes, workers (`usable` at most), listen, peers,
  // launch; multicast is off unless somebody has asked for it. What PP_LISTEN says is the driver's:
  // the others may be on the same host, and dial it there. Whoever leaves has returned what it
  // could not finish before Slurm kills it.
  void complete(Options& options, unsigned usable) const;

  // How long before its end a worker begins to leave an allocation that lasts for `left` more:
  // `drain`, so that what runs has that time, but a quarter of `left` at most.
  static std::chrono::milliseconds time_to_leave(std::chrono::milliseconds left,
                                                 std::chrono::milliseconds drain);
};

// Throws pp::Error with what was expected: a port, or two of which the first is not the larger.
void check_slurm_ports(const std::string& ports);

}  // namespace pp::runtime
