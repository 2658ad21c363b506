// Options from PP_* variables.
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <pp/error.hpp>
#include <pp/multicast.hpp>
#include <pp/options.hpp>
#include <string_view>

#include "progress.hpp"
#include "slurm_step.hpp"

namespace pp {

namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

[[noreturn]] void refuse(const char* name, std::string_view value, const std::string& expected) {
  throw Error("pp: " + std::string(name) + "=" + std::string(value) + ": expected " + expected);
}

template <class Number>
bool read_number(const char* name, Number least, Number most, const char* unit, Number& into) {
  const std::string_view value = variable(name);
  if (value.empty()) return false;
  Number number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < least ||
      number > most) {
    refuse(name, value,
           std::string(unit) + " from " + std::to_string(least) + " to " + std::to_string(most));
  }
  into = number;
  return true;
}

void read_time(const char* name, std::chrono::milliseconds::rep least,
               std::chrono::milliseconds::rep most, std::chrono::milliseconds& into) {
  std::chrono::milliseconds::rep milliseconds = 0;
  if (read_number(name, least, most, "milliseconds", milliseconds))
    into = std::chrono::milliseconds(milliseconds);
}

void read_text(const char* name, std::string& into) {
  if (const std::string_view value = variable(name); !value.empty()) into = value;
}

}  // namespace

