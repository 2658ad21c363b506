// fake-node: says the report lines of a node and does nothing else, or does it wrong, as a script
// tells it.
//
//   fake-node --driver "listen; gather; out hello\n; exit 7" --worker "listen; join; serve"
//
// Nodes meet over plain TCP: a worker connects to the driver and says who it is; the end of the
// connection is the driver's goodbye. With --odd FILE SCRIPT the one worker that manages to create
// FILE follows SCRIPT instead.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void report(const std::string& line) {
  const std::string descriptor = variable("PP_REPORT_FD");
  if (!descriptor.empty()) write_all(std::stoi(descriptor), line + "\n");
}

void say_signal(int signal) {
  const std::string_view text = signal == SIGINT    ? "got INT\n"
                                : signal == SIGTERM ? "got TERM\n"
                                : signal == SIGHUP  ? "got HUP\n"
                                : signal == SIGUSR1 ? "got USR1\n"
                                                    : "got another\n";
  write_all(1, text);
}

std::string read_line(int descriptor) {
  std::string line;
  for (char c = 0; ::read(descriptor, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

class Node {
 public:
  // False when the script is over.
  void follow(std::string_view script) {
    while (!script.empty()) {
      const std::size_t end = std::min(script.find(';'), script.size());
      std::string_view step = script.substr(0, end);
      script.remove_prefix(std::min(end + 1, script.size()));
      while (!step.empty() && step.front() == ' ') step.remove_prefix(1);
      const std::size_t space = step.find(' ');
      obey(step.substr(0, space),
           space == std::string_view::npos ? "" : std::string(step.substr(space + 1)));
    }
  }

 private:
  void obey(std::string_view verb, const std::string& argument) {
    if (verb == "listen") return listen();
    if (verb == "gather") return gather();
    if (verb == "join") return join();
    if (verb == "serve") return serve();
    if (verb == "report") return report(argument);
    if (verb == "out") return write_all(1, unescaped(argument));
    if (verb == "err") return write_all(2, unescaped(argument));
    if (verb == "variable") return write_all(1, argument + "=" + variable(argument.c_str()) + "\n");
    if (verb == "echo") return write_all(1, std::string("read ").append(read_line(0)).append("\n"));
    if (verb == "pid")
      return write_all(1, std::string("my pid ").append(std::to_string(::getpid())).append("\n"));
    if (verb == "key") return key();
    if (verb == "await") return await(argument);
    if (verb == "hang") return hang();
    if (verb == "ignore") return void(std::signal(std::stoi(argument), SIG_IGN));
    if (verb == "trap") return trap(std::stoi(argument));
    if (verb == "stray") return stray();
    if (verb == "exit") ::_exit(std::stoi(argument));
    if (verb == "die") ::kill(::getpid(), std::stoi(argument));
  }

  void listen() {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listening_, 64);
    socklen_t size = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    address_.assign("127.0.0.1:").append(std::to_string(ntohs(address.sin_port)));
    report("listening " + address_);
  }

  void gather() {
    const auto deadline = std::chrono::steady_clock::now() +
                          std::chrono::seconds(std::stoi(variable("PP_JOIN_TIMEOUT")));
    const std::size_t others = std::stoul(variable("PP_NODES")) - 1;
    while (sessions_.size() < others) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      pollfd waiting{listening_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
        report(std::string("missing ").append(std::to_string(others - sessions_.size())));
        ::_exit(3);
      }
      sessions_.push_back(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));
      report("joined 00000000 " + read_line(sessions_.back()) + " fake");
    }
    report("ready");
  }

  void join() {
    const std::string peer = variable("PP_PEERS");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(peer.substr(peer.rfind(':') + 1))));
    sessions_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(sessions_.back(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      report("unreachable " + peer + " " + std::strerror(errno));
      return;
    }
    write_all(sessions_.back(), std::string("fake:").append(std::to_string(::getpid())) + " " +
                                    address_ + " " + variable("PP_WORKERS") + "\n");
    report("joined 00000000 fake:" + std::to_string(::getppid()) + " " + peer + " 1 fake");
    report("ready");
  }

  void serve() {
    char c = 0;
    while (!sessions_.empty() && ::read(sessions_.back(), &c, 1) > 0) {
    }
  }

  // "key 600": it is there, and who may read it.
  static void key() {
    const int file = ::open(variable("PP_KEY_FILE").c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about {};
    if (file < 0 || ::fstat(file, &about) != 0 || read_line(file).empty()) return;
    ::close(file);
    char mode[32];
    std::snprintf(mode, sizeof mode, "key %o\n", about.st_mode & 0777u);
    write_all(1, mode);
  }

  static void await(const std::string& file) {
    struct stat about {};
    while (::stat(file.c_str(), &about) != 0) ::poll(nullptr, 0, 5);
  }

  static void hang() {
    for (;;) ::pause();
  }

  static void trap(int signal) {
    struct sigaction action {};
    action.sa_handler = say_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }

  // A process that nobody waits for, as a careless program leaves behind.
  static void stray() {
    if (::fork() != 0) return;
    if (::fork() != 0) ::_exit(0);
    std::signal(SIGTERM, SIG_IGN);
    hang();
  }

  static std::string unescaped(std::string text) {
    for (std::size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n")) {
      text.replace(at, 2, 1, '\n');
    }
    return text;
  }

  int listening_ = -1;
  std::string address_;
  std::vector<int> sessions_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string driver = "listen; gather";
  std::string worker = "listen; join; serve";
  std::string odd_file, odd;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--driver") driver = argv[++i];
    if (option == "--worker") worker = argv[++i];
    if (option == "--odd") {
      odd_file = argv[++i];
      odd = argv[++i];
    }
  }
  if (variable("PP_ROLE") == "worker" && !odd_file.empty() &&
      ::open(odd_file.c_str(), O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0) {
    worker = odd;
  }
  Node node;
  node.follow(variable("PP_ROLE") == "worker" ? worker : driver);
  return 0;
}
