// LaunchLoop: what every launch does between two events, and what Ctrl-C means to it.
#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "farewell.hpp"
#include "output.hpp"
#include "signals.hpp"

namespace pp::tools {

// Ctrl-C once lets the program wind up, twice ends everything. It reads no clock.
class Interrupts {
 public:
  enum class Meaning {
    kSame,  // it was heard before: timeout(1) sends a signal to us and to our group
    kWindUp,
    kEnd,
  };
  Meaning heard(int signal, Time now);
  bool any() const { return count_ > 0; }

 private:
  int count_ = 0;
  int last_ = 0;
  Time last_at_{};
};

// Descriptors that are waited for together, each with what is to be done about it.
class Watch {
 public:
  void add(int descriptor, short events, std::function<void()> act);
  // Sleeps until one of them can be used, or for so long; then acts, what was added first last: it
  // may end what the others are about.
  void wait(Clock::duration longest);

 private:
  std::vector<pollfd> watched_;
  std::vector<std::function<void()>> acts_;
};

// One thread, one poll(), nothing that ticks. Time that is spent stopped by Ctrl-Z counts against
// no limit.
class LaunchLoop {
 protected:
  LaunchLoop() = default;
  ~LaunchLoop() = default;

  Time now() const { return Clock::now() - stopped_for_; }
  void say(std::string text) { err_.line("pp-launch: " + std::move(text)); }

  // A turn: sleeps until then, or until something can be done, and does it. `sources` adds those of
  // the launch's own.
  void wait(Time until, const std::function<void(Watch&)>& sources);
  virtual void handle(const Signal& signal) = 0;

  // Until somebody lets us go on.
  void stop_ourselves();

  // Everything is ending, and somebody is impatient. `nobody_left`: only a reader that does not
  // read still holds us.
  void hurry(Farewell& farewell, bool nobody_left);

  Signals signals_;
  Output out_{1};
  Output err_{2};
  Interrupts interrupts_;

 private:
  Clock::duration stopped_for_{};
};

}  // namespace pp::tools
