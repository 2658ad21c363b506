// Apart: a thread that polls the source, and a shelf with a bell from which its words are taken.
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <pp/apart.hpp>
#include <pp/error.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "descriptor.hpp"

namespace pp::discovery {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kRetry{1};  // while there is no thread to be had

// A descriptor that is readable from ring() to silence().
class Bell {
 public:
  Bell() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_.get() < 0) throw Error(std::string("eventfd: ") + std::strerror(errno));
  }
  int fd() const { return fd_.get(); }
  void ring() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t rung = ::write(fd_.get(), &one, sizeof one);
  }
  void silence() const {
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t got = ::read(fd_.get(), &rings, sizeof rings);
  }

 private:
  const Descriptor fd_;
};

using Told = std::variant<Sighting, std::string>;

}  // namespace

// Lives as long as the Apart or the thread, whichever is longer. Nobody calls the source with the
// lock held.
struct Apart::Shared final : Discovery::Listener {
  explicit Shared(std::unique_ptr<Discovery> whose) : source(std::move(whose)) {
    assert(source);
    for (const int fd : source->descriptors()) awaited.push_back({fd, POLLIN, 0});
    awaited.push_back({call.fd(), POLLIN, 0});
  }

  // ---- the source's thread
  void run();
  bool answer_call();
  void sleep_until(Time due);
  void sighted(const Sighting& sighting) override { put(sighting); }
  void noticed(const std::string& sentence) override { put(sentence); }
  void put(Told told);
  void count(const Ignored& counted);

  // ---- the other side
  std::vector<Told> take();
  bool wait_for_end(nanoseconds limit);

  // The thread's own, once it has begun.
  std::unique_ptr<Discovery> source;
  std::vector<pollfd> awaited;

  const Bell bell;  // something is ready; rung and silenced with the lock held
  const Bell call;  // the thread is to look at what it was told

  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by the mutex.
  std::vector<Told> ready;
  Ignored ignored;
  std::optional<Self> self;  // the source was not told yet
  bool leaving = false;      // it is to say so
  bool closed = false;       // nobody takes anything any more: the thread is to end
  bool over = false;         // it has no source any more
};

// ---- the source's thread

void Apart::Shared::run() {
  while (answer_call()) {
    source->poll(Clock::now(), *this);
    count(source->ignored());
    sleep_until(source->next_due(Clock::now()));
  }
  source.reset();
  const std::lock_guard lock(mutex);
  over = true;
  changed.notify_all();
}

// False: it is the end.
bool Apart::Shared::answer_call() {
  std::optional<Self> who;
  bool leave = false;
  bool end = false;
  {
    const std::lock_guard lock(mutex);
    call.silence();
    who = std::exchange(self, std::nullopt);
    leave = leaving;
    end = closed;
  }
  if (who && !end) source->introduce(*who);
  if (leave) source->leave();
  return !end;
}

// Or until there is something to do. It may well return for nothing: poll() looks what there is.
void Apart::Shared::sleep_until(Time due) {
  const Time now = Clock::now();
  const nanoseconds left = due <= now ? nanoseconds(0) : due - now;
  const timespec limit{static_cast<time_t>(left / seconds(1)),
                       static_cast<long>((left % seconds(1)).count())};
  ::ppoll(awaited.data(), awaited.size(), due == Time::max() ? nullptr : &limit, nullptr);
}

// Rings before the lock is given up: who takes it finds the bell rung, and silences it.
void Apart::Shared::put(Told told) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return closed || ready.size() < kMostReady; });
  if (closed) return;
  ready.push_back(std::move(told));
  if (ready.size() == 1) bell.ring();
}

void Apart::Shared::count(const Ignored& counted) {
  const std::lock_guard lock(mutex);
  ignored = counted;
}

// ---- the other side

std::vector<Told> Apart::Shared::take() {
  const std::lock_guard lock(mutex);
  if (ready.empty()) return {};
  bell.silence();
  changed.notify_all();
  return std::exchange(ready, {});
}

bool Apart::Shared::wait_for_end(nanoseconds limit) {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, limit, [this] { return over; });
}

// ---- the door

Apart::Apart(std::unique_ptr<Discovery> source)
    : shared_(std::make_shared<Shared>(std::move(source))) {}

Apart::~Apart() {
  end(false);
  if (!thread_.joinable()) return;
  if (shared_->wait_for_end(nanoseconds(0))) {
    thread_.join();  // it is at its very end, and waits for nothing any more
  } else {
    thread_.detach();
  }
}

void Apart::poll(Time now, Listener& listener) {
  if (!thread_.joinable() && now >= next_try_) begin(now, listener);
  for (const Told& told : shared_->take()) {
    if (const auto* sighting = std::get_if<Sighting>(&told)) {
      listener.sighted(*sighting);
    } else {
      listener.noticed(std::get<std::string>(told));
    }
  }
}

void Apart::begin(Time now, Listener& listener) {
  try {
    thread_ = std::thread([shared = shared_] { shared->run(); });
  } catch (const std::system_error& fault) {
    next_try_ = now + kRetry;
    if (std::exchange(no_thread_, true)) return;
    listener.noticed(std::string("no thread to look for other nodes on: ") + fault.what() +
                     "; it is tried again every second");
  }
}

Time Apart::next_due(Time now) const {
  return thread_.joinable() ? Time::max() : std::max(now, next_try_);
}

std::vector<int> Apart::descriptors() const { return {shared_->bell.fd()}; }

void Apart::introduce(const Self& self) {
  const std::lock_guard lock(shared_->mutex);
  shared_->self = self;
  shared_->call.ring();
}

void Apart::leave() { end(true); }

Discovery::Ignored Apart::ignored() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->ignored;
}

// From now on nothing is handed over, and the bell is silent.
void Apart::end(bool say_so) {
  if (std::exchange(ended_, true)) return;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->leaving = say_so;
    shared_->closed = true;
    shared_->ready.clear();
    shared_->bell.silence();
    shared_->call.ring();
    shared_->changed.notify_all();
  }
  if (thread_.joinable()) shared_->wait_for_end(kPatience);
}

}  // namespace pp::discovery
