// ResultJob: a job whose result is a value of this process, and the two kinds that a node makes of
// functions: one that may travel, one that stays.
#pragma once

#include <cstring>
#include <memory>
#include <pp/blob.hpp>
#include <pp/codec.hpp>
#include <pp/job.hpp>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace pp::runtime {

// Nothing, as a value: the result of a void function.
struct Nothing {};

// What a future of an R refers to.
template <class R>
class ResultJob : public Job {
 public:
  using Result = R;
  using Stored = std::conditional_t<std::is_void_v<R>, Nothing, R>;

  ~ResultJob() {
    // Relaxed: whoever destroys it has seen the last release().
    if (outcome_.index() == kFailed && !(state.load(std::memory_order_relaxed) & kSeen))
      report_unseen(*this, *std::get<kFailed>(outcome_));
  }

  static void* operator new(std::size_t bytes) { return allocate_job(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_job(memory, bytes); }

  // The value, or throws what the failure stands for. REQUIRES: done(). The first reader of a
  // result from afar decodes it; any number of threads may ask at once.
  Stored& outcome() {
    // Acquire: pairs with the release in decode_once(), for readers that come after the one who
    // decoded.
    if (state.load(std::memory_order_acquire) & kEncoded) decode_once(*this);
    if (outcome_.index() == kFailed) {
      state.fetch_or(kSeen, std::memory_order_relaxed);  // a note for the destructor
      raise(*std::get<kFailed>(outcome_));
    }
    return std::get<kValue>(outcome_);
  }

  // Calls, and stores what that returns or throws, unless the job was settled otherwise meanwhile.
  // REQUIRES: called once, by the execution.
  template <class F>
  Ran settle_with(F&& call) noexcept {
    bool ours = false;
    try {
      if constexpr (std::is_void_v<R>) {
        std::forward<F>(call)();
        ours = settle();
        if (ours) outcome_.template emplace<kValue>();
      } else {
        Stored value = std::forward<F>(call)();
        ours = settle();
        if (ours) outcome_.template emplace<kValue>(std::move(value));
      }
    } catch (...) {
      Failure failure = describe_current_exception(*this);
      ours = ours || settle();
      if (ours) fail(std::move(failure));
    }
    return ours ? Ran::kSettled : Ran::kTooLate;
  }

 protected:
  ResultJob(const JobKind& kind_, const Function* function_) : Job(kind_, function_, 2) {}

  enum : std::size_t { kNone, kValue, kFailed, kEncodedValue };

  void fail(Failure&& failure) {
    outcome_.template emplace<kFailed>(std::make_unique<Failure>(std::move(failure)));
  }
  static ResultJob& typed(Job& job) { return static_cast<ResultJob&>(job); }
  static void store_failure(Job& job, Failure&& failure) { typed(job).fail(std::move(failure)); }
  static const Failure* find_failure(const Job& job) {
    const auto& self = static_cast<const ResultJob&>(job);
    return self.outcome_.index() == kFailed ? std::get<kFailed>(self.outcome_).get() : nullptr;
  }
  static bool store_encoded(Job& job, std::span<const std::byte> result, codec::Bytes* memory) {
    // Bytes that are the value: there is nothing to decode, and nobody's code to run.
    if constexpr (std::is_void_v<R>) {
      if (result.empty()) {
        typed(job).outcome_.template emplace<kValue>();
        return true;
      }
    } else if constexpr (codec::kCopiesIn<R> && std::is_trivially_default_constructible_v<R>) {
      if (result.size() == sizeof(R)) {
        R value;
        std::memcpy(&value, result.data(), sizeof value);
        typed(job).outcome_.template emplace<kValue>(value);
        return true;
      }
    }
    typed(job).outcome_.template emplace<kEncodedValue>(
        memory != nullptr ? std::make_unique<codec::Bytes>(std::move(*memory))
                          : std::make_unique<codec::Bytes>(result.begin(), result.end()));
    return false;
  }
  static void decode(Job& job) {
    ResultJob& self = typed(job);
    const std::unique_ptr<codec::Bytes> encoded = std::get<kEncodedValue>(std::move(self.outcome_));
    if constexpr (std::is_void_v<R>) {
      codec::decode_whole<std::tuple<>>(*encoded);
      self.outcome_.template emplace<kValue>();
    } else {
      self.outcome_.template emplace<kValue>(codec::decode_whole<R>(*encoded));
      codec::put_aside(std::move(*encoded));
    }
  }

 private:
  // Boxed where that keeps the usual case small.
  std::variant<std::monostate, Stored, std::unique_ptr<Failure>, std::unique_ptr<codec::Bytes>>
      outcome_;
};

// A job in memory, typed: nothing is encoded unless it is lent. `Callable` is Constant<f> or a
// stateless functor.
template <class Callable>
class TypedJob final : public ResultJob<result_of<Callable>> {
 public:
  using Arguments = arguments_of<Callable>;

  template <class... A>
  explicit TypedJob(A&&... arguments)
      : ResultJob<result_of<Callable>>(kKind, &function_of<Callable>()),
        arguments_(std::forward<A>(arguments)...) {}

 private:
  static Ran run(Job& job) noexcept {
    auto& self = static_cast<TypedJob&>(job);
    return self.settle_with(
        [&self]() -> decltype(auto) { return std::apply(Callable{}, std::move(self.arguments_)); });
  }

  Arguments arguments_;

  static constexpr JobKind kKind{
      &TypedJob::run,
      [](const Job& job, codec::Bytes& out) {
        encode_arguments(out, static_cast<const TypedJob&>(job).arguments_);
      },
      &TypedJob::store_encoded,
      &TypedJob::store_failure,
      &TypedJob::decode,
      &TypedJob::find_failure,
      nullptr,
      [](Job* job) noexcept { delete static_cast<TypedJob*>(job); },
  };
};

// A callable of any kind, with captures: it never leaves this node. What then() makes of a
// callback.
template <class F>
class CallbackJob final : public ResultJob<std::decay_t<std::invoke_result_t<F&>>> {
 public:
  using Result = std::decay_t<std::invoke_result_t<F&>>;

  explicit CallbackJob(F call) : ResultJob<Result>(kKind, &kFunction), call_(std::move(call)) {}

 private:
  static Ran run(Job& job) noexcept {
    auto& self = static_cast<CallbackJob&>(job);
    return self.settle_with([&self]() -> decltype(auto) { return self.call_(); });
  }

  F call_;

  static constexpr Function kFunction{"a callback of then()",          {},     0, 0, nullptr, false,
                                      Function::Standing::kRegistered, nullptr};
  static constexpr JobKind kKind{
      &CallbackJob::run, nullptr,
      nullptr,           &CallbackJob::store_failure,
      nullptr,           &CallbackJob::find_failure,
      nullptr,           [](Job* job) noexcept { delete static_cast<CallbackJob*>(job); },
  };
};

}  // namespace pp::runtime

#pragma GCC visibility pop
