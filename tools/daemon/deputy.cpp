// Deputy: the thin shell around an errand.
#include "deputy.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <pp/cluster_key.hpp>
#include <pp/error.hpp>
#include <pp/transport.hpp>
#include <string_view>

#include "daemon_network.hpp"
#include "descriptor.hpp"
#include "errand.hpp"
#include "program_cache.hpp"
#include "report_line.hpp"
#include "signals.hpp"

extern char** environ;

namespace pp::tools {
namespace {

using daemon::Errand;
using daemon::Message;
using transport::Clock;
using transport::SessionId;

constexpr std::size_t kFixedArguments = 8;  // argv[0], the mark, six words
// Of the program on its way: a few frames, so that our memory holds little of it.
constexpr std::size_t kBacklog = std::size_t{2} << 20;
// A daemon that does not answer is dialled again until the launch gives up.
constexpr std::chrono::milliseconds kDialAgain{250};
constexpr int kMostDials = 8;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A queue in front of one of our descriptors, which is a pipe of pp-launch's.
struct Sink {
  explicit Sink(int number) : descriptor(number) {}
  int descriptor;
  std::string text;
  bool gone = false;
  bool watched = false;
};

class Deputy final : transport::Handler, Errand::Hands {
 public:
  explicit Deputy(DeputyPlan plan)
      : plan_(std::move(plan)),
        address_(Address::parse(plan_.daemon)),
        program_(::open(plan_.file.c_str(), O_RDONLY | O_CLOEXEC)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        errand_(*this, what_to_open()) {
    const std::string report = variable("PP_REPORT_FD");
    if (!report.empty()) report_ = std::atoi(report.c_str());
    epoll_event event{};
    event.events = EPOLLIN;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.descriptor(), &event);
    const bool loopback =
        address_.host == "localhost" || address_.host.starts_with("127.") || address_.host == "::1";
    transport_ = daemon::open_daemon_network(ClusterKey::load(plan_.key_file),
                                             {.node = NodeId::random(),
                                              .name = {},
                                              .workers = 0,
                                              .launcher = true,
                                              .listen = loopback ? "127.0.0.1:0" : ":0",
                                              .interface = {}});
    transport_->watch(epoll_.get());
  }

  int run() {
    dial();
    while (!finished()) {
      now_ = Clock::now();
      transport_->poll(now_, *this);
      while (const std::optional<Signal> signal = signals_.take()) handle(*signal);
      if (dial_at_ && now_ >= *dial_at_) dial();
      send_program();
      for (Sink* sink : {&out_, &err_}) write_some(*sink);
      news_ = false;
      transport_->poll(now_, *this);
      if (!news_ && !finished()) transport_->wait(next_due());
    }
    return end();
  }

 private:
  bool finished() const { return errand_.over() && settled(out_) && settled(err_); }
  static bool settled(const Sink& sink) { return sink.text.empty() || sink.gone; }

  transport::Time next_due() const {
    // While the program goes out the transport says when there is room for more.
    transport::Time due = dial_at_.value_or(transport::Time::max());
    if (errand_.wants_piece()) due = std::min(due, now_ + std::chrono::milliseconds(5));
    return due;
  }