Options Options::from_environment() {
  Options options;
  unsigned workers = 0;
  if (read_number("PP_WORKERS", 0u, 1'024u, "a number of workers", workers))
    options.workers = workers;
  if (const std::string_view role = variable("PP_ROLE"); !role.empty()) {
    if (role == "worker") {
      options.role = Role::kWorker;
    } else if (role != "driver") {
      refuse("PP_ROLE", role, "driver or worker");
    }
  }
  read_text("PP_LISTEN", options.listen);
  if (!options.listen.empty()) {
    try {
      Address::parse((options.listen.starts_with(':') ? "x" : "") + options.listen);
    } catch (const Error& error) {
      refuse("PP_LISTEN", options.listen, std::string("host:port or :port (") + error.what() + ")");
    }
  }
  try {
    options.peers = Address::parse_list(variable("PP_PEERS"));
  } catch (const Error& error) {
    refuse("PP_PEERS", variable("PP_PEERS"),
           std::string("host:port,host:port,... (") + error.what() + ")");
  }
  read_text("PP_KEY_FILE", options.key_file);
  read_text("PP_HOSTS_FILE", options.hosts_file);
  read_text("PP_FOLDER", options.folder);
  if (const std::string_view dns = variable("PP_DNS"); !dns.empty()) {
    try {
      options.dns = Address::parse(dns);
    } catch (const Error& error) {
      refuse("PP_DNS", dns, std::string("name:port (") + error.what() + ")");
    }
  }
  read_text("PP_DISCOVER", options.discover);
  if (options.discover != "off") {
    try {
      discovery::MulticastOptions::parse(options.discover);
    } catch (const Error& error) {
      refuse("PP_DISCOVER", options.discover,
             std::string("on, off, or settings (") + error.what() + ")");
    }
  }
  read_time("PP_SUSPECT", 50, 3'600'000, options.suspect);
  read_time("PP_DEAD", 100, 3'600'000, options.dead);
  if (options.dead < options.suspect * 2)
    refuse("PP_DEAD", std::to_string(options.dead.count()),
           "milliseconds, at least twice PP_SUSPECT (" + std::to_string(options.suspect.count()) +
               ")");
  read_time("PP_DRAIN", 0, 86'400'000, options.drain);
  read_text("PP_IFACE", options.interface);
  read_text("PP_FABRIC", options.fabric);
  if (const std::string_view memory = variable("PP_SHM"); !memory.empty()) {
    if (memory != "on" && memory != "off") refuse("PP_SHM", memory, "on or off");
    options.shared_memory = memory == "on";
  }
  read_text("PP_NAME", options.name);
  if (options.name.size() > 64) refuse("PP_NAME", options.name, "at most 64 bytes");
  read_text("PP_LAUNCH", options.launch);
  read_number("PP_NODES", 1u, 100'000u, "a number of nodes", options.nodes);
  unsigned seconds = static_cast<unsigned>(options.join_timeout.count() / 1000);
  read_number("PP_JOIN_TIMEOUT", 1u, 86'400u, "seconds", seconds);
  options.join_timeout = std::chrono::seconds(seconds);
  unsigned stalled = static_cast<unsigned>(options.stalled.count() / 1000);
  read_number("PP_STALLED", 0u, 86'400u, "seconds, or 0 for never", stalled);
  options.stalled = std::chrono::seconds(stalled);
  read_number("PP_RETRIES", 0u, 1'000u, "a number of retries", options.retries);
  read_number("PP_QUEUE_LIMIT", std::size_t{1}, std::size_t{1'000'000'000}, "a number of jobs",
              options.queue_limit);
  std::size_t cache = 0;
  if (read_number("PP_CACHE", std::size_t{0}, std::size_t{1} << 40, "MiB", cache))
    options.cache_bytes = cache << 20;
  read_number("PP_SEED", std::uint64_t{0}, UINT64_MAX, "a number", options.seed);
  read_text("PP_JOBLOG", options.joblog);
  if (const std::string_view resume = variable("PP_RESUME"); !resume.empty()) {
    if (resume != "on" && resume != "off") refuse("PP_RESUME", resume, "on or off");
    options.resume = resume == "on";
    if (options.resume && options.joblog.empty() && options.role == Role::kDriver)
      refuse("PP_RESUME", resume, "a job log to resume from as well: PP_JOBLOG=file");
  }
  if (const std::string_view check = variable("PP_CHECK"); !check.empty()) {
    if (check != "on" && check != "off") refuse("PP_CHECK", check, "on or off");
    options.check = check == "on";
  }
  if (const std::string_view slurm = variable("PP_SLURM"); !slurm.empty()) {
    if (slurm != "on" && slurm != "off") refuse("PP_SLURM", slurm, "on or off");
    options.slurm = slurm == "on";
  }
  read_text("PP_SLURM_PORTS", options.slurm_ports);
  runtime::check_slurm_ports(options.slurm_ports);
  read_text("PP_SLURM_FOLDER", options.slurm_folder);
  read_text("PP_HTTP", options.http);
  if (options.http == "on") options.http = ":0";
  if (options.http == "off") options.http.clear();
  if (!options.http.empty()) {
    try {
      Address::parse((options.http.starts_with(':') ? "x" : "") + options.http);
    } catch (const Error& error) {
      refuse("PP_HTTP", options.http,
             std::string("host:port, :port, on or off (") + error.what() + ")");
    }
  }
  if (const std::string_view token = variable("PP_HTTP_TOKEN"); !token.empty()) {
    if (token != "on" && token != "off") {
      refuse("PP_HTTP_TOKEN", token, "on, or off: /metrics, /healthz and /readyz need no token");
    }
    options.http_open = token == "off";
  }
  read_text("PP_TRACE", options.trace);
  read_text("PP_PROGRESS", options.progress);
  if (!runtime::ProgressSetting::parse(options.progress))
    refuse("PP_PROGRESS", options.progress, "auto, on, off, or seconds from 1 to 86400");
  read_number("PP_REPORT_FD", 0, 1'048'576, "a file descriptor", options.report_fd);
  read_number("PP_BLACK_BOX", 0, 1'048'576, "a file descriptor", options.black_box_fd);
  if (options.role == Role::kWorker && !options.opens_network()) {
    throw Error(
        "pp: a worker (PP_ROLE=worker) needs somebody to work for: give it the cluster key "
        "(PP_KEY_FILE), by which nodes of one network find each other; where multicast does not "
        "reach, also name a node in PP_PEERS=host:port");
  }
  return options;
}

}  // namespace pp
