// Pin: the two ends of a conversation on different cores, as on different hosts. Where the
// scheduler puts both on one core, neither has to be woken on another, and a ping-pong costs a
// tenth.
#pragma once

#include <sched.h>

namespace pp::bench {

// How an end waits for a message: asleep, or looking for it all the time.
enum class Waiting { kAsleep, kAwake };

// The calling thread, and those that it starts from now on, stay on the core number `which` (modulo
// their count) of those it may use.
class Pin {
 public:
  explicit Pin(int which) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    const int count = CPU_COUNT(&before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_) && seen++ == which % count) CPU_SET(cpu, &one);
    }
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~Pin() { ::sched_setaffinity(0, sizeof before_, &before_); }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

  // The cores that it could use before.
  const cpu_set_t& before() const { return before_; }

 private:
  cpu_set_t before_{};
};

}  // namespace pp::bench
