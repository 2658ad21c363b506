// Output rate: how much of a worker's output is passed on.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pp::tools {

// Lines are passed on until a second's allowance of bytes is used up; from then on they are
// dropped, whole, until the next second begins. A line counts for 16 bytes more than it has, so
// that empty ones cost something. It reads no clock.
class OutputRate {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::uint64_t kUsual = 10'000'000;  // bytes a second: more than anybody reads

  // 0: everything is passed on.
  explicit OutputRate(std::uint64_t bytes_per_second = kUsual) : most_(bytes_per_second) {}

  // "10000000", "500k", "10M", "off": bytes a second, 0 for the last. Nothing if it is none.
  static std::optional<std::uint64_t> parse(std::string_view text);

  bool pass(Time now, std::string_view line);
  // What has been dropped since this was asked for, as a sentence, once lines are passed on again
  // or `end`. Empty: nothing.
  std::string dropped(Time now, bool end = false);

 private:
  std::uint64_t most_;
  Time begun_{};  // of this second
  std::uint64_t used_ = 0;
  std::uint64_t lines_ = 0, bytes_ = 0;  // dropped
};

}  // namespace pp::tools
