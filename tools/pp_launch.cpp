// pp-launch: the command line of Launch and HostLaunch.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <pp/address.hpp>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/usable_cores.hpp>
#include <pp/version.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "host_launch.hpp"
#include "launch.hpp"
#include "respawn.hpp"
#include "settings_file.hpp"
#include "slurm_launch.hpp"

namespace {

constexpr int kUsage = 2;  // exit code: the command line makes no sense

// These would be passed over in silence where all nodes run on this machine.
constexpr const char* kAboutHosts[] = {"--min-nodes",       "--driver-workers", "--env",
                                       "--workdir",         "--key-on-hosts",   "--ssh",
                                       "--connect-timeout", "--timeout",        "--stage",
                                       "--stage-cache",     "--stage-limit",    "--dry-run"};

// A host that is reached has joined by then, or something is in the way.
constexpr std::chrono::seconds kHostJoinLimit{15};

constexpr char kExamples[] = R"(Examples:
  pp-launch -n 4 -- ./app --size 100      4 nodes here that share this machine's cores
  pp-launch -n 2 --workers 8 -- ./app     2 nodes of 8 workers each
  pp-launch -n 1 -- ./app                 the program alone: no network, no key
  pp-launch -n 4 --respawn -- ./app       workers that die are replaced, as often as it takes
  pp-launch -- ./app                      in a Slurm allocation: a node on each of its hosts (srun)
  pp-launch -n 4 --joblog app.log --resume -- ./app
                                          the same line again after a crash goes on where it was

  pp-launch -H a,b:8,user@c -- ./app      a driver here, and a node on each of three hosts (8 workers on b)
  pp-launch --hostfile hosts --min-nodes 3 -- ./app
                                          it begins with two hosts and the driver; others come later

A host is what ssh calls so: your configuration, agent and jump hosts count. The program must be
there, under the same path or as --workdir says. In a hostfile are lines like "b slots=8", "b:8" or
"8/user@b"; when it changes, new hosts join and those that are gone drain. The key goes through
ssh's standard input. A host that fails is named with its stage: ssh, shell, key, workdir, exec,
ended, listening, version, connect, refused. All that was started there ends with pp-launch, however it ends.

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
3 the nodes did not come together; 124 the run's --timeout was over; 126, 127 the program cannot be run or was not found.)";

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
           "       pp-launch -H HOSTS [OPTIONS] -- PROGRAM [ARGUMENTS...]\n";
  }
};

