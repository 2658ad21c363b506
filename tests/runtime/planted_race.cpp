// A program with a data race inside jobs, on purpose: built under ThreadSanitizer only, where its
// test passes if the race is reported. The executor's file is compiled without the sanitizer; this
// shows that what runs on its threads is still seen.
#include <atomic>
#include <pp/pp.hpp>
#include <thread>

namespace {

int unprotected = 0;
std::atomic<int> together{0};

int race(int rounds) {
  together.fetch_add(1, std::memory_order_relaxed);
  while (together.load(std::memory_order_relaxed) < 2) std::this_thread::yield();  // orders nothing
  for (int i = 0; i < rounds; ++i) ++unprotected;
  return unprotected;
}

}  // namespace

int main() {
  pp::Options options;
  options.workers = 2;
  pp::Runtime rt(options);
  const auto one = rt.submit<race>(1000);
  const auto other = rt.submit<race>(1000);
  one.wait();
  other.wait();
}
