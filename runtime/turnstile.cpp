// Turnstile: one lock, taken only by who has to wait and by who wakes them.
#include "turnstile.hpp"

namespace pp::runtime {

namespace {

constexpr std::chrono::seconds kAskAgain{1};

}  // namespace

bool Turnstile::wait(const std::function<std::size_t()>& entries,
                     const std::function<bool()>& pointless) {
  auto state = state_.lock();
  if (state->closed) return false;
  ++state->inside;
  ++waiting_;
  const auto go_on = [&] { return state->closed || entries() <= enough_ || pointless(); };
  while (!state.wait_until(changed_, std::chrono::steady_clock::now() + kAskAgain, go_on)) {
  }
  --waiting_;
  --state->inside;
  if (!state->closed) return true;
  if (state->inside == 0) changed_.notify_all();
  return false;
}

void Turnstile::left(std::size_t entries) {
  if (entries > enough_) return;
  const auto state = state_.lock();  // so that nobody is between its look and its sleep
  changed_.notify_all();
}

void Turnstile::close() {
  auto state = state_.lock();
  state->closed = true;
  changed_.notify_all();
  state.wait(changed_, [&] { return state->inside == 0; });
}

}  // namespace pp::runtime
