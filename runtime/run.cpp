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
#include <pp/version.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

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

// Whether a signal would end the process. A program that has an opinion of its own keeps it.
bool is_left_to_us(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
}

// While it lives, the first of these signals rings instead of ending the process; another one ends
// it as usual. Made before the node: whoever sees that join may send one at once. One at a time.
class LeaveBell {
 public:
  explicit LeaveBell(std::vector<int> signals)
      : signals_(std::move(signals)), bell_(eventfd(0, EFD_CLOEXEC)) {
    if (bell_ < 0) return;
    bell_of_handler.store(bell_);
    number_of_handler.store(0);
    struct sigaction action {};
    action.sa_handler = &handle;
    action.sa_flags = SA_RESTART;
    for (const int number : signals_) sigaction(number, &action, &before_.emplace_back());
  }
  ~LeaveBell() {
    if (bell_ < 0) return;
    for (std::size_t i = 0; i < signals_.size(); ++i) {
      struct sigaction now {};
      const bool still_ours =
          sigaction(signals_[i], nullptr, &now) == 0 && now.sa_handler == &handle;
      if (still_ours) sigaction(signals_[i], &before_[i], nullptr);
    }
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
  // The signal that rang it; 0: none did.
  int number() const { return number_of_handler.load(); }

 private:
  // The same signal twice within this time is one: timeout(1) sends one to its child and one to the
  // child's group, and a launcher passes on what its whole group has got.
  static constexpr std::int64_t kSameSignal = 250'000'000;  // ns

  static void handle(int number) {
    const int kept = errno;
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    const std::int64_t now = std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    int none = 0;
    if (number_of_handler.compare_exchange_strong(none, number)) {
      rung_at_of_handler.store(now);
      ring(bell_of_handler.load());
    } else if (none != number || now - rung_at_of_handler.load() > kSameSignal) {
      if (getpid() == 1) _exit(128 + number);  // it would be spared, as a container's first process
      signal(number, SIG_DFL);
      raise(number);  // it comes when this returns
    }
    errno = kept;
  }
  // In a signal's handler too.
  static void ring(int bell) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = write(bell, &one, sizeof one);
  }
  // Sequentially consistent: read by the handler, which may run in any thread after they were set.
  static inline std::atomic<int> bell_of_handler{-1};
  static inline std::atomic<int> number_of_handler{0};
  static inline std::atomic<std::int64_t> rung_at_of_handler{0};

  const std::vector<int> signals_;
  const int bell_;
  std::vector<struct sigaction> before_;
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
  std::vector<int> signals{SIGTERM};
  if (is_left_to_us(SIGINT)) signals.push_back(SIGINT);
  const LeaveBell bell(std::move(signals));
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

// The body, once all nodes are there.
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

// A driver that is asked to end (Ctrl-C, SIGTERM) winds up: what it has not begun fails with
// Closed, what runs comes to its end, here and elsewhere, for Options::drain at most, and is in the
// job log then. (Its launcher, or Slurm, tells the workers to leave: what they have not begun comes
// back at once.) The program's body hears of it by these errors. If it does not end because of
// them, the signal does what it always does.
class WindsUp {
 public:
  // `asked` is set at the end of this, which is when the body is over and all has come to its end
  // that was to: to the signal that has asked for it.
  WindsUp(runtime::Node& node, const Options& options, std::string key, runtime::Log& log,
          int& asked)
      : node_(node),
        log_(log),
        drain_(options.drain),
        key_(std::move(key)),
        asked_(asked),
        bell_(signals_left_to_us()),
        thread_([this] { wait_and_act(); }) {}
  ~WindsUp() {
    over_.store(true);
    bell_.ring();
    thread_.join();
    asked_ = bell_.number();
  }
  WindsUp(const WindsUp&) = delete;
  WindsUp& operator=(const WindsUp&) = delete;

 private:
  // Results that are on their way when a borrower's time to leave is up may still come.
  static constexpr std::chrono::seconds kGoodbyes{2};
  // For the body to end because of the errors that it meets, if it has anything to do with jobs.
  static constexpr std::chrono::seconds kLastWords{1};
  static constexpr std::chrono::milliseconds kLook{10};

