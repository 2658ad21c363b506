// HostsFile: looks at the file every 2 s, and reads it line by line when it is not as it was.
//
// It is looked at, not watched: such files lie on network file systems, where inotify hears nothing
// of what other hosts write.
#include <arpa/inet.h>
#include <fcntl.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <pp/error.hpp>
#include <pp/hosts_file.hpp>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "file.hpp"

namespace pp::discovery {
namespace {

constexpr std::chrono::seconds kPause{2};
constexpr std::size_t kLongestQuote = 60;
constexpr char kBlank[] = " \t\r\v\f";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  return text.substr(0, text.find_last_not_of(kBlank) + 1);
}

// Takes the first word off.
std::string_view next_word(std::string_view& text) {
  text = trimmed(text);
  const std::string_view word = text.substr(0, text.find_first_of(kBlank));
  text.remove_prefix(word.size());
  return word;
}

bool is_ipv6(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &ignored) == 1;
}

// "node3", "node3:7400", "fd00::3", "[fd00::3]", "[fd00::3]:7400".
std::optional<Address> address_in(std::string_view word, std::uint16_t default_port) {
  std::string text(word);
  const bool bare_ipv6 = !word.starts_with('[') && std::count(word.begin(), word.end(), ':') > 1;
  if (bare_ipv6) text = '[' + text + ']';
  if (text.ends_with(']') || text.find(':') == std::string::npos)
    text += ':' + std::to_string(default_port);
  try {
    Address address = Address::parse(text);
    if (address.port == 0 || (text.starts_with('[') && !is_ipv6(address.host))) return {};
    return address;
  } catch (const Error&) {  // its text speaks of addresses, ours of lines
    return {};
  }
}

// A line without comment that is not blank.
std::optional<Address> host_in(std::string_view line, std::uint16_t default_port) {
  std::string_view word = next_word(line);
  while (!trimmed(line).empty()) {
    if (next_word(line).find('=') == std::string_view::npos) return {};  // a second host, or prose
  }
  const std::size_t slots = word.find_first_not_of("0123456789");
  if (slots != 0 && slots != std::string_view::npos && word[slots] == '/')
    word.remove_prefix(slots + 1);
  if (const std::size_t user = word.find('@'); user != std::string_view::npos && user != 0)
    word.remove_prefix(user + 1);
  return address_in(word, default_port);
}

std::string quoted(std::string_view line) {
  std::string shown = "'";
  for (const char c : line.substr(0, kLongestQuote)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (line.size() > kLongestQuote ? "...'" : "'");
}

}  // namespace

struct HostsFile::State {
  State(std::filesystem::path path, std::uint16_t port)
      : file(std::move(path)), default_port(port) {}

  void look(Listener& listener);
  void read(File& opened, Listener& listener);
  bool tell(std::string_view lines, std::size_t number, Listener& listener);
  void unreadable(const std::string& why, Listener& listener);

  const std::filesystem::path file;
  const std::uint16_t default_port;
  Time next_look = Time::min();
  std::optional<Stamp> known;  // what was read; empty: nothing yet
  bool half_line = false;      // it ends in a line without an end, which is not told yet
  std::set<Address> told;      // addresses of what was read, and of what was read before it
  std::set<Address> told_before;
  std::string trouble;  // noticed last; empty while the file can be read
};

void HostsFile::State::look(Listener& listener) {
  std::error_code why;
  std::optional<File> opened = File::open(AT_FDCWD, file.c_str(), File::Links::kFollow, why);
  if (!opened) return unreadable(why.message(), listener);
  if (!opened->regular()) return unreadable("it is not a regular file", listener);
  if (known != opened->stamp() || half_line) return read(*opened, listener);
  trouble.clear();
}

void HostsFile::State::read(File& opened, Listener& listener) {
  std::error_code why;
  const std::optional<std::string> text = opened.read(kMostBytes + 1, why);
  if (!text) return unreadable(why.message(), listener);
  trouble.clear();
  const std::string_view taken = std::string_view(*text).substr(0, kMostBytes);
  const std::string_view lines = taken.substr(0, taken.rfind('\n') + 1);
  const std::string_view rest = taken.substr(lines.size());
  if (std::exchange(half_line, false) && known == opened.stamp()) {
    const auto before = static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
    tell(rest, before + 1, listener);
    return;
  }
  known = opened.stamp();
  told_before = std::exchange(told, {});
  const bool all = tell(lines, 1, listener);
  if (text->size() > kMostBytes) {
    listener.noticed(file.string() + ": only the first " + std::to_string(kMostBytes >> 20) +
                     " MiB are read; expected one host per line");
  } else {
    half_line = all && !rest.empty();
  }
}

// The first of these lines has that number. False: there were more than are read.
bool HostsFile::State::tell(std::string_view lines, std::size_t number, Listener& listener) {
  std::string complaint;
  std::size_t more = 0;
  for (; !lines.empty() && number <= kMostLines; ++number) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const std::string_view words = trimmed(line.substr(0, line.find('#')));
    if (words.empty()) continue;
    const std::optional<Address> address = host_in(words, default_port);
    if (address) {
      if (told.insert(*address).second && !told_before.contains(*address))
        listener.sighted({{*address}, {}, true, false});
    } else if (complaint.empty()) {
      complaint = file.string() + ':' + std::to_string(number) + ": " + quoted(words) +
                  " names no host; expected host, host:port, 10.0.0.7, fd00::7 or [fd00::7]:port, "
                  "one per line";
    } else {
      ++more;
    }
  }
  if (more != 0) {
    complaint += " (" + std::to_string(more) +
                 (more == 1 ? " more line is wrong)" : " more lines are wrong)");
  }
  if (!complaint.empty()) listener.noticed(complaint);
  if (lines.empty()) return true;
  listener.noticed(file.string() + ": only the first " + std::to_string(kMostLines) +
                   " lines are read; one host that answers is enough to meet all");
  return false;
}

void HostsFile::State::unreadable(const std::string& why, Listener& listener) {
  if (std::exchange(trouble, why) == why) return;
  listener.noticed("hosts file " + file.string() + ": cannot be read: " + why +
                   "; expected a text file with one host per line; it is looked for again every " +
                   std::to_string(kPause.count()) + " s");
}

HostsFile::HostsFile(std::filesystem::path file, std::uint16_t default_port)
    : state_(std::make_unique<State>(std::move(file), default_port)) {
  assert(default_port != 0);
}

HostsFile::~HostsFile() = default;

void HostsFile::poll(Time now, Listener& listener) {
  if (now < state_->next_look) return;
  state_->next_look = now + kPause;
  state_->look(listener);
}

Time HostsFile::next_due(Time now) const { return std::max(now, state_->next_look); }

}  // namespace pp::discovery
