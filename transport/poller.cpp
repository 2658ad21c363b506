// Poller on epoll_pwait2 and an eventfd.
#include "poller.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <pp/error.hpp>

namespace pp::transport {
namespace {

constexpr std::uint64_t kBellTag = Poller::kReserved;

[[noreturn]] void fail(const char* what) {
  throw Error(std::string(what) + ": " + std::strerror(errno));
}

epoll_event interest(std::uint64_t tag, bool read, bool write) {
  epoll_event event{};
  event.events = (read ? EPOLLIN | EPOLLRDHUP : 0u) | (write ? EPOLLOUT : 0u);
  event.data.u64 = tag;
  return event;
}

// Nanoseconds where the kernel can (5.11), else rounded up to milliseconds: late rather than a busy
// loop.
int wait_for(int epoll, epoll_event* events, int size, std::chrono::nanoseconds timeout) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  timespec limit{};
  limit.tv_sec = seconds.count();
  limit.tv_nsec = (timeout - seconds).count();
  const int count = ::epoll_pwait2(epoll, events, size, &limit, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return ::epoll_wait(epoll, events, size, static_cast<int>(rounded));
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail("epoll_create1");
  bell_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell_ < 0) {
    ::close(epoll_);
    fail("eventfd");
  }
  add(bell_, kBellTag, true, false);
}

Poller::~Poller() {
  ::close(bell_);
  ::close(epoll_);
}

void Poller::add(int fd, std::uint64_t tag, bool read, bool write) {
  epoll_event event = interest(tag, read, write);
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void Poller::change(int fd, std::uint64_t tag, bool read, bool write) {
  epoll_event event = interest(tag, read, write);
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
}

void Poller::remove(int fd) { ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

std::span<const Poller::Event> Poller::ready() { return collect(Time{}, false); }

std::span<const Poller::Event> Poller::wait(Time deadline) {
  sleeping_.store(true, std::memory_order_seq_cst);  // announce, then look
  const bool block = !woken_.load(std::memory_order_seq_cst);
  const auto events = collect(deadline, block);
  sleeping_.store(false, std::memory_order_seq_cst);
  woken_.exchange(false, std::memory_order_seq_cst);
  return events;
}

std::span<const Poller::Event> Poller::collect(Time deadline, bool block) {
  // No wait is longer than a minute: whoever asks for eternity gets it in pieces.
  constexpr std::chrono::nanoseconds kLongest = std::chrono::minutes(1);
  std::chrono::nanoseconds timeout{0};
  if (block) {
    const Time now = Clock::now();
    if (deadline > now)
      timeout = deadline - now > kLongest ? kLongest : std::chrono::nanoseconds(deadline - now);
  }
  std::array<epoll_event, 64> raw;
  int count = wait_for(epoll_, raw.data(), static_cast<int>(raw.size()), timeout);
  // A process that was stopped has its wait interrupted when it goes on. Nothing seen is not
  // nothing there: whoever asked would judge by the clock peers that have spoken meanwhile.
  if (count < 0 && errno == EINTR)
    count = wait_for(epoll_, raw.data(), static_cast<int>(raw.size()), std::chrono::nanoseconds{0});
  std::size_t kept = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = raw[static_cast<std::size_t>(i)];
    if (event.data.u64 == kBellTag) {
      std::uint64_t rings = 0;
      [[maybe_unused]] const ssize_t got = ::read(bell_, &rings, sizeof rings);
      continue;
    }
    events_[kept++] = {event.data.u64,
                       (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                       (event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0};
  }
  return std::span(events_).first(kept);
}

void Poller::wake() noexcept {
  // Somebody else's call that wait() has not answered yet does our work too; ours still publishes.
  if (woken_.exchange(true, std::memory_order_seq_cst)) return;
  if (!sleeping_.load(std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(bell_, &one, sizeof one);
}

}  // namespace pp::transport
