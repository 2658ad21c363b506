// pp-launch: the command line of Launch, HostLaunch and SlurmLaunch.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/usable_cores.hpp>
#include <pp/version.hpp>
#include <string>
#include <utility>
#include <vector>

#include "deputy.hpp"
#include "discover_options.hpp"
#include "host_options.hpp"
#include "launch.hpp"
#include "launch_help.hpp"
#include "launch_settings.hpp"
#include "output_rate.hpp"
#include "respawn.hpp"
#include "slurm_launch.hpp"

namespace {

using namespace pp::tools;

constexpr int kUsage = 2;  // exit code: the command line makes no sense

// A host that is reached has joined by then, or something is in the way.
constexpr std::chrono::seconds kHostJoinLimit{15};

// The command line makes no sense; the text says what was expected.
struct UsageError : pp::Error {
  using Error::Error;
};

// What it returns; an Error of it is about the command line.
template <typename Make>
auto as_usage(Make make) {
  try {
    return make();
  } catch (const pp::Error& error) {
    throw UsageError(error.what());
  }
}

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
    return "Usage: pp-launch -n N [OPTIONS] -- PROGRAM [ARGUMENTS...]\n"
           "       pp-launch -H HOSTS [OPTIONS] -- PROGRAM [ARGUMENTS...]\n"
           "       pp-launch --discover [-n N] [OPTIONS] -- PROGRAM [ARGUMENTS...]\n";
  }
};

// Everything that can be said to pp-launch, and the launch that it amounts to.
class CommandLine {
 public:
  CommandLine();

  // The options, up to "--" or to the first word that is none, and the program behind them. The
  // exit code if there is nothing to run: --help, --version, --show-config, or a complaint. Throws
  // Error.
  std::optional<int> read(int argc, char** argv);

  // Runs the launch and returns its exit code. Throws Error.
  int run();

 private:
  enum class Where { kHere, kHosts, kDaemons, kSlurm };

  bool has(const char* option) const { return app_.get_option(option)->count() > 0; }
  Where where() const;
  void check();  // throws UsageError

  int run_on_hosts();
  int run_in_slurm();
  int run_with_daemons();
  int run_here();

  CLI::App app_{"Runs a pp program as several nodes, on this machine and on others.", "pp-launch"};
  LaunchPlan plan_;
  HostOptions hosts_;
  DiscoverOptions discover_;
  std::string key_file_;
  std::string respawn_ = "off";
  std::string output_rate_ = "10M";
  long long join_limit_ = plan_.join_limit.count();
  std::string config_;
  bool show_config_ = false;
  bool dry_run_ = false;
  std::optional<LaunchSettings> settings_;
};