int complain(const std::string& sentence, int code) {
  std::cerr << "pp-launch: " << sentence << '\n';
  return code;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

// "NAME=value", or "NAME" for our own value. Throws pp::Error.
std::string variable_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const bool good = !name.empty() && (std::isdigit(static_cast<unsigned char>(name[0])) == 0) &&
                    std::all_of(name.begin(), name.end(),
                                [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  if (!good) throw pp::Error("--env " + text + ": expected NAME or NAME=VALUE");
  if (equals != std::string::npos) return text;
  const char* value = std::getenv(name.c_str());
  if (value == nullptr)
    throw pp::Error("--env " + text + ": there is no such variable here, expected NAME=VALUE");
  return name + "=" + value;
}

// What the options that are about hosts say.
struct HostOptions {
  std::string hosts;
  std::string hostfile;
  std::string ssh = "ssh";
  std::string workdir;
  std::vector<std::string> environment;
  std::string key_on_hosts;
  unsigned driver_workers = 0;
  unsigned min_nodes = 0;
  unsigned connect_timeout = 10;
  unsigned timeout = 0;
  bool stage = false;
  std::string stage_cache;
  std::uint64_t stage_limit = 1024;  // MiB

  bool name_hosts() const { return !hosts.empty() || !hostfile.empty(); }
  // These throw pp::Error.
  pp::tools::HostPlan plan() const;
  pp::tools::StagePlan stage_plan(const std::string& program) const;
};

pp::tools::StagePlan HostOptions::stage_plan(const std::string& program) const {
  const char* path = std::getenv("PATH");
  const auto found = pp::tools::find_program(program, path != nullptr ? path : "/usr/bin:/bin");
  if (const auto* failure = std::get_if<pp::tools::ExecFailure>(&found))
    throw pp::Error("exec: " + failure->why);
  const std::string& file = std::get<std::string>(found);
  pp::tools::StagePlan plan =
      pp::tools::plan_staging(file, pp::tools::private_libraries(pp::tools::ask_ldd(file)));
  plan.cache = stage_cache;
  plan.limit = stage_limit << 20;
  return plan;
}

pp::tools::HostPlan HostOptions::plan() const {
  pp::tools::HostPlan plan;
  if (!hosts.empty()) plan.hosts = pp::tools::parse_hosts(hosts);
  plan.hostfile = hostfile;
  plan.ssh = words_of(ssh);
  if (plan.ssh.empty()) throw pp::Error("--ssh \"\": expected a program");
  plan.workdir = workdir;
  plan.here = std::filesystem::current_path().string();
  for (const std::string& variable : environment) plan.environment.push_back(variable_of(variable));
  plan.key_on_hosts = key_on_hosts;
  plan.min_nodes = min_nodes;
  plan.connect_limit = std::chrono::seconds(connect_timeout);
  plan.run_limit = std::chrono::seconds(timeout);
  return plan;
}

// What a settings file says; the line of each option that it names.
struct Settings {
  std::string file;
  std::map<const CLI::Option*, std::size_t> lines;
};

// These make no sense in a file.
bool is_about_this_run(const std::string& option) {
  for (const char* name : {"help", "version", "config", "show-config", "dry-run", "env", "nodes"}) {
    if (option == name) return true;
  }
  return false;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The file that is named, else the user's, else the machine's; empty: there is none.
std::string settings_file(char** begin, char** end) {
  for (char** word = begin; word != end; ++word) {
    const std::string text = *word;
    if (text == "--config" && word + 1 != end) return word[1];
    if (text.starts_with("--config=")) return text.substr(9);
  }
  if (const char* named = std::getenv("PP_LAUNCH_CONFIG"); named != nullptr && *named != 0)
    return named;
  std::vector<std::string> usual;
  if (const char* folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/') {
    usual.push_back(std::string(folder) + "/pp/launch.toml");
  } else if (const char* home = std::getenv("HOME"); home != nullptr) {
    usual.push_back(std::string(home) + "/.config/pp/launch.toml");
  }
  usual.push_back("/etc/pp/launch.toml");
  for (const std::string& file : usual) {
    std::error_code none;
    if (std::filesystem::is_regular_file(file, none)) return file;
  }
  return {};
}

// Makes what the file says the options' defaults: the command line and the environment come before.
// Throws pp::Error.
Settings read_settings(CLI::App& app, char** begin, char** end) {
  Settings settings;
  settings.file = settings_file(begin, end);
  if (settings.file.empty()) return settings;
  std::ifstream in(settings.file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw pp::Error("--config " + settings.file + ": the file cannot be read");
  for (const auto& line : pp::tools::parse_settings(text.str(), settings.file)) {
    const std::string where = settings.file + ":" + std::to_string(line.line) + ": ";
    CLI::Option* const option = app.get_option_no_throw("--" + line.name);
    if (option == nullptr || is_about_this_run(line.name))
      throw pp::Error(where + "no option for a file is called " + line.name +
                      " (pp-launch --help lists them)");
    try {
      option->run_callback_for_default()->default_val(line.value);
    } catch (const CLI::Error& error) {
      throw pp::Error(where + error.what());
    }
    settings.lines[option] = line.line;
  }
  return settings;
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
  HostOptions hosts;
  CLI::Option* const nodes =
      app.add_option("-n,--nodes", plan.nodes,
                     "How many nodes on this machine, the driver included (default: in a Slurm "
                     "allocation, one on each of its hosts)")
          ->check(CLI::Range(1u, 4096u));
  app.add_option("-H,--hosts", hosts.hosts,
                 "Hosts to run a node on, by ssh: HOST[:WORKERS],USER@HOST,...")
      ->envname("PP_LAUNCH_HOSTS");
  app.add_option("--hostfile", hosts.hostfile,
                 "A file with a host a line; read again when it changes")
      ->envname("PP_LAUNCH_HOSTFILE");
  app.add_option("-w,--workers", plan.workers,
                 "Jobs that each node runs at a time (default: usable cores / N, at least 1)")
      ->envname("PP_WORKERS")
      ->check(CLI::Range(1u, 65536u));
  app.add_option("-k,--key-file", key_file,
                 "The cluster key (default: a new one for this launch only)")
      ->envname("PP_KEY_FILE");
  app.add_option("-t,--join-timeout", join_limit,
                 "Seconds within which all nodes must have joined (default: 30; each of -H, once "
                 "it is reached: 15)")
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
  app.add_option("--min-nodes", hosts.min_nodes,
                 "With so many nodes, the driver included, the run begins (default: all)")
      ->envname("PP_LAUNCH_MIN_NODES")
      ->check(CLI::Range(1u, 100'000u));
  app.add_option("--driver-workers", hosts.driver_workers,
                 "Jobs that the driver runs at a time beside hosts (default: --workers)")
      ->envname("PP_LAUNCH_DRIVER_WORKERS")
      ->check(CLI::Range(0u, 1024u));
  app.add_option("--env", hosts.environment,
                 "NAME or NAME=VALUE for the nodes on hosts; PP_ variables go there anyway")
      ->take_all()
      ->expected(1);
  app.add_option("--workdir", hosts.workdir,
                 "Working directory on the hosts (default: as here where it exists, else the home)")
      ->envname("PP_LAUNCH_WORKDIR");
  app.add_option("--key-on-hosts", hosts.key_on_hosts,
                 "The key's file on the hosts, which is then not sent; needs --key-file");
  app.add_option("--ssh", hosts.ssh, "The ssh to use, and options for it")
      ->capture_default_str()
      ->envname("PP_LAUNCH_SSH");
  app.add_option("--connect-timeout", hosts.connect_timeout,
                 "Seconds within which a host must answer ssh")
      ->capture_default_str()
      ->envname("PP_LAUNCH_CONNECT_TIMEOUT")
      ->check(CLI::Range(1u, 3600u));
  app.add_option("--timeout", hosts.timeout,
                 "Seconds after which the whole run is ended (default: never)")
      ->envname("PP_LAUNCH_TIMEOUT")
      ->check(CLI::Range(1u, 31'536'000u));
  app.add_flag(
         "--stage", hosts.stage,
         "Copy the program, and libraries of it that are not the system's, to hosts that lack them")
      ->envname("PP_LAUNCH_STAGE");
  app.add_option("--stage-cache", hosts.stage_cache,
                 "The folder for that on the hosts (default: pp in the user's cache folder)")
      ->envname("PP_LAUNCH_STAGE_CACHE");
  app.add_option("--stage-limit", hosts.stage_limit,
                 "MiB that it may take there; what was not used for longest goes")
      ->capture_default_str()
      ->envname("PP_LAUNCH_STAGE_LIMIT")
      ->check(CLI::Range(1u, 1u << 20));
  std::string config;
  bool show_config = false;
  bool dry_run = false;
  app.add_option("--config", config,
                 "Settings for what neither this line nor the environment says (default: "
                 "pp/launch.toml in ~/.config, then in /etc)")
      ->envname("PP_LAUNCH_CONFIG");
  app.add_flag("--show-config", show_config,
               "Print every setting, its value and where it came from");
  app.add_flag("--dry-run", dry_run, "Print what would be run on the hosts, and run nothing");
  app.add_flag("-q,--quiet", plan.quiet, "Print no join table");

  // Everything behind "--" is the command, whatever it looks like. Without one the command begins
  // with the first word that is no option of ours.
  char** const end = argv + argc;
  char** const dashes = std::find(argv + 1, end, std::string("--"));
  app.prefix_command();
  Settings settings;
  try {
    settings = read_settings(app, argv + 1, dashes);
  } catch (const pp::Error& error) {
    return complain(error.what(), kUsage);
  }
  try {
    std::vector<std::string> ours(argv + 1, dashes);
    std::reverse(ours.begin(), ours.end());  // as CLI11 wants them
    app.parse(std::move(ours));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return complain(std::string(error.what()) + " (pp-launch --help tells more)", kUsage);
  }
  const auto on_command_line = [&app](const CLI::Option* option) {
    const std::vector<CLI::Option*>& seen = app.parse_order();
    return std::find(seen.begin(), seen.end(), option) != seen.end();
  };
  const auto is_set = [&](const char* name) {
    const CLI::Option* option = app.get_option(name);
    return option->count() > 0 || settings.lines.contains(option);
  };
  if (show_config) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_lnames().empty() || is_about_this_run(option->get_lnames().front())) continue;
      const std::string value =
          option->count() > 0 ? joined(option->results()) : option->get_default_str();
      std::cout << option->get_lnames().front() << " = " << (value.empty() ? "-" : value) << "   ("
                << (on_command_line(option) ? "command line"
                    : option->count() > 0   ? "environment: " + option->get_envname()
                    : settings.lines.contains(option)
                        ? settings.file + ":" + std::to_string(settings.lines.at(option))
                        : "default")
                << ")\n";
    }
    return 0;
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

  if (nodes->count() > 0 && (on_command_line(app.get_option("--hosts")) ||
                             on_command_line(app.get_option("--hostfile")))) {
    return complain(
        "-n is about this machine and -H about others, expected one of them; beside "
        "hosts, the driver runs here with --driver-workers",
        kUsage);
  }
  // -n overrules what the environment says of hosts.
  const bool far = nodes->count() == 0 && hosts.name_hosts();
  for (const char* option : kAboutHosts) {
    if (!far && on_command_line(app.get_option(option)))
      return complain(std::string(option) + " is about hosts, expected -H or --hostfile", kUsage);
  }
  std::optional<pp::tools::HostPlan> host_plan;
  try {
    if (far) {
      host_plan = hosts.plan();
      if (!hosts.key_on_hosts.empty() && key_file.empty())
        throw pp::Error("--key-on-hosts needs the same key here: --key-file FILE");
    }
    if (far && !is_set("--listen")) plan.listen = ":0";  // on the interfaces it chooses
    pp::Address::parse((far && plan.listen.starts_with(':') ? "x" : "") + plan.listen);
    if (!key_file.empty() && (far || plan.nodes > 1))
      pp::ClusterKey::load(key_file);  // better one sentence than one per node
  } catch (const pp::Error& error) {
    return complain(error.what(), kUsage);
  }
  plan.key_file = key_file;
  plan.join_limit = std::chrono::seconds(join_limit);
  if (nodes->count() == 0 && !far) {
    try {
      if (const auto slurm = pp::tools::SlurmLaunch::from_environment(plan)) return slurm->run();
    } catch (const std::exception& error) {
      return complain(error.what(), kUsage);
    }
    return complain("--nodes is required, or --hosts (pp-launch --help tells more)", kUsage);
  }
  try {
    if (host_plan) {
      if (!is_set("--join-timeout")) plan.join_limit = kHostJoinLimit;
      if (plan.workers != 0) host_plan->workers = plan.workers;
      if (is_set("--driver-workers"))
        plan.workers = hosts.driver_workers;
      else if (plan.workers == 0)
        plan.workers = pp::usable_cores();
      host_plan->launch = std::move(plan);
      if (hosts.stage) host_plan->stage = hosts.stage_plan(host_plan->launch.command.front());
      if (dry_run) {
        std::cout << pp::tools::rehearsal(*host_plan);
        return 0;
      }
      return pp::tools::HostLaunch(std::move(*host_plan)).run();
    }
    if (plan.workers == 0) plan.workers = std::max(1u, pp::usable_cores() / plan.nodes);
    return pp::tools::Launch(std::move(plan)).run();
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
