// Executor: the oneTBB arena; it holds tickets, not jobs. The only door to <oneapi/tbb/...>.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace pp::runtime {

// Who comes for work when a ticket is drawn.
class TicketHolder {
 public:
  virtual ~TicketHolder() = default;
  // Runs on one of the arena's threads. True: draw a new ticket in place of this one (it has run
  // for long, and others who use oneTBB in this process should have their turn).
  virtual bool serve_ticket() noexcept = 0;
};

// oneTBB owns the threads and shares the cores with whatever else the program does with it. Several
// executors may live in one process. REQUIRES: no ticket is out when it is destroyed.
class Executor {
 public:
  // `holder` must outlive this.
  Executor(unsigned workers, std::size_t stack_bytes, TicketHolder& holder);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // So many tickets may be out at a time from now on. REQUIRES: no more are out; one caller at a
  // time. Some microseconds.
  void allow(unsigned workers);

  // A ticket is served soon on some thread of the arena. Any thread; about 0.4 us, and a wake-up if
  // the arena sleeps.
  void draw_ticket();

  // Ends oneTBB's threads of this process, if nobody else needs them, before static objects die.
  // REQUIRES: no executor is left.
  static void end_threads() noexcept;

  // What the process allows, which the program may have limited below what this executor wants.
  static unsigned allowed_workers();

 private:
  struct Arena;
  void grow(unsigned slots);

  TicketHolder& holder_;
  unsigned workers_;
  // An arena has as many slots as it was made with, and one with very many is slower: so a larger
  // one follows when it is needed. Outgrown ones stay; their tickets may still be out.
  std::vector<std::unique_ptr<Arena>> arenas_;
  // The last of them. Release/acquire: publishes it to draw_ticket().
  std::atomic<Arena*> arena_{nullptr};
};

}  // namespace pp::runtime
