// Respawn: whether a worker that died is replaced, and when.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "farewell.hpp"

namespace pp::tools {

// A worker that has lived for a while is replaced at once; one that dies soon after its start is
// given a pause, and not replaced after some such lives in a row: what kills it would kill the
// next one too. It starts nothing and reads no clock.
class Respawn {
 public:
  static constexpr unsigned kUnlimited = ~0u;
  // A life shorter than this is a short one, and after so many in a row there is no other.
  static constexpr std::chrono::milliseconds kShortLife{1000};
  static constexpr unsigned kShortLives = 3;
  // After the first short life; twice as long after the next.
  static constexpr std::chrono::milliseconds kPause{250};

  // At most `most` replacements in all.
  explicit Respawn(unsigned most) : most_(most) {}

  struct Answer {
    std::optional<Time> start;  // when its replacement starts; nothing: there is none
    std::string why_not;        // the rest of a sentence about the node; may be empty
  };
  // The process of a node has ended in a way that nobody wanted.
  Answer ended(unsigned node, Clock::duration lived, Time now);

 private:
  const unsigned most_;
  unsigned used_ = 0;
  std::map<unsigned, unsigned> short_lives_;  // in a row, by node
};

// PP_RESPAWN and --respawn: a number, or "on" and "off". Nothing if it is neither.
std::optional<unsigned> parse_respawn(const std::string& text);

}  // namespace pp::tools
