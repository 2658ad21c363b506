// Reduction: one value made of a function's results for many elements, in an order that is fixed.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <pp/batch.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace pp {

// What map_reduce() and parallel_reduce() return: the promise of their value. The elements are
// taken in blocks whose bounds depend on nothing but how many elements there are; each block is
// folded from left to right, and the blocks' values are folded from left to right onto `init`:
//   op(op(init, block 0), block 1) ...      block = op(op(T(f(x0)), f(x1)), f(x2)) ...
// So the result has the same bits for any number of workers and nodes, also where op rounds; it is
// that of a plain loop if op is associative. Movable, not copyable. Any thread, as often as you
// like; inside a job, whatever waits runs other jobs meanwhile.
template <class T>
class Reduction {
 public:
  // An empty one: valid() is false, and nothing else may be called.
  Reduction() = default;

  // As of a Future.
  bool valid() const { return total_ != nullptr; }
  bool ready() const { return total_->blocks->done() == total_->blocks->size(); }
  void wait() const { total_->blocks->wait_until(runtime::Clock::time_point::max()); }
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> limit) const {
    return total_->blocks->wait_until(runtime::after(limit));
  }
  // As Batch::cancel().
  void cancel() const { total_->blocks->cancel(); }

  // Waits; the value, or throws what the first block that failed threw. A temporary gives it away.
  // The last fold, over at most 16384 values, is made by the first caller on its own thread; what
  // op throws there comes out here.
  const T& get() const& { return value(); }
  T get() && { return std::move(value()); }

  // For the runtime.
  Reduction(std::shared_ptr<runtime::Results<T>> blocks, T&& init, T (*op)(T&&, const T&))
      : total_(std::make_unique<Total>(std::move(blocks), std::move(init), op)) {}

 private:
  struct Total {
    Total(std::shared_ptr<runtime::Results<T>> blocks_, T&& init_, T (*op_)(T&&, const T&))
        : blocks(std::move(blocks_)), init(std::move(init_)), op(op_) {}
    const std::shared_ptr<runtime::Results<T>> blocks;
    const T init;
    T (*const op)(T&&, const T&);
    std::mutex folding;
    std::optional<T> value;
  };

  T& value() const {
    wait();
    total_->blocks->unpack();
    total_->blocks->raise_first();
    const std::lock_guard one_folds(total_->folding);
    if (!total_->value) {
      T value = total_->init;
      for (const T& block : total_->blocks->values()) value = total_->op(std::move(value), block);
      total_->value.emplace(std::move(value));
    }
    return *total_->value;
  }

  std::unique_ptr<Total> total_;
};

namespace runtime {

// The most blocks a reduction is cut into: many enough to share out, few enough to be folded by
// one.
inline constexpr std::uint64_t kMostBlocks = 16384;

// An element of this bulk is a block of the source's.
template <class F, class Op, class T, class Source>
class FoldWork {
 public:
  using Callable = F;
  using Result = T;
  using Shared = shared_of<F>;

  // REQUIRES: block > 0.
  FoldWork(Source&& source, Common<Shared>&& shared, std::uint64_t block, std::uint64_t offset = 0)
      : source_(std::move(source)), shared_(std::move(shared)), block_(block), offset_(offset) {}

  // That many elements make blocks of this size.
  static std::uint64_t block_size(std::uint64_t elements) {
    return elements / kMostBlocks + (elements % kMostBlocks != 0 ? 1 : 0);
  }

  std::size_t size() const { return source_.size() / block_ + (source_.size() % block_ != 0); }
  std::uint64_t calls(std::size_t first, std::size_t last) const {
    return end(last) - first * block_;
  }

  T run(std::size_t i, Leaf& leaf) {
    const std::uint64_t last = end(i + 1);
    std::uint64_t element = i * block_;
    const auto call = [&]() -> decltype(auto) {
      leaf.enter(offset_ + element);
      return call_shared<F>(source_.take(element), *shared_);
    };
    T folded = static_cast<T>(call());
    while (++element < last) folded = Op{}(std::move(folded), call());
    return folded;
  }

  void encode(std::size_t first, std::size_t last, codec::Bytes& out) const {
    codec::encode(out, std::pair<std::uint64_t, std::uint64_t>(block_, offset_ + first * block_));
    encode_elements(first, last, out);
    shared_.encode(out);
  }
  void encode_elements(std::size_t first, std::size_t last, codec::Bytes& out) const {
    source_.encode(first * block_, end(last), out);
  }
  void encode_shared(codec::Bytes& out) const { shared_.encode_plain(out); }
  static FoldWork decode(std::span<const std::byte>& in) {
    const auto [block, offset] = codec::decode<std::pair<std::uint64_t, std::uint64_t>>(in);
    if (block == 0) throw Error("a block of no elements");
    Source source = Source::decode(in);
    if (source.size() / block > kMostBlocks) throw Error("more blocks than a reduction may have");
    return FoldWork(std::move(source), Common<Shared>::decode(in), block, offset);
  }
  std::size_t most_per_piece() const {
    const std::size_t bytes = source_.bytes_each() * block_;
    if (bytes == 0) return kMostBlocks;
    return std::max<std::size_t>(Bulk::kBytesPerPiece / bytes, 1);
  }

