// SlurmStep: SLURM_ variables, read and turned into options.
#include "slurm_step.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <pp/error.hpp>
#include <pp/slurm_nodes.hpp>
#include <string_view>

namespace pp::runtime {
namespace {

constexpr std::uint64_t kMostTasks = 100'000;  // as PP_NODES
// Slurm kills 30 s after it has asked to end, if its KillWait is what it usually is.
constexpr std::chrono::seconds kDrain{25};

std::string printable(std::string_view text) {
  std::string safe;
  for (const char c : text.substr(0, 60)) safe += c >= ' ' && c <= '~' ? c : '?';
  return safe;
}

[[noreturn]] void refuse(const char* name, std::string_view value, const std::string& expected) {
  throw Error("pp: " + std::string(name) + "=" + printable(value) + ": expected " + expected +
              "; PP_SLURM=off runs the program without regard to Slurm");
}

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> number(const SlurmStep::Lookup& variable, const char* name,
                                    std::uint64_t least, std::uint64_t most) {
  const std::optional<std::string> text = variable(name);
  if (!text) return std::nullopt;
  const std::optional<std::uint64_t> value = number_in(*text);
  if (!value || *value < least || *value > most) {
    refuse(name, *text, "a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

// How many tasks run on the host of that index: "2(x3),1" are four hosts.
std::uint64_t tasks_on(std::string_view text, std::uint64_t host) {
  constexpr char kName[] = "SLURM_STEP_TASKS_PER_NODE";
  for (std::string_view rest = text;;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view entry = rest.substr(0, comma);
    const std::size_t bracket = std::min(entry.find("(x"), entry.size());
    std::optional<std::uint64_t> times = 1;
    if (bracket < entry.size()) {
      times = entry.ends_with(')')
                  ? number_in(entry.substr(bracket + 2, entry.size() - bracket - 3))
                  : std::nullopt;
    }
    const std::optional<std::uint64_t> tasks = number_in(entry.substr(0, bracket));
    if (!times || !tasks || *tasks > kMostTasks) refuse(kName, text, "something like 2(x3),1");
    if (host < *times) return *tasks;
    host -= *times;
    if (comma == rest.size()) return 1;  // a host that is not listed: this task at least
    rest.remove_prefix(comma + 1);
  }
}

// What -c gave it; else its part of what the step has on this host. (A task that is bound to cores
// is bound to that part, too; but where tasks are not bound, each could use the cores of all.)
std::optional<unsigned> share_of(const SlurmStep::Lookup& variable) {
  constexpr std::uint64_t kMost = 1'000'000;
  if (const auto each = number(variable, "SLURM_CPUS_PER_TASK", 1, kMost))
    return static_cast<unsigned>(*each);
  const auto here = number(variable, "SLURM_CPUS_ON_NODE", 1, kMost);
  const auto host = number(variable, "SLURM_NODEID", 0, kMostTasks);
  const auto tasks = variable("SLURM_STEP_TASKS_PER_NODE");
  if (!here || !host || !tasks) return std::nullopt;
  const std::uint64_t sharers = std::max<std::uint64_t>(1, tasks_on(*tasks, *host));
  return static_cast<unsigned>(std::max<std::uint64_t>(1, *here / sharers));
}

// A word that may stand in a file's name.
std::string harmless(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string word(text.substr(0, kLongest));
  for (char& c : word) {
    const bool fit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
    if (!fit) c = '_';
  }
  return word;
}

// Numbers of jobs are given again when a job is queued anew or a controller lost its state; the
// port at which this srun listens tells such steps apart.
std::string name_of(const SlurmStep& step, const SlurmStep::Lookup& variable) {
  const auto word = [&](const char* name) { return harmless(variable(name).value_or("0")); };
  return word("SLURM_CLUSTER_NAME") + "-" + std::to_string(step.job) + "." +
         std::to_string(step.step) + "-" + word("SLURM_RESTART_COUNT") + "-" +
         word("SLURM_SRUN_COMM_PORT");
}

struct Ports {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// The last is of the control connection: the fabric takes the one behind it.
Ports ports_in(const std::string& text) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto first = number_in(std::string_view(text).substr(0, dash));
  const auto last =
      dash == text.size() ? first : number_in(std::string_view(text).substr(dash + 1));
  if (!first || !last || *first < 1 || *last > 65'534 || *first > *last) {
    throw Error("pp: PP_SLURM_PORTS=" + printable(text) +
                ": expected a port (7400) or a range of them (7400-7499), from 1 to 65534");
  }
  return {*first, *last};
}

}  // namespace

void check_slurm_ports(const std::string& ports) { ports_in(ports); }

std::optional<SlurmStep> SlurmStep::from(const Lookup& variable) {
  if (variable("PP_ROLE")) return std::nullopt;
  const std::optional<std::string> hosts = variable("SLURM_STEP_NODELIST");
  if (!hosts || !variable("SLURM_PROCID")) return std::nullopt;
  // SLURM_NTASKS of a shell inside an allocation may be what the allocation was asked for.
  const char* const kTasks =
      variable("SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  const auto tasks = number(variable, kTasks, 1, kMostTasks);
  if (!tasks || *tasks < 2) return std::nullopt;

  SlurmStep step;
  step.tasks = static_cast<unsigned>(*tasks);
  step.task = static_cast<unsigned>(*number(variable, "SLURM_PROCID", 0, *tasks - 1));
  step.job = number(variable, "SLURM_JOB_ID", 0, UINT32_MAX).value_or(0);
  step.step = number(variable, "SLURM_STEP_ID", 0, UINT32_MAX).value_or(0);
  try {
    step.hosts = discovery::slurm_nodes(*hosts);
  } catch (const Error& error) {
    refuse("SLURM_STEP_NODELIST", *hosts, std::string("Slurm's node list (") + error.what() + ")");
  }
  // Tasks are dealt out from the first host on, unless somebody has written down who runs where.
  if (!variable("SLURM_DISTRIBUTION").value_or("").starts_with("arbitrary")) step.hosts.resize(1);
  step.share = share_of(variable);
  // An allocation without an end says 0, or some time in another century.
  if (const auto end = number(variable, "SLURM_JOB_END_TIME", 0, UINT64_MAX);
      end && *end > 0 && *end < UINT32_MAX)
    step.end = std::chrono::system_clock::time_point(std::chrono::seconds(*end));
  step.name = name_of(step, variable);
  step.nodes_given = variable("PP_NODES").has_value();
  step.multicast_given = variable("PP_DISCOVER").has_value();
  step.drain_given = variable("PP_DRAIN").has_value();
  return step;
}

std::optional<SlurmStep> SlurmStep::from_environment() {
  return from([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  });
}

// Steps of one job differ by their number, and jobs by more than they have steps, as a rule: those
// that run side by side on one host seldom meet, and if they do, the later one says so and ends.
std::uint16_t SlurmStep::port(const std::string& ports) const {
  constexpr std::uint64_t kStepsOfAJob = 16;
  const auto [first, last] = ports_in(ports);
  const std::uint64_t pairs = std::max<std::uint64_t>(1, (last - first + 1) / 2);
  return static_cast<std::uint16_t>(first + 2 * ((job * kStepsOfAJob + step) % pairs));
}

void SlurmStep::complete(Options& options, unsigned usable) const {
  options.role = driver() ? Role::kDriver : Role::kWorker;
  if (options.nodes <= 1 && !nodes_given) options.nodes = tasks;
  if (!options.workers && share) options.workers = std::min(usable, *share);
  if (options.launch.empty()) options.launch = "slurm-" + name;
  if (options.discover == "on" && !multicast_given) options.discover = "off";
  if (!drain_given) options.drain = std::min<std::chrono::milliseconds>(options.drain, kDrain);

  std::string host;
  std::uint16_t control = port(options.slurm_ports);
  if (const std::size_t colon = options.listen.rfind(':'); colon != std::string::npos) {
    host = options.listen.substr(0, colon);
    const std::uint16_t told = Address::parse("x" + options.listen.substr(colon)).port;
    if (told != 0) control = told;
  }
  options.listen = driver() ? host + ":" + std::to_string(control) : std::string();
  if (driver()) return;
  for (const std::string& each : hosts) options.peers.push_back({each, control});
}

std::chrono::milliseconds SlurmStep::time_to_leave(std::chrono::milliseconds left,
                                                   std::chrono::milliseconds drain) {
  return std::max(std::chrono::milliseconds(0), std::min(drain, left / 4));
}

}  // namespace pp::runtime
