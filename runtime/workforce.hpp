// Workforce: what the courier asks of the workers of its node.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "tally.hpp"

namespace pp::runtime {

struct Job;

// The crew, or in a simulation whoever stands in for it. Any thread may call any member.
class Workforce {
 public:
  struct Totals {
    std::uint64_t jobs = 0, outermost = 0;
    std::chrono::nanoseconds busy{0};
  };

  // So many at a time.
  virtual unsigned workers() const = 0;
  // Of these so many could begin a job now.
  virtual unsigned idle() const = 0;
  virtual Totals totals() const = 0;
  // What is told to those who watch: by function that may travel; bytes that the process has in
  // use.
  virtual std::vector<FunctionFigures> functions() const { return {}; }
  virtual std::uint64_t memory() const { return 0; }
  // Something was pushed into the queue: sees that somebody takes it.
  virtual void announce() = 0;
  // Other nodes' refused requests wait here: the courier is to be woken when there is something for
  // them. Set anew each time they were served; who sets it looks at the queue afterwards.
  virtual void set_waiting_thieves(bool waiting) = 0;
  // A running job is told to stop, soon, and not on the caller's thread.
  virtual void tell_to_stop_soon(Job& job) = 0;

 protected:
  Workforce() = default;
  ~Workforce() = default;
};

}  // namespace pp::runtime
