// HostOptions: see the header.
#include "host_options.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <pp/error.hpp>
#include <sstream>
#include <utility>
#include <variant>

namespace pp::tools {

namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

// "NAME=value", or "NAME" for our own value. Throws Error.
std::string variable_of(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const bool good = !name.empty() && (std::isdigit(static_cast<unsigned char>(name[0])) == 0) &&
                    std::all_of(name.begin(), name.end(),
                                [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  if (!good) throw Error("--env " + text + ": expected NAME or NAME=VALUE");
  if (equals != std::string::npos) return text;
  const char* value = std::getenv(name.c_str());
  if (value == nullptr)
    throw Error("--env " + text + ": there is no such variable here, expected NAME=VALUE");
  return name + "=" + value;
}

}  // namespace

void HostOptions::add_to(CLI::App& app) {
  app.add_option("-H,--hosts", hosts,
                 "Hosts to run a node on, by ssh: HOST[:WORKERS],USER@HOST,...")
      ->envname("PP_LAUNCH_HOSTS");
  app.add_option("--hostfile", hostfile, "A file with a host a line; read again when it changes")
      ->envname("PP_LAUNCH_HOSTFILE");
  app.add_option("--min-nodes", min_nodes,
                 "With so many nodes, the driver included, the run begins (default: all)")
      ->envname("PP_LAUNCH_MIN_NODES")
      ->check(CLI::Range(1u, 100'000u));
  app.add_option("--driver-workers", driver_workers,
                 "Jobs that the driver runs at a time beside hosts (default: --workers)")
      ->envname("PP_LAUNCH_DRIVER_WORKERS")
      ->check(CLI::Range(0u, 1024u));
  app.add_option("--env", environment,
                 "NAME or NAME=VALUE for the nodes on hosts; PP_ variables go there anyway")
      ->take_all()
      ->expected(1);
  app.add_option("--workdir", workdir,
                 "Working directory on the hosts (default: as here where it exists, else the home)")
      ->envname("PP_LAUNCH_WORKDIR");
  app.add_option("--key-on-hosts", key_on_hosts,
                 "The key's file on the hosts, which is then not sent; needs --key-file");
  app.add_option("--ssh", ssh, "The ssh to use, and options for it")
      ->capture_default_str()
      ->envname("PP_LAUNCH_SSH");
  app.add_option("--connect-timeout", connect_timeout,
                 "Seconds within which a host must answer ssh")
      ->capture_default_str()
      ->envname("PP_LAUNCH_CONNECT_TIMEOUT")
      ->check(CLI::Range(1u, 3600u));
  app.add_option("--timeout", timeout,
                 "Seconds after which the whole run is ended (default: never)")
      ->envname("PP_LAUNCH_TIMEOUT")
      ->check(CLI::Range(1u, 31'536'000u));
  app.add_flag(
         "--stage", stage,
         "Copy the program, and libraries of it that are not the system's, to hosts that lack them")
      ->envname("PP_LAUNCH_STAGE");
  app.add_option("--stage-cache", stage_cache,
                 "The folder for that on the hosts (default: pp in the user's cache folder)")
      ->envname("PP_LAUNCH_STAGE_CACHE");
  app.add_option("--stage-limit", stage_limit,
                 "MiB that it may take there; what was not used for longest goes")
      ->capture_default_str()
      ->envname("PP_LAUNCH_STAGE_LIMIT")
      ->check(CLI::Range(1u, 1u << 20));
}

const std::vector<std::string>& HostOptions::about_hosts() {
  static const std::vector<std::string> names = {"--min-nodes",   "--driver-workers",  "--env",
                                                 "--workdir",     "--key-on-hosts",    "--ssh",
                                                 "--timeout",     "--connect-timeout", "--stage",
                                                 "--stage-cache", "--stage-limit",     "--dry-run"};
  return names;
}

StagePlan HostOptions::stage_plan(const std::string& program) const {
  const char* path = std::getenv("PATH");
  const auto found = find_program(program, path != nullptr ? path : "/usr/bin:/bin");
  if (const auto* failure = std::get_if<ExecFailure>(&found)) throw Error("exec: " + failure->why);
  const std::string& file = std::get<std::string>(found);
  StagePlan plan = plan_staging(file, private_libraries(ask_ldd(file)));
  plan.cache = stage_cache;
  plan.limit = stage_limit << 20;
  return plan;
}

HostPlan HostOptions::plan() const {
  HostPlan plan;
  if (!hosts.empty()) plan.hosts = parse_hosts(hosts);
  plan.hostfile = hostfile;
  plan.ssh = words_of(ssh);
  if (plan.ssh.empty()) throw Error("--ssh \"\": expected a program");
  plan.workdir = workdir;
  plan.here = std::filesystem::current_path().string();
  for (const std::string& variable : environment) plan.environment.push_back(variable_of(variable));
  plan.key_on_hosts = key_on_hosts;
  plan.min_nodes = min_nodes;
  plan.connect_limit = std::chrono::seconds(connect_timeout);
  plan.run_limit = std::chrono::seconds(timeout);
  return plan;
}

}  // namespace pp::tools