  daemon::Open what_to_open() {
    if (!program_.open()) throw Error(plan_.file + ": " + std::strerror(errno));
    daemon::Open open;
    open.launch = variable("PP_LAUNCH");
    open.driver = variable("PP_PEERS");
    if (!plan_.here.empty())
      open.driver = Address{plan_.here, Address::parse(open.driver).port}.to_string();
    open.program = plan_.command.front();
    open.arguments.assign(plan_.command.begin() + 1, plan_.command.end());
    const auto hash = daemon::hash_of(program_.get(), open.size);
    if (!hash) throw Error(plan_.file + ": " + std::strerror(errno));
    open.hash = *hash;
    // A script runs everywhere.
    char magic[4] = {};
    if (::pread(program_.get(), magic, sizeof magic, 0) == sizeof magic &&
        std::memcmp(magic, "\177ELF", sizeof magic) == 0) {
      utsname about{};
      ::uname(&about);
      open.machine = about.machine;
    }
    for (char** text = environ; *text != nullptr; ++text) {
      // What the launch says of the worker is said by the daemon there; what says how this machine
      // is to be used is not for another one.
      constexpr std::string_view kOurs[] = {
          "PP_ROLE=",    "PP_LISTEN=", "PP_KEY_FILE=",   "PP_PEERS=",
          "PP_WORKERS=", "PP_LAUNCH=", "PP_REPORT_FD=",  "PP_BLACK_BOX=",
          "PP_IFACE=",   "PP_NAME=",   "PP_HOSTS_FILE=", "PP_FOLDER="};
      const std::string_view one = *text;
      if (!one.starts_with("PP_")) continue;
      if (std::none_of(std::begin(kOurs), std::end(kOurs),
                       [one](std::string_view ours) { return one.starts_with(ours); }))
        open.environment.emplace_back(one);
    }
    std::ifstream key(variable("PP_KEY_FILE"), std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(key), {}};
    const auto bytes = std::as_bytes(std::span(content));
    open.key.assign(bytes.begin(), bytes.end());
    open.workers = plan_.workers;
    return open;
  }

  void dial() {
    dial_at_.reset();
    ++dials_;
    transport_->dial(address_);
  }

  // ---- from the transport

  void on_up(SessionId session, const transport::Peer& peer) override {
    if (session_ || peer.introduction.driver) return;
    session_ = session;
    errand_.begin();
  }
  void on_message(SessionId, std::span<const std::byte> bytes) override {
    news_ = true;
    try {
      errand_.take(daemon::decode(bytes));
    } catch (const Error& error) {
      errand_.lost(error.what());
    }
  }
  void on_word(SessionId, std::span<const std::byte>) override {}
  void on_down(SessionId session, transport::DownReason reason, std::string_view why) override {
    if (session != session_) return;
    errand_.lost("the session with it has ended (" + std::string(to_string(reason)) + ": " +
                 printable(why) + ")");
  }
  void on_dial_failed(const Address&, transport::DialFailure, std::string_view why) override {
    if (session_) return;
    if (report_ >= 0) report("unreachable " + plan_.daemon + " " + printable(why));
    if (dials_ >= kMostDials) return errand_.lost("it cannot be reached: " + printable(why));
    dial_at_ = now_ + kDialAgain;
  }
  void on_refused(const transport::Refusal& refusal) override {
    if (!session_) errand_.lost(printable(refusal.sentence));
  }

  // ---- for the errand

  void say(const Message& message) override {
    if (session_) transport_->send(*session_, daemon::encode(message));
  }
  void write(bool error, const std::string& bytes) override {
    Sink& sink = error ? err_ : out_;
    if (sink.gone) {
      errand_.written(bytes.size());
    } else {
      sink.text += bytes;
    }
  }
  void report(const std::string& line) override {
    if (report_ < 0) return;
    const std::string whole = line + '\n';
    [[maybe_unused]] const ssize_t written = ::write(report_, whole.data(), whole.size());
  }
  void tell(const std::string& sentence) override {
    err_.text += "pp-launch: " + plan_.name + ": " + sentence + '\n';
    told_ += std::string("pp-launch: ").size() + plan_.name.size() + sentence.size() + 3;
  }

  // ----

  void send_program() {
    std::vector<std::byte> piece(daemon::kMaxPiece / 2);
    while (errand_.wants_piece() && transport_->backlog(*session_) < kBacklog) {
      const ssize_t got =
          ::pread(program_.get(), piece.data(), piece.size(), static_cast<off_t>(errand_.sent()));
      if (got <= 0) return errand_.lost(plan_.file + " has become shorter while it was sent");
      errand_.piece(std::span(piece).first(static_cast<std::size_t>(got)));
      transport_->poll(now_, *this);
    }
  }

