// Task: a coroutine that runs as a job, or as a part of one.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <pp/future.hpp>
#include <pp/random.hpp>
#include <pp/result_job.hpp>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace pp {

template <class T = void>
class Task;

namespace runtime {

class Activation;
template <class Callable>
class CoroutineCall;

// Owns one coroutine, wherever it stands.
class Coroutine {
 public:
  Coroutine() = default;
  explicit Coroutine(Activation& activation) : activation_(&activation) {}
  Coroutine(Coroutine&& other) noexcept : activation_(std::exchange(other.activation_, nullptr)) {}
  Coroutine& operator=(Coroutine&& other) noexcept {
    Coroutine taken(std::move(other));
    std::swap(activation_, taken.activation_);
    return *this;
  }
  ~Coroutine() { destroy(); }

  void destroy() noexcept;
  // Throws pp::Error if it is empty.
  Activation& activation() const {
    if (activation_ == nullptr)
      throw Error("pp: this task is empty: it was default-constructed or moved from");
    return *activation_;
  }

 private:
  friend class Strand;
  Activation* activation_ = nullptr;
};

// The coroutines of one job, each of which awaits the next; only the last of them runs or waits for
// a future. They never resume each other: whoever calls or returns goes back to the loop in run()
// first, so that the stack does not grow with what they do. Used by one thread at a time.
class Strand final : public Watcher {
 public:
  // Before the first run(). `outermost` stays where it is until it is at its end.
  void start(Coroutine& outermost);
  bool started() const { return started_; }

  // Goes on until the outermost coroutine is at its end: true; or until something that is not done
  // is awaited: false, and then nothing here may be touched: another worker may have gone on
  // already. REQUIRES: called by the execution of `job`, which this is part of and whose reference
  // it takes over with false.
  bool run(Job& job) noexcept;

  // For the coroutine that runs, when it suspends itself: what is to come next.
  static void call(Coroutine& callee, Activation& caller) noexcept;
  void return_to_caller() noexcept;
  void await(Job& job) noexcept { awaited_ = &job; }

  void done(Job& awaited) noexcept override;

 private:
  friend class Home;

  bool suspend(Job& job) noexcept;
  // Destroys the coroutines, the last first: however many they are, the stack does not grow.
  void abandon() noexcept;

  Activation* top_ = nullptr;  // runs, or is to run next
  Job* awaited_ = nullptr;     // the job that it waits for; with a reference while it is suspended
  bool started_ = false;

  // From the first suspension on.
  Job* job_ = nullptr;
  Strand* next_strand_ = nullptr;  // these two: under the lock of Home
  Strand* previous_strand_ = nullptr;
  bool told_ = false;  // `awaited_` is done; likewise while it is suspended
  // Of the frame (this_job()), while it is suspended.
  std::uint64_t children_ = 0;
  std::optional<Random> random_;
};

// Waits for a job without a thread.
class JobAwaiter {
 public:
  JobAwaiter(Strand& strand, Job& job) : strand_(strand), job_(job) {}
  bool await_ready() const noexcept { return job_.done(); }
  void await_suspend(std::coroutine_handle<>) const noexcept { strand_.await(job_); }
  void await_resume() const noexcept {}

 private:
  Strand& strand_;
  Job& job_;
};

template <class T>
class FutureAwaiter : public JobAwaiter {
 public:
  FutureAwaiter(Strand& strand, const Future<T>& future)
      : JobAwaiter(strand, future.job()), future_(future) {}
  decltype(auto) await_resume() const { return future_.get(); }

 private:
  const Future<T>& future_;
};

template <class T>
class OwnFutureAwaiter : public JobAwaiter {
 public:
  OwnFutureAwaiter(Strand& strand, Future<T>&& future)
      : JobAwaiter(strand, future.job()), future_(std::move(future)) {}
  T await_resume() { return std::move(future_).get(); }

