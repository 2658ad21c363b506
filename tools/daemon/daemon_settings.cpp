// The table of settings: how each is read and shown.
#include "daemon_settings.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <numeric>
#include <pp/error.hpp>
#include <pp/multicast.hpp>
#include <span>
#include <utility>

namespace pp::tools::daemon {
namespace {

constexpr std::uint64_t kLeastMemory = std::uint64_t{64} << 20;

[[noreturn]] void expected(std::string_view value, const std::string& what) {
  throw Error("'" + std::string(value.substr(0, 200)) + "': expected " + what);
}

template <class Number>
Number number(std::string_view text, Number least, Number most, const char* unit) {
  Number value{};
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    expected(text,
             std::string(unit) + " from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

struct Unit {
  std::string_view name;
  unsigned shift;
};
constexpr Unit kUnits[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10},
                           {"T", 40},   {"G", 30},   {"M", 20},   {"K", 10}};

// "512MiB", "2G", "1000": bytes.
std::uint64_t bytes(std::string_view text) {
  const char* what = "bytes, as in 512MiB, 2GiB or 0";
  std::string_view digits = text;
  unsigned shift = 0;
  for (const Unit& unit : kUnits) {
    if (!digits.ends_with(unit.name)) continue;
    digits.remove_suffix(unit.name.size());
    shift = unit.shift;
    break;
  }
  while (digits.ends_with(' ')) digits.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc{} || end != digits.data() + digits.size() ||
      value > (std::numeric_limits<std::uint64_t>::max() >> 1 >> shift)) {
    expected(text, what);
  }
  return value << shift;
}

std::string show_bytes(std::uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes != 0 && bytes % (std::uint64_t{1} << unit.shift) == 0)
      return std::to_string(bytes >> unit.shift) + std::string(unit.name);
  }
  return std::to_string(bytes);
}

std::chrono::seconds seconds(std::string_view text) {
  return std::chrono::seconds(number<long>(text, 0, 31'536'000, "seconds"));
}

// host:port or :port.
void check_listen(std::string_view text) {
  try {
    Address::parse((text.starts_with(':') ? "x" : "") + std::string(text));
  } catch (const Error&) {
    expected(text, "host:port, or :port");
  }
}

void check_discover(std::string_view text) {
  if (text == "off") return;
  try {
    discovery::MulticastOptions::parse(text);
  } catch (const Error& error) {
    expected(text, std::string("on, off, or settings (") + error.what() + ")");
  }
}

