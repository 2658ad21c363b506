// pp::run: a program's main, in a driver and in a worker.
#include <fcntl.h>
#include <poll.h>
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
#include <pp/slurm_address.hpp>
#include <pp/usable_cores.hpp>
#include <string>
#include <string_view>
#include <thread>

#include "executor.hpp"
#include "log.hpp"
#include "node.hpp"
#include "reporter.hpp"
#include "slurm_step.hpp"
#include "step_key.hpp"

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

  // Blocks until it has rung, now or before, or until then; at once if there is none.
  void wait(std::optional<runtime::Clock::time_point> until = {}) const {
    pollfd rung{bell_, POLLIN, 0};
    for (int ready = 0; bell_ >= 0 && ready <= 0;) {
      int limit = -1;
      if (until) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(*until - runtime::Clock::now());
        if (left.count() <= 0) return;
        limit = static_cast<int>(std::min<std::int64_t>(left.count(), 86'400'000));
      }
      ready = poll(&rung, 1, limit);
      if (ready < 0 && errno != EINTR) return;
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

// While it lives, somebody waits for the bell, or for a time, and then does something once.
class OnBell {
 public:
  OnBell(const LeaveBell& bell, std::function<void()> act,
         std::optional<runtime::Clock::time_point> at = {})
      : bell_(bell) {
    if (!bell.hangs()) return;
    watcher_ = std::thread([this, at, act = std::move(act)] {
      bell_.wait(at);
      if (!ending_.load()) act();
    });
  }
  ~OnBell() {
    if (!watcher_.joinable()) return;
    ending_.store(true);
    bell_.ring();
    watcher_.join();
  }
  OnBell(const OnBell&) = delete;
  OnBell& operator=(const OnBell&) = delete;

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

// This process as a task of a Slurm step.
struct SlurmTask {
  runtime::SlurmStep step;
  std::optional<runtime::StepKey> key;  // unless there is another

  // Nothing: it is none. Otherwise the options say what it is to do.
  static std::optional<SlurmTask> begin(Options& options, runtime::Log& log) {
    auto step = options.slurm ? runtime::SlurmStep::from_environment() : std::nullopt;
    if (!step) return std::nullopt;
    step->complete(options, usable_cores());
    SlurmTask task{std::move(*step), {}};
    if (options.peers.size() == 1) {
      if (const auto address = discovery::slurm_address(options.peers.front().host))
        options.peers.front().host = *address;
    }
    if (!options.key_file.empty()) return task;
    if (options.slurm_folder.empty()) {
      options.slurm_folder = runtime::StepKey::usual_folder(std::getenv("HOME"));
      if (task.step.driver()) {
        runtime::StepKey::make_folder(options.slurm_folder);
        runtime::StepKey::sweep(options.slurm_folder);
      }
    }
    task.key.emplace(
        task.step.driver()
            ? runtime::StepKey::make(options.slurm_folder, task.step.name)
            : runtime::StepKey::wait_for(options.slurm_folder, task.step.name, options.join_timeout,
                                         [&](const std::string& sentence) { log.warn(sentence); }));
    options.key_file = task.key->file();
    return task;
  }

  // When a worker begins to leave, so that it has left when the allocation ends.
  std::optional<runtime::Clock::time_point> leaves_at(std::chrono::milliseconds drain) const {
    if (!step.end) return std::nullopt;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        *step.end - std::chrono::system_clock::now());
    return runtime::Clock::now() + left - runtime::SlurmStep::time_to_leave(left, drain);
  }
};

// A step ends when all its tasks have: one whose driver never came must not wait for ever.
bool driver_came(const Runtime& rt, const runtime::Courier& courier, const Options& options,
                 runtime::Log& log) {
  if (rt.wait_for_nodes(2, options.join_timeout) || courier.farewell()) return true;
  std::string at;
  for (const Address& peer : options.peers) at += (at.empty() ? "" : ", ") + peer.to_string();
  log.error("the step's first task did not answer at " + at + " within " +
            std::to_string(options.join_timeout.count() / 1000) +
            " s (PP_JOIN_TIMEOUT): expected that it runs, that this host finds its name, and that "
            "no firewall is between them (PP_SLURM_PORTS says which ports; PP_PEERS names another "
            "way to it)");
  return false;
}

int serve(const Options& options, const std::optional<SlurmTask>& task, runtime::Log& log) {
  const LeaveBell bell;
  std::optional<Deadline> deadline;
  auto node = std::make_unique<runtime::Node>(options);
  if (node->courier() == nullptr) throw Error("pp: a worker without a network serves nobody");
  runtime::Courier& courier = *node->courier();
  runtime::Node& whole = *node;
  Runtime rt(std::move(node));
  const StateOnSignal::Of state(whole);
  const OnBell leave(
      bell, [&courier, &options] { courier.begin_drain(options.drain); },
      task ? task->leaves_at(options.drain) : std::nullopt);
  if (task && !driver_came(rt, courier, options, log)) return kMissing;
  rt.serve();
  deadline.emplace(kVoidJobs);  // met when the runtime has ended: it is destroyed first
  return 0;
}

int drive(Runtime& rt, const Options& options, std::optional<SlurmTask>& task, runtime::Log& log,
          const std::function<int(Runtime&)>& body) {
  if (!rt.wait_for_nodes(options.nodes, options.join_timeout)) {
    const std::size_t there = rt.nodes().size() + 1;
    log.report("missing " + std::to_string(options.nodes - there));
    log.warn("only " + std::to_string(there) + " of " + std::to_string(options.nodes) +
             " nodes were there within " + std::to_string(options.join_timeout.count() / 1000) +
             " s (PP_JOIN_TIMEOUT)");
    return kMissing;
  }
  // With fewer than all, others may still come for it.
  if (task && task->key && options.nodes >= task->step.tasks) task->key->remove();
  log.report("ready");
  return body(rt);
}

// A step's driver that is asked to end (scancel asks all tasks at once) lets its workers leave
// first: what they have begun is done, and is in the job log if there is one. Then the signal does
// what it always does.
class LetsWorkersLeave {
 public:
  LetsWorkersLeave(const runtime::Courier& courier, const Options& options, const SlurmTask& task)
      : on_bell_(bell_, [&courier, limit = options.drain, key = key_of(task)] {
          constexpr std::chrono::seconds kGoodbyes{2};
          const auto until = runtime::Clock::now() + limit + kGoodbyes;
          // Who has said that it leaves is no node of ours any more, but may still run our jobs.
          const auto somebody = [&] {
            return !courier.nodes().empty() || courier.open_loans() > 0;
          };
          while (somebody() && runtime::Clock::now() < until)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          // The last results have come home; whoever waits for them writes them down.
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          if (!key.empty()) unlink(key.c_str());
          kill(getpid(), SIGTERM);
        }) {}

  // A program that has an opinion of its own about the signal keeps it.
  static bool wanted() {
    struct sigaction action {};
    return sigaction(SIGTERM, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
  }

 private:
  static std::string key_of(const SlurmTask& task) {
    return task.key ? task.key->made().string() : std::string();
  }

  const LeaveBell bell_;
  const OnBell on_bell_;
};

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

int run(int, char**, const std::function<int(Runtime&)>& body, const Options& given) {
  // Whatever programs the body starts are not the launcher's business.
  for (const int descriptor :
       {given.report_fd, given.black_box_fd, inherited_key(given.key_file)}) {
    if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  const ThreadsEnd threads_end;
  const StateOnSignal state_on_signal;
  runtime::Log log(given.name.empty() ? runtime::default_name() : given.name, given.report_fd);
  int code = kFailed;
  try {
    Options options = given;
    std::optional<SlurmTask> task = SlurmTask::begin(options, log);
    if (options.role == Role::kWorker) {
      code = serve(options, task, log);
    } else {
      auto node = std::make_unique<runtime::Node>(options);
      runtime::Node& whole = *node;
      Runtime rt(std::move(node));
      const StateOnSignal::Of state(whole);
      const runtime::Reporter reporter(
          whole.log(),
          runtime::ProgressSetting::parse(options.progress).value_or(runtime::ProgressSetting{}),
          [&whole] { return whole.standing(); });
      std::optional<LetsWorkersLeave> lets_workers_leave;
      if (task && whole.courier() != nullptr && LetsWorkersLeave::wanted())
        lets_workers_leave.emplace(*whole.courier(), options, *task);
      code = drive(rt, options, task, log, body);
    }
  } catch (const std::exception& error) {
    log.report(std::string("error ") + error.what());
    log.error(error.what());
  }
  return code;
}

}  // namespace pp