 private:
  Future<T> future_;
};

template <class T>
class TaskAwaiter;

template <class T>
inline constexpr bool kIsTask = false;
template <class T>
inline constexpr bool kIsTask<Task<T>> = true;

// What all tasks' promises have in common: a coroutine's place among those of its job.
class Activation {
 public:
  static void* operator new(std::size_t bytes) { return allocate_job(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_job(memory, bytes); }

  // At the end of a coroutine: its caller is next.
  struct Returning {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      self.promise().strand_->return_to_caller();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Returning final_suspend() const noexcept { return {}; }

  template <class T>
  FutureAwaiter<T> await_transform(const Future<T>& future) {
    return {*strand_, future};
  }
  template <class T>
  FutureAwaiter<T> await_transform(Future<T>& future) {
    return {*strand_, future};
  }
  template <class T>
  OwnFutureAwaiter<T> await_transform(Future<T>&& future) {
    return {*strand_, std::move(future)};
  }
  template <class T>
  TaskAwaiter<T> await_transform(Task<T>&& task) {
    return {*this, std::move(task)};
  }
  template <class Other>
  std::suspend_never await_transform(Other&&) {
    static_assert(!kIsTask<std::remove_cvref_t<Other>>,
                  "pp: a task is awaited once and given away: co_await std::move(task)");
    static_assert(kIsTask<std::remove_cvref_t<Other>>,
                  "pp: inside a pp::Task, co_await takes a pp::Future or another pp::Task");
    return {};
  }

 protected:
  explicit Activation(std::coroutine_handle<> handle) : handle_(handle) {}

 private:
  friend class Coroutine;
  friend class Strand;

  const std::coroutine_handle<> handle_;
  Strand* strand_ = nullptr;      // from its begin on; so are these:
  Activation* caller_ = nullptr;  // null: the outermost
  Coroutine* owner_ = nullptr;
};

inline void Coroutine::destroy() noexcept {
  if (activation_ != nullptr) std::exchange(activation_, nullptr)->handle_.destroy();
}

template <class T>
class TaskPromise : public Activation {
 public:
  TaskPromise() : Activation(std::coroutine_handle<TaskPromise>::from_promise(*this)) {}
  Task<T> get_return_object();
  template <class U = T>
  requires std::is_convertible_v<U, T>
  void return_value(U&& value) { outcome_.template emplace<1>(std::forward<U>(value)); }
  void unhandled_exception() noexcept { outcome_.template emplace<2>(std::current_exception()); }
  // REQUIRES: it is at its end.
  T take() {
    if (outcome_.index() == 2) std::rethrow_exception(std::get<2>(std::move(outcome_)));
    return std::get<1>(std::move(outcome_));
  }

 private:
  std::variant<std::monostate, T, std::exception_ptr> outcome_;
};

template <>
class TaskPromise<void> : public Activation {
 public:
  TaskPromise() : Activation(std::coroutine_handle<TaskPromise>::from_promise(*this)) {}
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { error_ = std::current_exception(); }
  void take() {
    if (error_) std::rethrow_exception(std::move(error_));
  }

 private:
  std::exception_ptr error_;
};

}  // namespace runtime

// A coroutine that runs as a job: it may wait for other jobs without keeping a worker or a stack.
//   pp::Task<double> simulate(int steps) {
//     pp::Future<Mesh> mesh = pp::spawn<read_mesh>();     // runs beside this one
//     double energy = 0;
//     for (int i = 0; i < steps; ++i)
//       energy += co_await pp::spawn<step>(co_await mesh, i);
//     co_return energy;
//   }
//   pp::Future<double> energy = rt.submit<simulate>(100);
//
// It does not begin by itself: submit<f> and spawn<f> make a job of it, which any node may begin;
// where it began it ends, on any of that node's workers: after a co_await it may be on another
// thread, and what this_job() gave is void: ask again. Its parameters live until its job is done,
// also those taken by reference. Hold no lock across a co_await.
//
// Inside, co_await takes
// - a Future<T>: gives a `const T&` that lives as long as the future; a temporary (or moved) future
//   gives the value. Rethrows what the job failed with. Waiting with get() works too, but keeps the
//   worker's stack.
// - another Task<U>, which begins then and runs as a part of this job, like a call, to any depth.
//   Once: `co_await helper(x)` or `co_await std::move(task)`.
// Options go into a variable first: g++ 12 destroys aggregates like JobOptions{...} twice when they
// are made inside an expression with co_await:
//     pp::Future<int> urgent = pp::spawn<f>(pp::JobOptions{.priority = pp::Priority::kHigh}, 1);
//     use(co_await urgent);
// A task that nobody awaits or submits never begins. One that waits when its runtime ends does not
// go on: its variables are destroyed, and its future fails with Closed. One that is told to stop
// while it waits goes on when what it waits for is done, and may look:
// this_job().throw_if_stopped().
template <class T>
class [[nodiscard]] Task {
  static_assert(!std::is_reference_v<T>, "pp: a task gives a value, not a reference");

 public:
  // For the compiler.
  using promise_type = runtime::TaskPromise<T>;

  // Empty: awaiting it throws pp::Error.
  Task() = default;