  // As much as the pipe takes; pp-launch reads it when its own reader does.
  void write_some(Sink& sink) {
    while (!settled(sink)) {
      pollfd writable{sink.descriptor, POLLOUT, 0};
      if (::poll(&writable, 1, 0) <= 0) break;
      const std::size_t part = std::min<std::size_t>(sink.text.size(), PIPE_BUF);
      const ssize_t count = ::write(sink.descriptor, sink.text.data(), part);
      if (count < 0 && errno != EAGAIN && errno != EINTR) {
        errand_.written(sink.text.size());
        sink.text.clear();
        sink.gone = true;
        break;
      }
      if (count <= 0) break;
      sink.text.erase(0, static_cast<std::size_t>(count));
      // Our own sentences are nothing that the daemon sent.
      const std::uint64_t ours =
          &sink == &err_ ? std::min<std::uint64_t>(told_, static_cast<std::uint64_t>(count)) : 0;
      told_ -= ours;
      errand_.written(static_cast<std::uint64_t>(count) - ours);
    }
    const bool wanted = !settled(sink);
    if (wanted == sink.watched) return;
    sink.watched = wanted;
    epoll_event event{};
    event.events = EPOLLOUT;
    ::epoll_ctl(epoll_.get(), wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, sink.descriptor, &event);
  }

  void handle(const Signal& signal) {
    switch (signal.number) {
      case SIGCHLD:
      case SIGHUP:
        return;
      case SIGTSTP:
        return errand_.signal(SIGSTOP);
      case SIGTERM:
      case SIGINT:
      case SIGQUIT:
        if (!session_) return errand_.lost("it was not reached yet");
        return errand_.signal(SIGTERM);
      default:
        return errand_.signal(signal.number);
    }
  }

  // As the worker has ended, so that pp-launch tells it as of a process of its own.
  int end() {
    if (!errand_.why().empty()) {
      const std::string sentence = plan_.name + " (" + plan_.daemon + "): " + errand_.why();
      report("error ppd " + sentence);
      std::string line = "pp-launch: ppd " + sentence + '\n';
      [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
      return 1;
    }
    const ExitStatus status = errand_.status().value_or(ExitStatus{1});
    if (session_) {
      transport_->hang_up(*session_, "it is over");
      transport_->poll(Clock::now(), *this);
    }
    if (status.signal == 0) return status.code;
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);  // the core, if there is one, lies there
    std::signal(status.signal, SIG_DFL);
    sigset_t all;
    sigemptyset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    ::raise(status.signal);
    return 128 + status.signal;
  }

  const DeputyPlan plan_;
  const Address address_;
  const Descriptor program_;
  const Descriptor epoll_;
  Signals signals_;
  Errand errand_;
  int report_ = -1;
  Sink out_{STDOUT_FILENO}, err_{STDERR_FILENO};
  std::uint64_t told_ = 0;  // bytes in err_ that are ours
  std::unique_ptr<transport::Transport> transport_;
  transport::Time now_ = Clock::now();
  bool news_ = false;  // came with the last poll: there is more to do before we wait
  std::optional<transport::Time> dial_at_;
  int dials_ = 0;
  std::optional<SessionId> session_;
};

}  // namespace

std::vector<std::string> deputy_arguments(const DeputyPlan& plan) {
  std::vector<std::string> words{
      "pp-launch",   kDeputyMark, plan.daemon, plan.name,
      plan.key_file, plan.file,   plan.here,   std::to_string(plan.workers)};
  words.insert(words.end(), plan.command.begin(), plan.command.end());
  return words;
}

int run_deputy(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  try {
    if (words.size() <= kFixedArguments || words[1] != kDeputyMark)
      throw Error(std::string(kDeputyMark) + " is for pp-launch's own use");
    DeputyPlan plan{words[2],
                    words[3],
                    words[4],
                    words[5],
                    words[6],
                    static_cast<unsigned>(std::stoul(words[7])),
                    {words.begin() + kFixedArguments, words.end()}};
    return Deputy(std::move(plan)).run();
  } catch (const std::exception& error) {
    const std::string line = std::string("pp-launch: ") + error.what() + '\n';
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    return 1;
  }
}

}  // namespace pp::tools
