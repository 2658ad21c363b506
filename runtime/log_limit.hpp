// Log limit: what is said again and again is said once, and then counted.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pp::runtime {

// Asked before each line of a log. It reads no clock. Of a sentence that is repeated within
// kPeriod the first is shown; how often it came besides is told when the period is over and
// something else is said, or it comes again. Of all sentences together no more than kMost are shown
// in a period.
class LogLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kPeriod{10};
  static constexpr unsigned kMost = 200;

  struct Answer {
    bool show = true;
    // To be said before it: what was left out.
    std::vector<std::string> left_out{};
  };
  Answer say(Time now, std::string_view sentence);
  // At the end: what was left out since it was told.
  std::vector<std::string> rest();

 private:
  struct Seen {
    Time first;
    std::uint64_t more = 0;
  };
  void tell(const std::string& sentence, const Seen& seen, std::vector<std::string>& into) const;

  std::map<std::string, Seen, std::less<>> seen_;  // within the last period; kMost at most
  Time begun_{};                                   // of the period that counts
  unsigned shown_ = 0;                             // in it
  std::uint64_t others_ = 0;                       // that were too many
};

}  // namespace pp::runtime
