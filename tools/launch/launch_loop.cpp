// LaunchLoop: poll().
#include "launch_loop.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace pp::tools {
namespace {

using std::chrono::milliseconds;

// The same signal twice within this time is one.
constexpr milliseconds kSameSignal{250};

}  // namespace

Interrupts::Meaning Interrupts::heard(int signal, Time now) {
  if (signal == last_ && now - last_at_ < kSameSignal) return Meaning::kSame;
  last_ = signal;
  last_at_ = now;
  return ++count_ == 1 ? Meaning::kWindUp : Meaning::kEnd;
}

void Watch::add(int descriptor, short events, std::function<void()> act) {
  watched_.push_back({descriptor, events, 0});
  acts_.push_back(std::move(act));
}

void Watch::wait(Clock::duration longest) {
  int timeout = -1;
  if (longest != Clock::duration::max()) {
    const auto left = std::chrono::ceil<milliseconds>(longest).count();
    timeout = static_cast<int>(std::clamp<long long>(left, 0, 60'000));
  }
  if (::poll(watched_.data(), watched_.size(), timeout) <= 0) return;
  for (std::size_t i = watched_.size(); i-- > 0;) {
    if (watched_[i].revents != 0) acts_[i]();
  }
}

void LaunchLoop::wait(Time until, const std::function<void(Watch&)>& sources) {
  Watch watch;
  watch.add(signals_.descriptor(), POLLIN, [this] {
    while (const std::optional<Signal> signal = signals_.take()) handle(*signal);
  });
  sources(watch);
  for (Output* output : {&out_, &err_}) {
    if (!output->empty())
      watch.add(output->descriptor(), POLLOUT, [output] { output->write_some(); });
  }
  watch.wait(until == Time::max() ? Clock::duration::max() : until - now());
}

void LaunchLoop::stop_ourselves() {
  const Time began = Clock::now();
  ::raise(SIGSTOP);
  stopped_for_ += Clock::now() - began;
}

void LaunchLoop::hurry(Farewell& farewell, bool nobody_left) {
  farewell.hurry(now());
  if (!nobody_left) return;
  out_.drop();
  err_.drop();
}

}  // namespace pp::tools
