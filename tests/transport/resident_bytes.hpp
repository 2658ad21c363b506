// resident_bytes: how much memory this process has touched and not given back.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <fstream>

namespace pp::test {

// 0 with a sanitizer, which keeps what was freed.
inline std::size_t resident_bytes() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return 0;
#endif
#endif
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace pp::test
