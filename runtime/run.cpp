// pp::run: a program's main, in a driver and in a worker.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <pp/runtime.hpp>
#include <string>
#include <string_view>
#include <thread>

#include "executor.hpp"
#include "log.hpp"
#include "node.hpp"

namespace pp {

namespace {

constexpr int kFailed = 1;
constexpr int kMissing = 3;

// After the runtime, whatever happened.
struct ThreadsEnd {
  ~ThreadsEnd() { runtime::Executor::end_threads(); }
};

// A worker has no reason to wait for jobs whose owner is gone: it ends the process if they have not
// ended within this time.
class Deadline {
 public:
  explicit Deadline(std::chrono::seconds limit)
      : watcher_([this, limit] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, limit, [this] { return met_; })) std::_Exit(0);
        }) {}
  ~Deadline() {
    {
      const std::lock_guard lock(mutex_);
      met_ = true;
    }
    changed_.notify_one();
    watcher_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool met_ = false;
  std::thread watcher_;  // last: it uses the others
};

constexpr std::chrono::seconds kVoidJobs{3};

// While it lives, the first SIGTERM rings instead of ending the process; a second one ends it as
// usual. Made before the node: whoever sees that join may send one at once.
class LeaveBell {
 public:
  LeaveBell() : bell_(eventfd(0, EFD_CLOEXEC)) {
    if (bell_ < 0) return;
    bell_of_handler.store(bell_);
    struct sigaction action {};
    action.sa_handler = [](int) { ring(bell_of_handler.load()); };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGTERM, &action, &before_);
  }
  ~LeaveBell() {
    if (bell_ < 0) return;
    sigaction(SIGTERM, &before_, nullptr);
    close(bell_);
  }
  LeaveBell(const LeaveBell&) = delete;
  LeaveBell& operator=(const LeaveBell&) = delete;

  // Blocks until it has rung, now or before; at once if there is none.
  void wait() const {
    std::uint64_t rings = 0;
    while (bell_ >= 0 && read(bell_, &rings, sizeof rings) < 0 && errno == EINTR) {
    }
  }
  void ring() const { ring(bell_); }
  bool hangs() const { return bell_ >= 0; }

 private:
  // In a signal's handler too.
  static void ring(int bell) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = write(bell, &one, sizeof one);
  }
  // Sequentially consistent: read by the handler, which may run in any thread after it was set.
  static inline std::atomic<int> bell_of_handler{-1};

  const int bell_;
  struct sigaction before_ {};
};

// While it lives, the bell asks a worker to leave in order.
class LeaveOnBell {
 public:
  LeaveOnBell(const LeaveBell& bell, runtime::Courier& courier, std::chrono::milliseconds limit)
      : bell_(bell) {
    if (!bell.hangs()) return;
    watcher_ = std::thread([this, &courier, limit] {
      bell_.wait();
      if (!ending_.load()) courier.begin_drain(limit);
    });
  }
  ~LeaveOnBell() {
    if (!watcher_.joinable()) return;
    ending_.store(true);
    bell_.ring();
    watcher_.join();
  }
  LeaveOnBell(const LeaveOnBell&) = delete;
  LeaveOnBell& operator=(const LeaveOnBell&) = delete;

 private:
  const LeaveBell& bell_;
  // Sequentially consistent: set before the bell is rung for the last time.
  std::atomic<bool> ending_{false};
  std::thread watcher_;
};

// While it lives, SIGUSR1 makes the node print what it is doing, if there is one by then. Made
// before the node: the signal would end the process otherwise.
class StateOnSignal {
 public:
  StateOnSignal() {
    struct sigaction action {};
    action.sa_handler = [](int) {
      const int kept = errno;
      if (runtime::Sentinel* sentinel = sentinel_of_handler.load()) sentinel->ring();
      errno = kept;
    };
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, &before_);
  }
  ~StateOnSignal() { sigaction(SIGUSR1, &before_, nullptr); }
  StateOnSignal(const StateOnSignal&) = delete;
  StateOnSignal& operator=(const StateOnSignal&) = delete;

  // The node that is to be asked.
  class Of {
   public:
    explicit Of(runtime::Node& node) { sentinel_of_handler.store(&node.sentinel()); }
    ~Of() { sentinel_of_handler.store(nullptr); }
    Of(const Of&) = delete;
    Of& operator=(const Of&) = delete;
  };

 private:
  // Sequentially consistent: read by the handler, which may run in any thread after it was set.
  static inline std::atomic<runtime::Sentinel*> sentinel_of_handler{nullptr};
  struct sigaction before_ {};
};

int serve(const Options& options) {
  const LeaveBell bell;
  std::optional<Deadline> deadline;
  auto node = std::make_unique<runtime::Node>(options);
  if (node->courier() == nullptr) throw Error("pp: a worker without a network serves nobody");
  runtime::Courier& courier = *node->courier();
  runtime::Node& whole = *node;
  Runtime rt(std::move(node));
  const StateOnSignal::Of state(whole);
  const LeaveOnBell leave(bell, courier, options.drain);
  rt.serve();
  deadline.emplace(kVoidJobs);  // met when the runtime has ended: it is destroyed first
  return 0;
}

int drive(Runtime& rt, const Options& options, runtime::Log& log,
          const std::function<int(Runtime&)>& body) {
  if (!rt.wait_for_nodes(options.nodes, options.join_timeout)) {
    const std::size_t there = rt.nodes().size() + 1;
    log.report("missing " + std::to_string(options.nodes - there));
    log.warn("only " + std::to_string(there) + " of " + std::to_string(options.nodes) +
             " nodes were there within " + std::to_string(options.join_timeout.count() / 1000) +
             " s (PP_JOIN_TIMEOUT)");
    return kMissing;
  }
  log.report("ready");
  return body(rt);
}

// The descriptor behind a key file that is one ("/proc/self/fd/7"), as pp-launch makes it; else -1.
int inherited_key(const std::string& file) {
  constexpr std::string_view kFolder = "/proc/self/fd/";
  if (!file.starts_with(kFolder)) return -1;
  int descriptor = -1;
  std::from_chars(file.data() + kFolder.size(), file.data() + file.size(), descriptor);
  return descriptor;
}

}  // namespace

int run(int argc, char** argv, const std::function<int(Runtime&)>& body) {
  try {
    return run(argc, argv, body, Options::from_environment());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kFailed;
  }
}

int run(int, char**, const std::function<int(Runtime&)>& body, const Options& options) {
  // Whatever programs the body starts are not the launcher's business.
  for (const int descriptor :
       {options.report_fd, options.black_box_fd, inherited_key(options.key_file)}) {
    if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  const ThreadsEnd threads_end;
  const StateOnSignal state_on_signal;
  runtime::Log log(options.name.empty() ? runtime::default_name() : options.name,
                   options.report_fd);
  int code = kFailed;
  try {
    if (options.role == Role::kWorker) {
      code = serve(options);
    } else {
      auto node = std::make_unique<runtime::Node>(options);
      runtime::Node& whole = *node;
      Runtime rt(std::move(node));
      const StateOnSignal::Of state(whole);
      code = drive(rt, options, log, body);
    }
  } catch (const std::exception& error) {
    log.report(std::string("error ") + error.what());
    log.error(error.what());
  }
  return code;
}

}  // namespace pp