 private:
  // Where the blocks before this one end.
  std::uint64_t end(std::size_t block) const {
    return std::min<std::uint64_t>(block * block_, source_.size());
  }

  Source source_;
  Common<Shared> shared_;
  std::uint64_t block_;
  std::uint64_t offset_;  // of the first element in the whole
};

// Whether nothing is lost when a value becomes a T; for numbers alone.
template <class T, class From>
constexpr bool keeps_numbers() {
  if constexpr (std::is_arithmetic_v<T> && std::is_arithmetic_v<From>) return requires {
      T{std::declval<From>()};
    };
  else
    return true;
}

// An operation whose parameters are known (no template) takes a T second, and not what a T would
// silently be made into.
template <class Op, class T>
constexpr bool takes_two_of() {
  if constexpr (HasSignature<Op>)
    return std::is_same_v<std::tuple_element_t<1, arguments_of<Op>>, T>;
  else
    return true;
}

template <class F, class Op, class Source, class T, class... S>
Reduction<T> fold_with(Node& node, JobOptions&& options, Source&& source, T init, S&&... shared) {
  static_assert(shared_fit<F, S&&...>());
  static_assert(!std::is_void_v<result_of<F>>,
                "pp: the function of a reduction must return a value");
  static_assert(
      std::is_empty_v<Op>,
      "pp: the operation of a reduction must not capture anything: it is run on other nodes");
  static_assert(std::is_invocable_r_v<T, Op, T, result_of<F>> && std::is_invocable_r_v<T, Op, T, T>,
                "pp: the operation of a reduction takes (T, f's result) and (T, T) and returns T, "
                "where T is the type of the initial value");
  static_assert(takes_two_of<Op, T>(),
                "pp: the operation of a reduction joins the values of blocks, too: its second "
                "parameter must be of the initial value's type");
  static_assert(
      keeps_numbers<T, std::invoke_result_t<Op, T, result_of<F>>>(),
      "pp: the initial value's type is too narrow for what the operation returns: give it "
      "that type, e.g. std::uint64_t{0} or 0.0 instead of 0");
  static_assert(std::is_copy_constructible_v<T>, "pp: the value of a reduction must be copyable");
  static_assert(sizeof(MustTravel<T>) > 0);
  using Work = FoldWork<F, Op, T, Source>;
  const std::uint64_t block = std::max<std::uint64_t>(Work::block_size(source.size()), 1);
  return Reduction<T>(
      start_bulk(node, std::move(options),
                 Work(std::move(source), shared_of<F>(std::forward<S>(shared)...), block)),
      std::move(init), [](T&& left, const T& right) -> T { return Op{}(std::move(left), right); });
}

template <class F, class Op, class First, class... A>
auto map_reduce_on(Node& node, First&& first, A&&... rest) {
  if constexpr (kOptionsFirst<First>) {
    return [&](auto&& range, auto init, auto&&... shared) {
      return fold_with<F, Op>(node, JobOptions(std::forward<First>(first)),
                              elements_of<element_of<F>>(std::forward<decltype(range)>(range)),
                              std::move(init), std::forward<decltype(shared)>(shared)...);
    }(std::forward<A>(rest)...);
  } else {
    return map_reduce_on<F, Op>(node, JobOptions{}, std::forward<First>(first),
                                std::forward<A>(rest)...);
  }
}

template <class F, class Op, class First, class... A>
auto parallel_reduce_on(Node& node, First&& first, A&&... rest) {
  using I = element_of<F>;
  static_assert(std::is_integral_v<I> && !std::is_same_v<I, bool>,
                "pp: the function of a parallel_reduce takes an integer first");
  if constexpr (kOptionsFirst<First>) {
    return [&](auto begin, auto end, auto init, auto&&... shared) {
      return fold_with<F, Op>(node, JobOptions(std::forward<First>(first)),
                              Indices<I>::between(static_cast<I>(begin), static_cast<I>(end)),
                              std::move(init), std::forward<decltype(shared)>(shared)...);
    }(std::forward<A>(rest)...);
  } else {
    return parallel_reduce_on<F, Op>(node, JobOptions{}, std::forward<First>(first),
                                     std::forward<A>(rest)...);
  }
}

}  // namespace runtime

}  // namespace pp

#pragma GCC visibility pop
