// Clock offset: how far another node's clock is ahead of ours, and how wrong that may be.
#pragma once

#include <cstdint>
#include <vector>

namespace pp::runtime {

// Estimated from questions and answers, as NTP does (Mills, RFC 5905, section 8): who asks notes
// when it asked and when the answer came, who answers when it heard and when it spoke. The
// difference of the middles is the offset; it is wrong by half of the time under way at most,
// whatever way took how much of that, as long as the clocks ran alike meanwhile. Of many such
// answers those count that were quick; between two of them the offset is drawn as a line. It reads
// no clock: nanoseconds are handed in.
class ClockOffset {
 public:
  // Two clocks drift apart by no more than this: ten times what a quartz does, and what two clocks
  // do that are slewed slowly. 1/10,000.
  static constexpr std::int64_t kDriftDivisor = 10'000;

  // On the asker's clock, the other's, the other's, and the asker's again. What cannot be (it was
  // heard after it was answered) counts nothing.
  void add(std::int64_t asked, std::int64_t heard, std::int64_t said, std::int64_t answered);

  // It is the same clock: processes of one system.
  void same_clock() { same_ = true; }
  bool is_same_clock() const { return same_; }

  bool known() const { return same_ || !points_.empty(); }

  struct Estimate {
    std::int64_t ahead = 0;  // the other's clock, of ours
    std::int64_t error = 0;  // either way, at most
  };
  // At this time of the other's clock. REQUIRES: known().
  Estimate at(std::int64_t theirs) const;
  // That time on ours.
  std::int64_t ours(std::int64_t theirs) const { return theirs - at(theirs).ahead; }
  // The largest error where it was measured, that is at the best of each time.
  std::int64_t largest_error() const;

 private:
  struct Point {
    std::int64_t theirs, ahead, error;
  };
  static std::int64_t error_at(const Point& point, std::int64_t theirs);
  std::vector<Point> points_;  // by time; none is made needless by its neighbour
  bool same_ = false;
};

}  // namespace pp::runtime
