// Deputy: a process of the launch that stands for a worker at a node daemon.
#pragma once

#include <string>
#include <vector>

namespace pp::tools {

// What a deputy is started with, as arguments; the rest is in its environment, which is that of the
// worker (launch_plan.hpp).
struct DeputyPlan {
  std::string daemon;    // where it listens
  std::string name;      // for people
  std::string key_file;  // the daemons' key
  std::string file;      // the program
  std::string here;      // our host as the daemon sees it; empty: the driver's own address will do
  unsigned workers = 0;  // 0: the daemon's share
  std::vector<std::string> command;
};

// The first argument of a process that shall be one.
inline constexpr char kDeputyMark[] = "--deputy";
std::vector<std::string> deputy_arguments(const DeputyPlan& plan);

// Such a process: sends the program, passes on report lines, output and signals, and ends as the
// worker ends. SIGTSTP stops the worker and not this process, which must go on saying that it
// lives; when it is killed, the daemon ends the worker. Returns the exit code; REQUIRES: argv[1] is
// kDeputyMark.
int run_deputy(int argc, char** argv);

}  // namespace pp::tools