  static std::vector<int> signals_left_to_us() {
    std::vector<int> signals;
    for (const int number : {SIGINT, SIGTERM}) {
      if (is_left_to_us(number)) signals.push_back(number);
    }
    return signals;
  }

  void wait_and_act() {
    bell_.wait();
    const int number = bell_.number();
    if (number == 0) return;
    log_.report("drains");
    node_.wind_up();
    if (node_.at_work()) {
      log_.warn(std::string(number == SIGINT ? "SIGINT" : "SIGTERM") +
                ": no more jobs are begun; those that run have " +
                std::to_string(drain_.count() / 1000) +
                " s to end (PP_DRAIN). Once more ends at once");
    }
    const auto until = runtime::Clock::now() + drain_ + kGoodbyes;
    // Twice: a job may be on its way from the queue to a worker when it is looked for.
    for (int quiet = 0; node_.has_worked() && quiet < 2 && runtime::Clock::now() < until;) {
      std::this_thread::sleep_for(kLook);
      node_.wind_up();  // what has come back meanwhile
      quiet = node_.at_work() ? 0 : quiet + 1;
    }
    if (node_.at_work()) log_.warn("the time to end was up (PP_DRAIN): some jobs have not");
    if (runtime::JobLog* job_log = node_.job_log()) job_log->settle();
    const auto words_until = runtime::Clock::now() + kLastWords;
    while (node_.has_worked() && !over_.load() && runtime::Clock::now() < words_until)
      std::this_thread::sleep_for(kLook);
    if (over_.load()) return;
    if (!key_.empty()) unlink(key_.c_str());
    signal(number, SIG_DFL);
    kill(getpid(), number);
    _exit(128 + number);  // a container's first process is spared by its own signals
  }

  runtime::Node& node_;
  runtime::Log& log_;
  const std::chrono::milliseconds drain_;
  const std::string key_;  // of a step: nobody else removes it when the signal ends the process
  int& asked_;
  const LeaveBell bell_;
  // Sequentially consistent: set before the bell is rung for the last time.
  std::atomic<bool> over_{false};
  std::thread thread_;  // last: it uses the others
};

// `asked`: see WindsUp.
int drive(const Options& options, std::optional<SlurmTask>& task, runtime::Log& log,
          const std::function<int(Runtime&)>& body, int& asked) {
  std::optional<LeaveBell> bell;
  if (options.check) bell.emplace(std::vector<int>{SIGINT, SIGTERM});
  auto node = std::make_unique<runtime::Node>(options);
  runtime::Node& whole = *node;
  Runtime rt(std::move(node));
  const StateOnSignal::Of state(whole);
  if (bell) {
    // The launcher says when it has seen enough.
    return drive(rt, options, task, log, [&](Runtime&) {
      bell->wait();
      return 0;
    });
  }
  const runtime::Reporter reporter(
      whole.log(),
      runtime::ProgressSetting::parse(options.progress).value_or(runtime::ProgressSetting{}),
      [&whole] { return whole.standing(); });
  const std::string key = task && task->key ? task->key->made().string() : std::string();
  const WindsUp winds_up(whole, options, key, log, asked);
  return drive(rt, options, task, log, body);
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
  int asked = 0;  // by this signal
  try {
    Options options = given;
    std::optional<SlurmTask> task = SlurmTask::begin(options, log);
    if (options.check) log.report("version " + versions());
    if (options.role == Role::kWorker) {
      code = serve(options, task, log);
    } else {
      code = drive(options, task, log, body, asked);
    }
  } catch (const Closed& closed) {
    if (asked == 0) {
      log.report(std::string("error ") + closed.what());
      log.error(closed.what());
    }
  } catch (const std::exception& error) {
    log.report(std::string("error ") + error.what());
    log.error(error.what());
  }
  return asked == 0 ? code : 128 + asked;
}

}  // namespace pp
