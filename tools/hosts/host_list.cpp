// HostList: three notations of "so many jobs on that host".
#include "host_list.hpp"

#include <algorithm>
#include <charconv>
#include <pp/error.hpp>

namespace pp::tools {
namespace {

constexpr unsigned kMostWorkers = 1024;  // of a node

[[noreturn]] void refuse(std::string_view entry, std::string_view why) {
  throw Error("host \"" + std::string(entry) + "\": " + std::string(why) +
              "; expected host, host:WORKERS, user@host or WORKERS/user@host");
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

unsigned workers_of(std::string_view entry, std::string_view text) {
  const std::optional<unsigned> value = number(text);
  if (!value || *value == 0 || *value > kMostWorkers) {
    refuse(entry, "\"" + std::string(text) + "\" is no number of workers from 1 to " +
                      std::to_string(kMostWorkers));
  }
  return *value;
}

// ssh reads what begins with a dash as an option, and hands some of the rest to a shell.
void check_target(std::string_view entry, std::string_view target) {
  if (target.empty() || target.back() == '@') refuse(entry, "there is no name");
  if (target.front() == '-') refuse(entry, "a name does not begin with a dash");
  const bool odd = std::any_of(target.begin(), target.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f ||
           std::string_view("'\"`$\\;&<>|(){}*?!#").find(c) != std::string_view::npos;
  });
  if (odd) refuse(entry, "a name has no such characters");
}

HostEntry parse_entry(std::string_view entry) {
  HostEntry host;
  std::string_view rest = entry;
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    host.workers = workers_of(entry, rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
  }
  std::string user;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    user = rest.substr(0, at + 1);
    rest.remove_prefix(at + 1);
  }
  std::string_view behind;  // what follows the name, its colon included
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) refuse(entry, "there is no ] behind the address");
    behind = rest.substr(end + 1);
    rest = rest.substr(1, end - 1);
  } else if (std::count(rest.begin(), rest.end(), ':') == 1) {  // more: an IPv6 address
    behind = rest.substr(rest.find(':'));
    rest = rest.substr(0, rest.find(':'));
  }
  if (!behind.empty()) {
    if (behind.front() != ':') refuse(entry, "what follows the address is no :WORKERS");
    if (host.workers) refuse(entry, "it has two numbers of workers");
    host.workers = workers_of(entry, behind.substr(1));
  }
  if (rest.empty()) refuse(entry, "there is no name");
  host.target = user + std::string(rest);
  check_target(entry, host.target);
  return host;
}

std::string_view next_word(std::string_view& line) {
  constexpr std::string_view kBlank = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

std::optional<HostEntry> parse_line(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::string_view entry = next_word(line);
  if (entry.empty()) return std::nullopt;
  HostEntry host = parse_entry(entry);
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (word.starts_with("slots=")) {
      if (host.workers) refuse(entry, "it has two numbers of workers");
      host.workers = workers_of(entry, word.substr(6));
    } else if (!word.starts_with("max_slots=") && !word.starts_with("max-slots=")) {
      refuse(entry, "\"" + std::string(word) + "\" behind it is not slots=WORKERS");
    }
  }
  return host;
}

}  // namespace

std::string HostEntry::name() const { return target.substr(target.rfind('@') + 1); }

std::vector<HostEntry> parse_hosts(std::string_view text) {
  std::vector<HostEntry> hosts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string_view rest = text.substr(begin, end - begin);
    const std::string_view entry = next_word(rest);
    if (!next_word(rest).empty())
      refuse(text.substr(begin, end - begin), "between two hosts there is a comma");
    if (!entry.empty()) hosts.push_back(parse_entry(entry));
    begin = end + 1;
  }
  if (hosts.empty()) refuse(text, "no host is named");
  return hosts;
}

std::vector<HostEntry> parse_hostfile(std::string_view text, std::string_view file) {
  std::vector<HostEntry> hosts;
  std::size_t number_of_line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    ++number_of_line;
    try {
      if (auto host = parse_line(text.substr(begin, end - begin))) hosts.push_back(*host);
    } catch (const Error& error) {
      throw Error(std::string(file) + ":" + std::to_string(number_of_line) + ": " + error.what() +
                  ", or host slots=WORKERS");
    }
    begin = end + 1;
  }
  return hosts;
}

}  // namespace pp::tools
