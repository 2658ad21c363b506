// Waiting for several futures: for all, for any, for each as it comes.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <pp/errors.hpp>
#include <pp/future.hpp>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

namespace runtime {

template <class T>
inline constexpr bool kIsFuture = false;
template <class T>
inline constexpr bool kIsFuture<Future<T>> = true;

// Anything with begin() and end() over futures, in one order however often it is walked.
template <class R>
concept Futures = requires(const R& range) {
  requires kIsFuture<std::remove_cvref_t<decltype(*std::begin(range))>>;
  std::end(range);
};

// The jobs behind them; throws pp::Error if one is empty.
template <Futures R>
std::vector<Job*> jobs_of(const R& futures) {
  std::vector<Job*> jobs;
  for (const auto& future : futures) jobs.push_back(&future.job());
  return jobs;
}

// Which of them is done (the first of those); nothing when `deadline` comes first.
std::optional<std::size_t> wait_any(const std::vector<Job*>& jobs, Clock::time_point deadline);

// Indices of jobs in the order in which they became done. Used by one thread at a time.
class Arrivals {
 public:
  explicit Arrivals(const std::vector<Job*>& jobs);
  // The next one; blocks until there is one. Nothing after the last.
  std::optional<std::size_t> next();

 private:
  struct Shared;
  class Arrival;
  std::shared_ptr<Shared> shared_;
  std::size_t missing_;
};

}  // namespace runtime

// Returns when all are done, in whatever way; throws nothing of the jobs'. Any thread; inside a job
// it runs others meanwhile, as Future::wait does. Takes futures, or one range of them.
template <class... T>
void wait_all(const Future<T>&... futures) {
  (futures.wait(), ...);
}
template <runtime::Futures R>
void wait_all(const R& futures) {
  for (const auto& future : futures) future.wait();
}

// Returns when one of them is done, in whatever way, and says which: its position; the lowest if
// several are. Throws pp::Error if there are none. Any thread; inside a job it runs others
// meanwhile.
template <class... T>
std::size_t wait_any(const Future<T>&... futures) {
  return *runtime::wait_any({&futures.job()...}, runtime::Clock::time_point::max());
}
template <runtime::Futures R>
std::size_t wait_any(const R& futures) {
  return *runtime::wait_any(runtime::jobs_of(futures), runtime::Clock::time_point::max());
}

// The same with a limit: nothing if none was done within it.
template <class Rep, class Period, runtime::Futures R>
std::optional<std::size_t> wait_any_for(std::chrono::duration<Rep, Period> limit,
                                        const R& futures) {
  return runtime::wait_any(runtime::jobs_of(futures), runtime::after(limit));
}

// The positions of futures in the order in which they become ready: a range to walk once, whose
// step waits for the next. It may be left early.
class AsCompleted {
 public:
  // For as_completed().
  explicit AsCompleted(const std::vector<runtime::Job*>& jobs) : arrivals_(jobs) {}

  class Iterator {
   public:
    using value_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using reference = std::size_t;
    using pointer = const std::size_t*;

    Iterator() = default;
    std::size_t operator*() const { return *current_; }
    Iterator& operator++() {
      current_ = arrivals_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    // Of two iterators of one walk: whether both are at its end.
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.current_.has_value() == b.current_.has_value();
    }

   private:
    friend class AsCompleted;
    explicit Iterator(runtime::Arrivals& arrivals) : arrivals_(&arrivals) { ++*this; }
    runtime::Arrivals* arrivals_ = nullptr;
    std::optional<std::size_t> current_;
  };

  // Waits for the first.
  Iterator begin() { return Iterator(arrivals_); }
  Iterator end() { return {}; }

 private:
  runtime::Arrivals arrivals_;
};

// for (std::size_t i : pp::as_completed(futures)) use(futures[i].get());
template <runtime::Futures R>
AsCompleted as_completed(const R& futures) {
  return AsCompleted(runtime::jobs_of(futures));
}

}  // namespace pp

#pragma GCC visibility pop
