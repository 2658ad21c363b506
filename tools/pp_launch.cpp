// pp-launch: the command line of Launch.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/usable_cores.hpp>
#include <pp/version.hpp>
#include <string>
#include <vector>

#include "launch.hpp"
#include "respawn.hpp"
#include "slurm_launch.hpp"

namespace {

constexpr int kUsage = 2;  // exit code: the command line makes no sense

constexpr char kExamples[] = R"(Examples:
  pp-launch -n 4 -- ./app --size 100      4 nodes here that share this machine's cores
  pp-launch -n 2 --workers 8 -- ./app     2 nodes of 8 workers each
  pp-launch -n 1 -- ./app                 the program alone: no network, no key
  pp-launch -n 4 --respawn -- ./app       workers that die are replaced, as often as it takes
  pp-launch -- ./app                      in a Slurm allocation: a node on each of its hosts (srun)
  pp-launch -n 4 --joblog app.log --resume -- ./app
                                          the same line again after a crash goes on where it was

Nodes started by hand may join a running driver when they have its key and know its address:
  pp-keygen cluster.key
  pp-launch -n 2 --key-file cluster.key --listen 127.0.0.1:7000 -- ./app
  PP_ROLE=worker PP_PEERS=127.0.0.1:7000 PP_LISTEN=127.0.0.1:0 PP_KEY_FILE=cluster.key ./app

Node 0 is the driver: its input, output and exit code are those of pp-launch. The workers' output
appears line by line behind "[1] ", "[2] ", ... Signals go to the driver; the same again asks it to
end, once more kills it. SIGUSR1 goes to every node.

A worker that dies is told of at once: how, after how long, with how much memory, and which jobs it
was running; those run again elsewhere. With --respawn a new process takes its place, at once or,
if it died within a second of its start, a moment later; after three such lives in a row it is
given up.

Exit code: the driver's, or 128 + the signal that killed it; 2 the command line makes no sense;
3 the nodes did not come together; 126, 127 the program cannot be run or was not found.)";

// A process started without standard descriptors would give their numbers to the first files that
// it opens.
void open_standard_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) == -1)
      (void)::open("/dev/null", number == 0 ? O_RDONLY : O_WRONLY);
  }
}

class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: pp-launch -n N [OPTIONS] -- PROGRAM [ARGUMENTS...]\n";
  }
};

int complain(const std::string& sentence, int code) {
  std::cerr << "pp-launch: " << sentence << '\n';
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  pp::tools::LaunchPlan plan;
  std::string key_file;
  std::string respawn = "off";
  long long join_limit = plan.join_limit.count();

  CLI::App app("Runs a pp program as several nodes on this machine.", "pp-launch");
  app.formatter(std::make_shared<Help>());
  app.footer(kExamples);
  app.set_version_flag("--version", "pp-launch " + pp::versions());
  app.add_option("-n,--nodes", plan.nodes,
                 "How many nodes, the driver included (default: in a Slurm allocation, one on each "
                 "of its hosts)")
      ->check(CLI::Range(1u, 4096u));
  app.add_option("-w,--workers", plan.workers,
                 "Jobs that each node runs at a time (default: usable cores / N, at least 1)")
      ->envname("PP_WORKERS")
      ->check(CLI::Range(1u, 65536u));
  app.add_option("-k,--key-file", key_file,
                 "The cluster key (default: a new one for this launch only)")
      ->envname("PP_KEY_FILE");
  app.add_option("-t,--join-timeout", join_limit, "Seconds within which all nodes must have joined")
      ->capture_default_str()
      ->envname("PP_JOIN_TIMEOUT")
      ->check(CLI::Range(1ll, 86'400ll));
  app.add_option("-l,--listen", plan.listen, "HOST:PORT of the driver's control port")
      ->capture_default_str()
      ->envname("PP_LISTEN");
  app.add_flag("--respawn{on}", respawn,
               "Replace workers that die; --respawn=N: at most N of them in all")
      ->envname("PP_RESPAWN");
  app.add_option("--joblog", plan.joblog, "Keep what the driver's maps have finished in this file")
      ->envname("PP_JOBLOG");
  app.add_flag("--resume", plan.resume, "Go on from what the job log holds, if there is one")
      ->envname("PP_RESUME");
  app.add_flag("-q,--quiet", plan.quiet, "Print no join table");

  // Everything behind "--" is the command, whatever it looks like. Without one the command begins
  // with the first word that is no option of ours.
  char** const end = argv + argc;
  char** const dashes = std::find(argv + 1, end, std::string("--"));
  app.prefix_command();
  try {
    std::vector<std::string> ours(argv + 1, dashes);
    std::reverse(ours.begin(), ours.end());  // as CLI11 wants them
    app.parse(std::move(ours));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return complain(std::string(error.what()) + " (pp-launch --help tells more)", kUsage);
  }
  plan.command = app.remaining();
  if (dashes != end) {
    // "pp-launch -n 2 ./app -- x": the dashes are the program's.
    plan.command.insert(plan.command.end(), plan.command.empty() ? dashes + 1 : dashes, end);
  }
  if (plan.command.empty()) {
    return complain("no program was named, expected: pp-launch -n N -- PROGRAM [ARGUMENTS...]",
                    kUsage);
  }
  if (plan.command.front().substr(0, 1) == "-") {
    return complain(
        "no option is called " + plan.command.front() + " (pp-launch --help lists them)", kUsage);
  }

  const std::optional<unsigned> replacements = pp::tools::parse_respawn(respawn);
  if (!replacements) {
    return complain(
        "--respawn=" + respawn + ": expected how many workers may be replaced in all, on or off",
        kUsage);
  }
  plan.respawn = *replacements;
  if (plan.resume && plan.joblog.empty()) {
    return complain("--resume needs a job log to go on from, expected: --joblog FILE --resume",
                    kUsage);
  }

  try {
    pp::Address::parse(plan.listen);
    if (!key_file.empty() && plan.nodes > 1)
      pp::ClusterKey::load(key_file);  // better one sentence than one per node
  } catch (const pp::Error& error) {
    return complain(error.what(), kUsage);
  }
  plan.key_file = key_file;
  plan.join_limit = std::chrono::seconds(join_limit);
  if (app.count("--nodes") == 0) {
    try {
      if (const auto slurm = pp::tools::SlurmLaunch::from_environment(plan)) return slurm->run();
    } catch (const std::exception& error) {
      return complain(error.what(), kUsage);
    }
    return complain("--nodes is required (pp-launch --help tells more)", kUsage);
  }
  if (plan.workers == 0) plan.workers = std::max(1u, pp::usable_cores() / plan.nodes);

  try {
    return pp::tools::Launch(std::move(plan)).run();
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
