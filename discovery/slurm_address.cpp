// slurm_address: a question to the resolver and, if that fails, to a program.
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <pp/slurm_address.hpp>

namespace pp::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{5};
constexpr std::size_t kMostPrinted = 16'384;  // one node's description is 1 KiB
constexpr std::size_t kLongestAddress = 255;

bool found_by_the_system(const std::string& host) {
  addrinfo* list = nullptr;
  const bool found = ::getaddrinfo(host.c_str(), nullptr, nullptr, &list) == 0;
  if (found) ::freeaddrinfo(list);
  return found;
}

// What it prints until its end, or until it has taken too long.
std::string printed_by(pid_t& child, int output) {
  std::string text;
  const auto until = steady_clock::now() + kPatience;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    pollfd waits{output, POLLIN, 0};
    const int ready = left.count() > 0 ? ::poll(&waits, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    char part[4096];
    const ssize_t got = ready > 0 ? ::read(output, part, sizeof part) : -1;
    if (got <= 0 || text.size() > kMostPrinted) break;
    text.append(part, static_cast<std::size_t>(got));
  }
  ::kill(child, SIGKILL);  // ours until it is waited for: if it has ended, nobody is hit
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return text;
}

std::string ask_scontrol(std::string host) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string words[] = {"scontrol", "--oneliner", "show", "node", std::move(host)};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(),
                       words[3].data(), words[4].data(), nullptr};
  pid_t child = -1;
  const int fault = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text = fault == 0 ? printed_by(child, ends[0]) : std::string();
  ::close(ends[0]);
  return text;
}

}  // namespace

std::optional<std::string> node_address_in(std::string_view text) {
  constexpr std::string_view kKey = "NodeAddr=";
  const std::size_t key = text.find(kKey);
  if (key == std::string_view::npos) return std::nullopt;
  text.remove_prefix(key + kKey.size());
  text = text.substr(0, text.find_first_of(" \t\n"));
  const auto fit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == ':' || c == '-' || c == '_';
  };
  if (text.empty() || text.size() > kLongestAddress || !std::all_of(text.begin(), text.end(), fit))
    return std::nullopt;
  return std::string(text);
}

std::optional<std::string> slurm_address(const std::string& host) {
  if (host.starts_with('-') || found_by_the_system(host)) return std::nullopt;
  std::optional<std::string> address = node_address_in(ask_scontrol(host));
  return address == host ? std::nullopt : address;
}

}  // namespace pp::discovery
