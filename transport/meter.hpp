// Meter: how much memory a loaded library holds, and on whose account.
#pragma once

#include <cstdint>

namespace pp::transport {

// One account. A library that keeps what strangers send it does not say how much that is; so its
// own calls of malloc and its relatives are led past a counter (in its table of imported functions:
// nobody else's calls are touched). What a thread allocates or frees in there goes to the Meter
// that is running on it. REQUIRES: one thread at a time.
class Meter {
 public:
  // Leads the calls of `library`, a handle of dlopen(), past the counter. False: this system keeps
  // its tables in another way, and every Meter stays at 0. Once per library, before it is used.
  static bool install(void* library);

  // While it lives, what the library does on this thread is counted here.
  class Running {
   public:
    explicit Running(Meter& meter);
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Meter* const outer_;
  };

  // Allocated and not freed. May be below 0 by a little: what another library has allocated may be
  // freed by this one.
  std::int64_t bytes() const { return bytes_; }

  // By the functions that stand in for the library's.
  static void count(std::int64_t bytes);

 private:
  std::int64_t bytes_ = 0;
};

}  // namespace pp::transport
