// Guarded: data that can be reached only through its lock.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

namespace pp::runtime {

// Debug builds run T::check(), T's invariant, each time the lock is given up.
template <class T>
class Guarded {
 public:
  template <class... A>
  explicit Guarded(A&&... arguments) : value_(std::forward<A>(arguments)...) {}

  // Holds the lock for as long as it lives. Not to be kept across a wait.
  class Locked {
   public:
    explicit Locked(Guarded& guarded) : lock_(guarded.mutex_), value_(guarded.value_) {}
    ~Locked() {
#ifndef NDEBUG
      if constexpr (requires(const T& value) { value.check(); }) value_.check();
#endif
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
    T* operator->() { return &value_; }
    T& operator*() { return value_; }

    // Gives the lock up until `changed` is notified and `holds` is true.
    template <class Predicate>
    void wait(std::condition_variable& changed, Predicate holds) {
      changed.wait(lock_, holds);
    }
    // False: the deadline came first.
    template <class Time, class Predicate>
    bool wait_until(std::condition_variable& changed, Time deadline, Predicate holds) {
      return changed.wait_until(lock_, deadline, holds);
    }

   private:
    std::unique_lock<std::mutex> lock_;
    T& value_;
  };

  Locked lock() { return Locked(*this); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace pp::runtime
