// Progress: the words in which a driver says how far it is. It reads no clock and writes nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace pp::runtime {

// When a driver says how far it is: PP_PROGRESS.
struct ProgressSetting {
  enum class Mode : std::uint8_t {
    kAuto,  // a line that is kept up to date on a terminal, a plain one now and then elsewhere
    kOff,
    kPlain,  // plain ones, wherever
  };
  Mode mode = Mode::kAuto;
  std::chrono::seconds every{30};  // between plain lines

  // "auto", "on" (plain lines every 10 s if there is no terminal), "off", or a number of seconds
  // between plain lines. Nothing if it is none of these.
  static std::optional<ProgressSetting> parse(std::string_view text);
};

// Of one run; told now and then how things stand.
class Progress {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Standing {
    std::uint64_t done = 0;   // jobs, and elements of batches, that the program's body has started
    std::uint64_t total = 0;  // that it has started so far
    std::size_t nodes = 1;    // this one included
    unsigned workers = 0;     // of all of them
    unsigned idle = 0;        // of these
    std::uint64_t lost = 0;   // executions that were lost with a node, and begun again
  };

  // The rate is that of the last few seconds.
  void look(Time now, const Standing& standing);
  // "412 of 1000 jobs (41 %), 210/s, 2.8 s left; 3 nodes, 96 % busy, 2 retries". Empty: there is
  // nothing to wait for. `width`: of the line at most, 0: whatever it takes.
  std::string line(std::size_t width = 0) const;

 private:
  struct Look {
    Time time;
    std::uint64_t done;
  };
  std::deque<Look> looks_;  // those of the last kWindow, and one from before
  Standing last_;
};

// "4 s", "3 min 20 s", "2 h 5 min": rounded for people.
std::string for_people(std::chrono::duration<double> time);

}  // namespace pp::runtime
