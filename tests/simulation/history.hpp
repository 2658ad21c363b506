// History: what happened in a simulated cluster, as a number to compare and, when asked for, as
// lines to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "dice.hpp"

namespace pp::simulation {

// Two runs of one seed are the same if their hashes are; sentences are kept only when somebody
// wants to read them, and do not count.
class History {
 public:
  History(bool readable, std::size_t most_lines) : readable_(readable), most_lines_(most_lines) {}

  void count(Time now, std::uint64_t a, std::uint64_t b, std::uint64_t c) {
    const auto when = static_cast<std::uint64_t>(now.time_since_epoch().count());
    hash_ = mixed(hash_ * 3 + when) ^ mixed(a * 5 + mixed(b * 7 + mixed(c)));
  }
  bool readable() const { return readable_; }
  void say(Time now, const std::string& who, const std::string& what) {
    if (!readable_) return;
    char when[32];
    const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(
                           now.time_since_epoch() - std::chrono::hours(1))
                           .count();
    std::snprintf(when, sizeof when, "%10.3f ms  ", static_cast<double>(micro) / 1000);
    lines_.push_back(when + who + ": " + what);
    if (lines_.size() > most_lines_) lines_.pop_front();
  }
  std::uint64_t hash() const { return hash_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  const bool readable_;
  const std::size_t most_lines_;
  std::uint64_t hash_ = 1;
  std::deque<std::string> lines_;
};

}  // namespace pp::simulation
