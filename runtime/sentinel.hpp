// Sentinel: the thread that can still say what a node is doing when everything else stands.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "log.hpp"
#include "stall.hpp"

namespace pp::runtime {

// Prints the state of its node when it is asked to, at any time, also while every worker is stuck;
// and by itself when nothing has moved for a while although something is waited for. Costs nothing
// but a wake-up now and then.
class Sentinel {
 public:
  class Subject {
   public:
    virtual ~Subject() = default;
    // Grows whenever anything is done.
    virtual std::uint64_t progress() const = 0;
    // Something is: a job is queued, runs, or is lent.
    virtual bool waiting() const = 0;
    // Several lines: what is waited for, where it is, since when. Called on the sentinel's thread;
    // takes no lock for long.
    virtual std::string describe() = 0;
  };

  // `limit`: after how much standstill it speaks by itself; 0: never. Both must outlive it. Throws
  // pp::Error when the system refuses.
  Sentinel(Subject& subject, Log& log, std::chrono::milliseconds limit);
  ~Sentinel();

  // Asks for the state. Any thread, and from a signal handler.
  void ring() noexcept;

 private:
  void run();

  Subject& subject_;
  Log& log_;
  const std::chrono::milliseconds limit_;
  Stall stall_;
  const int bell_;  // an eventfd: 1 asks for the state, kEnd ends the thread
  std::thread thread_;
};

}  // namespace pp::runtime