template <class Value>
Value one_of(std::string_view text, std::span<const std::pair<std::string_view, Value>> names) {
  std::string all;
  for (const auto& [name, value] : names) {
    if (name == text) return value;
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  expected(text, "one of " + all);
}

template <class Value>
std::string name_of(Value value, std::span<const std::pair<std::string_view, Value>> names) {
  for (const auto& [name, named] : names) {
    if (named == value) return std::string(name);
  }
  return {};
}

constexpr std::pair<std::string_view, LogLevel> kLevels[] = {{"error", LogLevel::kError},
                                                             {"warning", LogLevel::kWarning},
                                                             {"info", LogLevel::kInfo},
                                                             {"debug", LogLevel::kDebug}};
constexpr std::pair<std::string_view, LogFormat> kFormats[] = {
    {"plain", LogFormat::kPlain}, {"journal", LogFormat::kJournal}, {"json", LogFormat::kJson}};

using S = DaemonSettings;
using Text = std::string_view;

Setting path(const char* name, const char* value, const char* help,
             std::filesystem::path S::*member) {
  return {name, value, help, [member](S& s, Text text) { s.*member = text; },
          [member](const S& s) { return (s.*member).string(); }};
}

Setting size(const char* name, const char* help, std::uint64_t S::*member) {
  return {name, "SIZE", help, [member](S& s, Text text) { s.*member = bytes(text); },
          [member](const S& s) { return show_bytes(s.*member); }};
}

Setting time(const char* name, const char* help, std::chrono::seconds S::*member) {
  return {name, "SECONDS", help, [member](S& s, Text text) { s.*member = seconds(text); },
          [member](const S& s) { return std::to_string((s.*member).count()); }};
}

Setting count(const char* name, const char* help, unsigned least, unsigned most, const char* unit,
              unsigned S::*member) {
  return {name, "N", help, [=](S& s, Text text) { s.*member = number(text, least, most, unit); },
          [member](const S& s) { return std::to_string(s.*member); }};
}

Setting words(const char* name, const char* value, const char* help, std::string S::*member,
              void (*check)(Text)) {
  return {name, value, help,
          [=](S& s, Text text) {
            check(text);
            s.*member = text;
          },
          [member](const S& s) { return s.*member; }};
}

std::string show(const std::vector<Address>& addresses) {
  std::string all;
  for (const Address& address : addresses) all += (all.empty() ? "" : ",") + address.to_string();
  return all;
}

std::vector<Setting> make_table() {
  return {
      path("key-file", "FILE",
           "The daemons' key (pp-keygen makes one); who holds it may run programs here",
           &S::key_file),
      words("listen", "HOST:PORT", "Where launchers reach it; without HOST on every real interface",
            &S::listen, check_listen),
      words("interface", "NAME", "The network interface to use, its own and its workers'",
            &S::interface, [](Text) {}),
      words("discover", "HOW", "Multicast: on, off, or group=...,port=...,interfaces=...,ttl=...",
            &S::discover, check_discover),
      {"peers", "HOST:PORT,...", "Other daemons, to be told of where multicast does not reach",
       [](S& s, Text text) { s.peers = Address::parse_list(text); },
       [](const S& s) { return show(s.peers); }},
      words("name", "NAME", "What launchers are shown (default: the host's name)", &S::name,
            [](Text text) {
              if (text.size() > 64) expected(text, "at most 64 bytes");
            }),
      count("workers", "Jobs run at a time, by all launches together (0: the usable cores)", 0,
            1024, "a number of workers", &S::workers),
      count("leases", "Launches served at a time; they share the workers fairly", 1, 1024,
            "a number of leases", &S::leases),
      size("memory", "What each process of a launch may use (0: no limit)", &S::memory),
      path("cache", "FOLDER", "Where programs are kept (default: the user's cache folder)",
           &S::cache),
      size("cache-size", "At most so much of them; what was not used for the longest time goes",
           &S::cache_size),
      size("max-program", "The largest program that is taken", &S::max_program),
      path("workdir", "FOLDER", "Where workers run (default: an empty folder for each launch)",
           &S::workdir),
      path("pid-file", "FILE", "Holds the process id while it runs", &S::pid_file),
      time("idle-exit", "Ends by itself after so long without a launch (0: never)", &S::idle_exit),
      time("longest-lease", "Ends a launch's workers after so long (0: never)", &S::longest_lease),
      time("drain", "How long workers may go on when they are asked to leave", &S::drain),
      time("silence", "A launcher that says nothing for so long is taken for gone (at least 3)",
           &S::silence),
      {"log-level", "LEVEL", "error, warning, info or debug",
       [](S& s, Text text) { s.log_level = one_of<LogLevel>(text, kLevels); },
       [](const S& s) { return name_of<LogLevel>(s.log_level, kLevels); }},
      {"log-format", "FORM", "plain (with the time), journal (for systemd) or json",
       [](S& s, Text text) { s.log_format = one_of<LogFormat>(text, kFormats); },
       [](const S& s) { return name_of<LogFormat>(s.log_format, kFormats); }},
  };
}

// Letters to change, add or take away (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t corner = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = corner + (a[i] == b[j] ? 0 : 1);
      corner = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> table = make_table();
  return table;
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : all_settings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

std::string nearest_setting(std::string_view name) {
  std::string nearest;
  std::size_t least = 4;
  for (const Setting& setting : all_settings()) {
    const std::size_t far = distance(name, setting.name);
    if (far >= least) continue;
    least = far;
    nearest = setting.name;
  }
  return nearest;
}

void check(const DaemonSettings& settings) {
  if (settings.key_file.empty()) {
    throw Error(
        "no key is named: who holds the daemons' key may run programs here, and nobody else; make "
        "one with pp-keygen FILE and name it with --key-file FILE (or key-file in the file)");
  }
  if (settings.memory != 0 && settings.memory < kLeastMemory)
    throw Error("memory: expected 0 or at least 64MiB, which a worker needs for itself");
  if (settings.silence < std::chrono::seconds(3))
    throw Error("silence: expected at least 3 seconds");
}

}  // namespace pp::tools::daemon
