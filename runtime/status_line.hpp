// Status line: when the line that says how far a driver is may stand on the terminal.
#pragma once

#include <atomic>
#include <mutex>
#include <string_view>

#include "log.hpp"

namespace pp::runtime {

// The program prints on the same terminal, and what it prints must not be mixed with the line: the
// line is there only while a thread of the program waits for jobs, and gone before any goes on.
// One for the process, as its terminal is; there is one driver in it (pp::run).
class StatusLine {
 public:
  // While it lives, a thread that is no worker waits.
  class Wait {
   public:
    Wait() {
      // Sequentially consistent, all four: who draws says so in shown_ first and then looks whether
      // anybody waits; who goes on does it the other way round. So one of them sees the other.
      waiting_.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Wait() {
      waiting_.fetch_sub(1, std::memory_order_seq_cst);
      if (shown_.load(std::memory_order_seq_cst)) erase();
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;
  };

  // Draws it, if anybody waits; else, or if it is empty, there is none. `log` must live until none
  // is asked for.
  static void show(Log& log, std::string_view line) {
    const std::lock_guard lock(mutex_);
    log_ = &log;
    shown_.store(!line.empty(), std::memory_order_seq_cst);
    if (waiting_.load(std::memory_order_seq_cst) == 0) line = {};
    log.status(line);
    if (line.empty()) shown_.store(false, std::memory_order_seq_cst);
  }

 private:
  static void erase() noexcept {
    try {
      const std::lock_guard lock(mutex_);
      if (shown_.exchange(false, std::memory_order_seq_cst)) log_->status({});
    } catch (...) {  // no lock to be had, no memory: the line stays until it is drawn again
    }
  }

  static inline std::mutex mutex_;
  static inline Log* log_ = nullptr;  // under mutex_
  static inline std::atomic<unsigned> waiting_{0};
  static inline std::atomic<bool> shown_{false};
};

}  // namespace pp::runtime
