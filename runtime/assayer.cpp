// Assayer: a queue of samples, and the thread behind it.
#include "assayer.hpp"

#include <system_error>
#include <utility>

namespace pp::runtime {

Assayer::~Assayer() {
  bench_.lock()->closed = true;
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Assayer::take(const std::shared_ptr<Arrival>& arrival, std::span<const std::byte> part,
                   bool last) {
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      return false;
    }
  }
  bench_.lock()->samples.push_back({arrival, part, last});
  changed_.notify_one();
  return true;
}

void Assayer::run() {
  for (;;) {
    Sample sample;
    {
      auto bench = bench_.lock();
      bench.wait(changed_, [&] { return bench->closed || !bench->samples.empty(); });
      if (bench->closed) return;
      sample = std::move(bench->samples.front());
      bench->samples.pop_front();
    }
    sample.arrival->hasher.add(sample.part);
    if (!sample.last) continue;
    sample.arrival->hash = sample.arrival->hasher.finish();
    sample.arrival->assayed.store(true, std::memory_order_release);
    sample.arrival.reset();  // whoever waits for it has it alone
    finished_();
  }
}

}  // namespace pp::runtime