CommandLine::CommandLine() {
  app_.formatter(std::make_shared<Help>());
  app_.footer(kLaunchExamples);
  app_.set_version_flag("--version", "pp-launch " + pp::versions());
  app_.add_option("-n,--nodes", plan_.nodes,
                  "How many nodes on this machine, the driver included (default: in a Slurm "
                  "allocation, one on each of its hosts); with --discover on all machines together")
      ->check(CLI::Range(1u, 4096u));
  app_.add_option("-w,--workers", plan_.workers,
                  "Jobs that each node runs at a time (default: usable cores / N, at least 1)")
      ->envname("PP_WORKERS")
      ->check(CLI::Range(1u, 65536u));
  app_.add_option("-k,--key-file", key_file_,
                  "The cluster key (default: a new one for this launch only)")
      ->envname("PP_KEY_FILE");
  app_.add_option("-t,--join-timeout", join_limit_,
                  "Seconds within which all nodes must have joined (default: 30; each of -H, once "
                  "it is reached: 15)")
      ->envname("PP_JOIN_TIMEOUT")
      ->check(CLI::Range(1ll, 86'400ll));
  app_.add_option("-l,--listen", plan_.listen, "HOST:PORT of the driver's control port")
      ->capture_default_str()
      ->envname("PP_LISTEN");
  app_.add_flag("--respawn{on}", respawn_,
                "Replace workers that die; --respawn=N: at most N of them in all")
      ->envname("PP_RESPAWN");
  app_.add_option("--joblog", plan_.joblog,
                  "Keep what the driver's maps have finished in this file")
      ->envname("PP_JOBLOG");
  app_.add_flag("--resume", plan_.resume, "Go on from what the job log holds, if there is one")
      ->envname("PP_RESUME");
  hosts_.add_to(app_);
  discover_.add_to(app_);
  app_.add_option("--config", config_,
                  "Settings for what neither this line nor the environment says (default: "
                  "pp/launch.toml in ~/.config, then in /etc)")
      ->envname("PP_LAUNCH_CONFIG");
  app_.add_flag("--show-config", show_config_,
                "Print every setting, its value and where it came from");
  app_.add_flag("--check", plan_.check,
                "Only test whether the nodes would come together, and run nothing: one table, one "
                "verdict, exit code 0 or 3");
  app_.add_flag("--dry-run", dry_run_, "Print what would be run on the hosts, and run nothing");
  app_.add_flag("--http{on}", plan_.http,
                "The driver can be watched by HTTP on this host; --http=HOST:PORT: there")
      ->envname("PP_HTTP");
  app_.add_option("--trace", plan_.trace,
                  "Draw what all nodes do in this file, for https://ui.perfetto.dev")
      ->envname("PP_TRACE");
  app_.add_flag("--progress{on},--no-progress{off}", plan_.progress,
                "Say how far the program is, or do not (default: as PP_PROGRESS says); "
                "--progress=SECONDS: a plain line so often");
  app_.add_option("--output-rate", output_rate_,
                  "Bytes a second of each worker's output that are passed on, or off: all "
                  "(default: 10M); what is more is dropped, and said so")
      ->envname("PP_OUTPUT_RATE");
  app_.add_flag("-q,--quiet", plan_.quiet, "Print no join table");
}

std::optional<int> CommandLine::read(int argc, char** argv) {
  char** const end = argv + argc;
  char** const dashes = std::find(argv + 1, end, std::string("--"));
  app_.prefix_command();
  settings_ = as_usage([&] { return LaunchSettings::read(app_, argv + 1, dashes); });
  try {
    std::vector<std::string> ours(argv + 1, dashes);
    std::reverse(ours.begin(), ours.end());  // as CLI11 wants them
    app_.parse(std::move(ours));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_.exit(error);  // --help, --version
    throw UsageError(std::string(error.what()) + " (pp-launch --help tells more)");
  }
  if (show_config_) {
    std::cout << settings_->table();
    return 0;
  }
  plan_.command = app_.remaining();
  if (dashes != end) {
    // "pp-launch -n 2 ./app -- x": the dashes are the program's.
    plan_.command.insert(plan_.command.end(), plan_.command.empty() ? dashes + 1 : dashes, end);
  }
  check();
  return std::nullopt;
}

// -n overrules what environment and file say of hosts.
CommandLine::Where CommandLine::where() const {
  if (discover_.asked()) return Where::kDaemons;
  if (has("--nodes")) return Where::kHere;
  return hosts_.name_hosts() ? Where::kHosts : Where::kSlurm;
}

void CommandLine::check() {
  if (plan_.command.empty()) {
    throw UsageError("no program was named, expected: pp-launch -n N -- PROGRAM [ARGUMENTS...]");
  }
  if (plan_.command.front().starts_with('-')) {
    throw UsageError("no option is called " + plan_.command.front() +
                     " (pp-launch --help lists them)");
  }
  const std::optional<unsigned> replacements = parse_respawn(respawn_);
  if (!replacements) {
    throw UsageError("--respawn=" + respawn_ +
                     ": expected how many workers may be replaced in all, on or off");
  }
  plan_.respawn = *replacements;
  const std::optional<std::uint64_t> rate = OutputRate::parse(output_rate_);
  if (!rate) {
    throw UsageError("--output-rate=" + output_rate_ +
                     ": expected bytes a second (500k, 10M), or off");
  }
  plan_.output_rate = *rate;
  if (plan_.resume && plan_.joblog.empty()) {
    throw UsageError("--resume needs a job log to go on from, expected: --joblog FILE --resume");
  }
  const bool hosts_named =
      settings_->on_command_line("--hosts") || settings_->on_command_line("--hostfile");
  if (hosts_named && discover_.asked()) {
    throw UsageError(
        "-H is about hosts reached by ssh and --discover about those that run ppd, expected one "
        "of them");
  }
  if (hosts_named && has("--nodes")) {
    throw UsageError(
        "-n is about this machine and -H about others, expected one of them; beside hosts, the "
        "driver runs here with --driver-workers");
  }
  if (discover_.asked() && has("--nodes") && plan_.nodes == 1) {
    throw UsageError(
        "-n 1 is the driver alone: expected at least 2 with --discover, or no -n for all that are "
        "found");
  }
  if (plan_.check && where() == Where::kSlurm) {
    throw UsageError(
        "--check needs nodes to test, expected -n, -H or --discover (in a Slurm allocation srun "
        "tests its hosts)");
  }
  if (plan_.check && where() == Where::kHere && plan_.nodes == 1)
    throw UsageError("--check -n 1: a node alone has nobody to meet, expected at least 2");
  const bool far = where() == Where::kHosts;
  for (const std::string& option : HostOptions::about_hosts()) {
    if (!far && settings_->on_command_line(option))
      throw UsageError(option + " is about hosts, expected -H or --hostfile");
  }
  if (far && !hosts_.key_on_hosts.empty() && key_file_.empty())
    throw UsageError("--key-on-hosts needs the same key here: --key-file FILE");
  if (far && !settings_->is_set("--listen")) plan_.listen = ":0";  // on the interfaces it chooses
  as_usage([&] {
    pp::Address::parse((far && plan_.listen.starts_with(':') ? "x" : "") + plan_.listen);
    if (!key_file_.empty() && (where() != Where::kHere || plan_.nodes > 1))
      pp::ClusterKey::load(key_file_);  // better one sentence than one per node
  });
  plan_.key_file = key_file_;
  plan_.join_limit = std::chrono::seconds(join_limit_);
}

int CommandLine::run() {
  switch (where()) {
    case Where::kHosts:
      return run_on_hosts();
    case Where::kSlurm:
      return run_in_slurm();
    case Where::kDaemons:
      return run_with_daemons();
    case Where::kHere:
      break;
  }
  return run_here();
}

int CommandLine::run_on_hosts() {
  HostPlan plan = as_usage([&] { return hosts_.plan(); });
  if (!settings_->is_set("--join-timeout")) plan_.join_limit = kHostJoinLimit;
  if (plan_.workers != 0) plan.workers = plan_.workers;
  if (settings_->is_set("--driver-workers"))
    plan_.workers = hosts_.driver_workers;
  else if (plan_.workers == 0)
    plan_.workers = pp::usable_cores();
  if (hosts_.stage) plan.stage = hosts_.stage_plan(plan_.command.front());
  plan.launch = std::move(plan_);
  if (dry_run_) {
    std::cout << rehearsal(plan);
    return 0;
  }
  return HostLaunch(std::move(plan)).run();
}

int CommandLine::run_in_slurm() {
  const auto slurm = as_usage([&] { return SlurmLaunch::from_environment(plan_); });
  if (slurm) return slurm->run();
  throw UsageError(
      "--nodes is required, or --hosts, or --discover to use those that run ppd (pp-launch --help "
      "tells more)");
}

int CommandLine::run_with_daemons() {
  const unsigned wanted = has("--nodes") ? plan_.nodes - 1 : 0;
  const DiscoverPlan discover =
      as_usage([&] { return discover_.plan(key_file_, wanted, plan_.workers); });
  if (plan_.workers == 0) plan_.workers = pp::usable_cores();
  add_discovered_hosts(plan_, discover, settings_->is_set("--listen"));
  return Launch(std::move(plan_)).run();
}

int CommandLine::run_here() {
  if (plan_.workers == 0) plan_.workers = std::max(1u, pp::usable_cores() / plan_.nodes);
  return Launch(std::move(plan_)).run();
}

int complain(const std::exception& error, int code) {
  std::cerr << "pp-launch: " << error.what() << '\n';
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && argv[1] == std::string_view(kDeputyMark)) return run_deputy(argc, argv);
  open_standard_descriptors();
  try {
    CommandLine line;
    if (const std::optional<int> code = line.read(argc, argv)) return *code;
    return line.run();
  } catch (const UsageError& error) {
    return complain(error, kUsage);
  } catch (const TooFewHosts& error) {
    return complain(error, Launch::kIncomplete);
  } catch (const std::exception& error) {
    return complain(error, 1);
  }
}
