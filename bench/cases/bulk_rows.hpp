// BulkRows: sizes, and rates of bulk as rows, for whoever has moved it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lanes.hpp"
#include "sample.hpp"
#include "timing.hpp"
#include "unit.hpp"

namespace pp::bench {

// From 1 KiB to 1 GiB.
inline std::vector<std::size_t> bulk_sizes(const Arguments& arguments) {
  std::vector<std::size_t> sizes;
  const std::size_t largest = arguments.flag("quick") ? std::size_t{1} << 18 : std::size_t{1} << 30;
  for (std::size_t bytes = 1 << 10; bytes <= largest; bytes *= 16) sizes.push_back(bytes);
  return sizes;
}

// GB a second of calls that move so many bytes one way and wait for an answer; each may be given
// what `prepare` makes, which does not count.
template <class... Calls>
void emit_bulk(const Arguments& arguments, const std::string& which, std::size_t bytes,
               const Calls&... prepare_and_call) {
  const double seconds = typical_seconds(enough(arguments) / 4, prepare_and_call...);
  for (const std::string& lane : lanes_of(arguments)) {
    const auto size = static_cast<double>(bytes);
    emit(Sample{which + ", " + bytes_text(size) + ", " + lane, "GB/s", size / seconds / 1e9, size,
                which + ", " + lane});
  }
}

}  // namespace pp::bench
