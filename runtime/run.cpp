// pp::run: a program's main, in a driver and in a worker.
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <pp/runtime.hpp>
#include <string>
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

// While it lives, SIGTERM asks a worker to leave in order; a second one ends the process as usual.
class LeaveOnSignal {
 public:
  explicit LeaveOnSignal(runtime::Courier& courier, std::chrono::milliseconds limit)
      : bell_(eventfd(0, EFD_CLOEXEC)) {
    if (bell_ < 0) return;
    bell_of_handler.store(bell_);
    struct sigaction action {};
    action.sa_handler = [](int) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t put = write(bell_of_handler.load(), &one, sizeof one);
    };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGTERM, &action, &before_);
    watcher_ = std::thread([this, &courier, limit] {
      std::uint64_t rings = 0;
      while (read(bell_, &rings, sizeof rings) < 0 && errno == EINTR) {
      }
      if (!ending_.load()) courier.begin_drain(limit);
    });
  }
  ~LeaveOnSignal() {
    if (bell_ < 0) return;
    sigaction(SIGTERM, &before_, nullptr);
    ending_.store(true);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = write(bell_, &one, sizeof one);
    watcher_.join();
    close(bell_);
  }

 private:
  // Sequentially consistent: read by the handler, which may run in any thread after it was set.
  static inline std::atomic<int> bell_of_handler{-1};

  const int bell_;
  struct sigaction before_ {};
  // Sequentially consistent: set before the bell is rung for the last time.
  std::atomic<bool> ending_{false};
  std::thread watcher_;
};

int serve(const Options& options) {
  std::optional<Deadline> deadline;
  auto node = std::make_unique<runtime::Node>(options);
  if (node->courier() == nullptr) throw Error("pp: a worker without a network serves nobody");
  runtime::Courier& courier = *node->courier();
  Runtime rt(std::move(node));
  const LeaveOnSignal leave(courier, options.drain);
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
  if (options.report_fd >= 0) fcntl(options.report_fd, F_SETFD, FD_CLOEXEC);
  const ThreadsEnd threads_end;
  runtime::Log log(options.name.empty() ? runtime::default_name() : options.name,
                   options.report_fd);
  int code = kFailed;
  try {
    if (options.role == Role::kWorker) {
      code = serve(options);
    } else {
      Runtime rt(options);
      code = drive(rt, options, log, body);
    }
  } catch (const std::exception& error) {
    log.report(std::string("error ") + error.what());
    log.error(error.what());
  }
  return code;
}

}  // namespace pp
