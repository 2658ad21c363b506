// pp::run: a program's main, in a driver and in a worker.
#include <fcntl.h>

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

int serve(const Options& options) {
  std::optional<Deadline> deadline;
  Runtime rt(options);
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
