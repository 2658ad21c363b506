// Spinners: threads that keep the cores busy while something else is measured.
#pragma once

#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

namespace pp::bench {

// One on each of these cores. MPI pins its ranks: a program cannot ask for what it may not use.
class Spinners {
 public:
  explicit Spinners(const cpu_set_t& cores) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &cores)) continue;
      threads_.emplace_back([this, cpu] {
        cpu_set_t own;
        CPU_ZERO(&own);
        CPU_SET(cpu, &own);
        ::sched_setaffinity(0, sizeof own, &own);
        while (!stop_.load(std::memory_order_relaxed)) {  // orders nothing: only the end counts
        }
      });
    }
  }
  ~Spinners() {
    stop_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads_) thread.join();
  }
  Spinners(const Spinners&) = delete;
  Spinners& operator=(const Spinners&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace pp::bench