 private:
  friend promise_type;
  friend class runtime::TaskAwaiter<T>;
  template <class>
  friend class runtime::CoroutineCall;

  explicit Task(promise_type& promise) : coroutine_(promise) {}
  promise_type& promise() const { return static_cast<promise_type&>(coroutine_.activation()); }

  runtime::Coroutine coroutine_;
};

namespace runtime {

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(*this);
}
inline Task<void> TaskPromise<void>::get_return_object() { return Task<void>(*this); }

template <class T>
class TaskAwaiter {
 public:
  TaskAwaiter(Activation& caller, Task<T>&& task) : caller_(caller), task_(std::move(task)) {
    task_.coroutine_.activation();  // throws if there is none
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) noexcept { Strand::call(task_.coroutine_, caller_); }
  T await_resume() { return task_.promise().take(); }

 private:
  Activation& caller_;
  Task<T> task_;
};

template <class T>
struct Delivered<Task<T>> : std::type_identity<T> {};

// A function that returns a task, and its arguments, from before the call until after the last of
// its coroutines: so what it takes by reference stays.
template <class Callable>
class CoroutineCall {
 public:
  using Arguments = arguments_of<Callable>;
  using Result = result_of<Callable>;

  template <class... A>
  explicit CoroutineCall(A&&... arguments) : arguments_(std::forward<A>(arguments)...) {}

  // Makes the coroutine; throws what the function throws before it is one.
  void start() {
    task_ = std::apply(callable_, std::move(arguments_));
    strand_.start(task_.coroutine_);
  }
  // After run() gave true: what it returns or throws; once.
  Result take() { return task_.promise().take(); }
  void destroy() noexcept { task_.coroutine_.destroy(); }

  Strand& strand() { return strand_; }
  const Arguments& arguments() const { return arguments_; }

 private:
  [[no_unique_address]] Callable callable_;  // a lambda's coroutine refers to its lambda
  Arguments arguments_;
  Task<Result> task_;
  Strand strand_;
};

template <class Callable>
requires kIsCoroutine<Callable>
class TypedJob<Callable> final : public ResultJob<result_of<Callable>> {
 public:
  using Arguments = arguments_of<Callable>;

  template <class... A>
  explicit TypedJob(A&&... arguments)
      : ResultJob<result_of<Callable>>(kKind, &function_of<Callable>()),
        call_(std::forward<A>(arguments)...) {
    this->state.store(Job::kCoroutine, std::memory_order_relaxed);  // nobody else knows it yet
  }

 private:
  static Ran run(Job& job) noexcept {
    auto& self = static_cast<TypedJob&>(job);
    if (!self.call_.strand().started()) {
      try {
        self.call_.start();
      } catch (...) {
        return self.settle_with([]() -> result_of<Callable> { throw; });
      }
    }
    if (!self.call_.strand().run(job)) return Ran::kSuspended;
    const Ran ran = self.settle_with([&self] { return self.call_.take(); });
    self.call_.destroy();
    return ran;
  }

  CoroutineCall<Callable> call_;

  static constexpr JobKind kKind{
      &TypedJob::run,
      [](const Job& job, codec::Bytes& out) {
        encode_arguments(out, static_cast<const TypedJob&>(job).call_.arguments());
      },
      &TypedJob::store_encoded,
      &TypedJob::store_failure,
      &TypedJob::decode,
      &TypedJob::find_failure,
      nullptr,
      [](Job* job) noexcept { delete static_cast<TypedJob*>(job); },
  };
};

// The call of a coroutine for another node.
class EncodedTask {
 public:
  virtual ~EncodedTask() = default;
  virtual Strand& strand() = 0;
  // After run() gave true: appends the result, or throws what the coroutine threw; once.
  virtual void encode_result(codec::Bytes& out) = 0;
};

template <class Callable>
class EncodedCall final : public EncodedTask {
 public:
  explicit EncodedCall(std::span<const std::byte> arguments)
      : call_(decode_arguments<arguments_of<Callable>>(arguments)) {
    call_.start();
  }
  Strand& strand() override { return call_.strand(); }
  void encode_result(codec::Bytes& out) override {
    if constexpr (std::is_void_v<result_of<Callable>>)
      call_.take();
    else
      runtime::encode_result<result_of<Callable>>(out, call_.take());
  }

 private:
  CoroutineCall<Callable> call_;
};

template <class Callable>
std::unique_ptr<EncodedTask> begin_task(std::span<const std::byte> arguments) {
  return std::make_unique<EncodedCall<Callable>>(arguments);
}

}  // namespace runtime

}  // namespace pp

#pragma GCC visibility pop
