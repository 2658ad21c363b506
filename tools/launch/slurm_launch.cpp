// SlurmLaunch: a command line for srun, and waiting for its end.
#include "slurm_launch.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <pp/error.hpp>
#include <string_view>

#include "child.hpp"
#include "report_line.hpp"
#include "signals.hpp"

namespace pp::tools {
namespace {

// What would make the tasks something else, if it were inherited: another launch's words, and how
// the script itself was asked to be run.
constexpr std::array<std::string_view, 7> kNotTheirs = {
    "PP_ROLE",  "PP_LAUNCH", "PP_REPORT_FD",       "PP_BLACK_BOX",
    "PP_NODES", "PP_SLURM",  "SLURM_CPUS_PER_TASK"};

unsigned hosts_of_the_job(const SlurmLaunch::Lookup& variable) {
  constexpr unsigned kMost = 100'000;
  const char* const name = variable("SLURM_JOB_NUM_NODES") ? "SLURM_JOB_NUM_NODES" : "SLURM_NNODES";
  const std::string text = variable(name).value_or("");
  unsigned hosts = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hosts);
  if (error != std::errc{} || end != text.data() + text.size() || hosts == 0 || hosts > kMost) {
    throw Error(std::string(name) + "=" + printable(text, 60) +
                ": expected the number of hosts of this Slurm allocation; pp-launch -n N starts N "
                "nodes on this host instead");
  }
  return hosts;
}

// Sent while the child lives: a terminal's signals have reached it without us.
void hand_on(pid_t child, const Signal& signal) {
  if (signal.number == SIGCHLD) return;
  if (!signal.from_terminal) ::kill(child, signal.number);
  if (signal.number == SIGTSTP) ::kill(::getpid(), SIGSTOP);
}

}  // namespace

std::optional<SlurmLaunch> SlurmLaunch::from(const LaunchPlan& plan, const Lookup& variable,
                                             const std::vector<std::string>& inherited) {
  if (!variable("SLURM_JOB_ID")) return std::nullopt;
  if (plan.respawn != 0) {
    throw Error(
        "--respawn: srun starts no task anew, expected no such option inside a Slurm allocation; "
        "jobs of a node that died run again on the others");
  }
  const std::string hosts = std::to_string(hosts_of_the_job(variable));
  SlurmLaunch launch;
  // A node that dies ends neither the others nor the wait for them; only the driver reads what is
  // typed; Ctrl-C is for the program at once.
  launch.command = {"srun",
                    "--nodes=" + hosts,
                    "--ntasks=" + hosts,
                    "--ntasks-per-node=1",
                    "--kill-on-bad-exit=0",
                    "--wait=0",
                    "--input=0",
                    "--disable-status",
                    "--export=ALL"};
  // A shell that is a step itself has what this one needs.
  if (variable("SLURM_STEP_ID")) launch.command.push_back("--overlap");
  launch.command.push_back("--");
  launch.command.insert(launch.command.end(), plan.command.begin(), plan.command.end());

  std::vector<std::string> ours;
  const LaunchPlan usual;
  const auto set = [&](const std::string& name, const std::string& value) {
    ours.push_back(name + "=" + value);
  };
  if (plan.workers != 0) set("PP_WORKERS", std::to_string(plan.workers));
  if (!plan.key_file.empty()) set("PP_KEY_FILE", std::filesystem::absolute(plan.key_file).string());
  if (plan.listen != usual.listen) set("PP_LISTEN", plan.listen);
  set("PP_JOIN_TIMEOUT", std::to_string(plan.join_limit.count()));
  if (!plan.joblog.empty()) set("PP_JOBLOG", plan.joblog);
  if (plan.resume) set("PP_RESUME", "on");
  // (All tasks have one environment: with PP_HTTP each of them can be watched, on its own host.)
  if (!plan.http.empty()) set("PP_HTTP", plan.http);
  if (!plan.trace.empty()) set("PP_TRACE", plan.trace);
  if (!plan.progress.empty()) set("PP_PROGRESS", plan.progress);

  const auto name_of = [](std::string_view line) { return line.substr(0, line.find('=')); };
  const auto replaced = [&](std::string_view name) {
    return std::find(kNotTheirs.begin(), kNotTheirs.end(), name) != kNotTheirs.end() ||
           std::any_of(ours.begin(), ours.end(),
                       [&](const std::string& line) { return name_of(line) == name; });
  };
  std::copy_if(inherited.begin(), inherited.end(), std::back_inserter(launch.environment),
               [&](const std::string& line) { return !replaced(name_of(line)); });
  launch.environment.insert(launch.environment.end(), ours.begin(), ours.end());
  return launch;
}

std::optional<SlurmLaunch> SlurmLaunch::from_environment(const LaunchPlan& plan) {
  std::vector<std::string> inherited;
  for (char** line = environ; *line != nullptr; ++line) inherited.emplace_back(*line);
  const Lookup variable = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
  return from(plan, variable, inherited);
}

int SlurmLaunch::run() const {
  const char* path = std::getenv("PATH");
  const auto complain = [](const ExecFailure& failure) {
    std::cerr
        << "pp-launch: " << failure.why
        << "; inside a Slurm allocation (SLURM_JOB_ID is set) srun starts the nodes; with -n N "
           "they all run on this host\n";
    return failure.shell_code;
  };
  auto file = find_program(command.front(), path == nullptr ? "/usr/bin:/bin" : path);
  if (const auto* failure = std::get_if<ExecFailure>(&file)) return complain(*failure);

  Signals signals;
  ChildPlan plan;
  plan.file = std::get<std::string>(file);
  plan.arguments = command;
  plan.environment = environment;
  plan.signals = &signals.before();
  const auto child = start_child(plan);
  if (const auto* failure = std::get_if<ExecFailure>(&child)) return complain(*failure);
  const pid_t srun = std::get<pid_t>(child);
  for (;;) {
    pollfd waits{signals.descriptor(), POLLIN, 0};
    if (::poll(&waits, 1, -1) < 0 && errno != EINTR) throw Error("poll failed");
    while (const std::optional<Signal> signal = signals.take()) hand_on(srun, *signal);
    bool childless = false;
    while (const std::optional<EndedChild> ended = reap(childless)) {
      if (ended->pid == srun) return ended->status.shell_code();
    }
  }
}

}  // namespace pp::tools
