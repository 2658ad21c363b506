// Batch: the results of one function called for many elements.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <pp/blob.hpp>
#include <pp/bulk.hpp>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

template <class R>
class Batch;

// One element that is done: its place in the range, and its result.
template <class R>
struct Completed {
  std::size_t index;  // its place in the range
  const R& value;     // what its call returned
};
template <>
struct Completed<bool> {
  std::size_t index;
  bool value;
};

// The elements of a batch in the order in which they are done. Single-pass: begin() goes on behind
// the element that was reached last. Used by one thread; may outlive its batch.
template <class R>
class Completions {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using difference_type = std::ptrdiff_t;
    using value_type = std::conditional_t<std::is_void_v<R>, std::size_t, Completed<R>>;
    using reference = value_type;
    using pointer = void;

    iterator() = default;
    // Throws what the element's call threw.
    value_type operator*() const { return all_->current(); }
    iterator& operator++() {
      all_->advance();
      return *this;
    }
    void operator++(int) { all_->advance(); }
    bool operator==(std::default_sentinel_t) const { return all_->over_; }

   private:
    friend class Completions;
    explicit iterator(Completions* all) : all_(all) {}
    Completions* all_ = nullptr;
  };

  // Waits for the first element that is done; inside a job it runs other jobs meanwhile.
  iterator begin() {
    advance();
    return iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

  // For Batch.
  explicit Completions(std::shared_ptr<runtime::Results<R>> results)
      : results_(std::move(results)) {}

 private:
  void advance() {
    if (given_ == results_->size()) {
      over_ = true;
      return;
    }
    if (given_ == 0 || ++element_ == part_.last) {
      part_ = results_->completed(parts_++);
      element_ = part_.first;
      results_->unpack();
    }
    ++given_;
  }

  auto current() const {
    results_->raise_if_failed(element_);
    if constexpr (std::is_void_v<R>) {
      return element_;
    } else {
      return Completed<R>{element_, results_->value(element_)};
    }
  }

  std::shared_ptr<runtime::Results<R>> results_;
  std::size_t given_ = 0;  // elements, the current one included
  std::size_t parts_ = 0;
  std::size_t element_ = 0;
  runtime::Bulk::Range part_{0, 0};
  bool over_ = false;
};

// What map() and parallel_for() return: the promise of a result for each element. Movable, not
// copyable; dropping it is fine, the calls are still made. Every member may be called from any
// thread, inside and outside jobs, as often as you like, unless it says otherwise. Inside a job,
// whatever waits runs other jobs meanwhile (see Future).
template <class R>
class Batch {
 public:
  // An empty batch: as the map of an empty range, but valid() is false.
  Batch() = default;

  // False for a default-constructed or moved-from batch.
  bool valid() const { return results_ != nullptr; }
  // Elements in all, and those that are done, in whatever way.
  std::size_t size() const { return results_ ? results_->size() : 0; }
  std::size_t done() const { return results_ ? results_->done() : 0; }
  bool ready() const { return done() == size(); }

  // Returns when all are done; throws nothing of theirs.
  void wait() const { wait_until(runtime::Clock::time_point::max()); }
  // True when all were done within `limit`.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> limit) const {
    return wait_until(runtime::after(limit));
  }

  // The results are not wanted any more. Elements that nobody has begun fail with Cancelled;
  // running ones are told by their stop tokens, here and on other nodes.
  void cancel() const {
    if (results_) results_->cancel();
  }

  // Waits for all; the results in the order of the range, or throws what the first failed element
  // (by index) threw. The reference lives as long as this batch; a temporary batch gives the
  // results away instead, once.
  decltype(auto) get() const& {
    settle();
    if constexpr (!std::is_void_v<R>) {
      return results_ ? results_->values() : nothing();
    }
  }
  auto get() && {
    settle();
    if constexpr (!std::is_void_v<R>) {
      return results_ ? results_->release() : std::vector<R>();
    }
  }

  // Waits for all; the index of each element that failed, ascending, and what it failed with.
  std::vector<std::pair<std::size_t, std::exception_ptr>> errors() const {
    wait();
    if (!results_) return {};
    results_->unpack();
    return results_->errors();
  }

  // Each element once, as soon as it is done:
  //   for (auto&& [index, value] : batch.as_completed()) show(index, value);
  //   for (std::size_t index : batch_of_void.as_completed()) ...
  // Throws at an element that failed what its call threw; a loop over the same object goes on
  // behind it. The values live as long as the batch or this object, and get() has not given them
  // away.
  Completions<R> as_completed() const { return Completions<R>(results()); }

  // For the runtime.
  explicit Batch(std::shared_ptr<runtime::Results<R>> results) : results_(std::move(results)) {}

 private:
  static const std::vector<std::conditional_t<std::is_void_v<R>, char, R>>& nothing() {
    static const std::vector<std::conditional_t<std::is_void_v<R>, char, R>> none;
    return none;
  }
  const std::shared_ptr<runtime::Results<R>>& results() const {
    if (!results_) throw Error("this batch is empty: it was default-constructed or moved from");
    return results_;
  }
  bool wait_until(runtime::Clock::time_point deadline) const {
    return !results_ || results_->wait_until(deadline);
  }
  void settle() const {
    wait();
    if (!results_) return;
    results_->unpack();
    results_->raise_first();
  }

  std::shared_ptr<runtime::Results<R>> results_;
};

namespace runtime {

template <class T>
void encode_slice(const std::vector<T>& values, std::size_t first, std::size_t last,
                  codec::Bytes& out) {
  codec::encode(out, static_cast<std::uint64_t>(last - first));
  if constexpr (std::is_trivially_copyable_v<T>) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
    codec::encode(out, std::vector<T>(begin, begin + static_cast<std::ptrdiff_t>(last - first)));
  } else {
    for (std::size_t i = first; i < last; ++i) codec::encode(out, values[i]);
  }
}

template <class T>
std::vector<T> decode_slice(std::span<const std::byte>& in) {
  const auto count = codec::decode<std::uint64_t>(in);
  if constexpr (std::is_trivially_copyable_v<T>) {
    auto values = codec::decode<std::vector<T>>(in);
    if (values.size() != count) throw Error("another number of elements than was said");
    return values;
  } else {
    std::vector<T> values;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (in.empty() && codec::fixed_size<T>() != 0) throw Error("elements are missing");
      values.push_back(codec::decode<T>(in));
    }
    return values;
  }
}

// Elements of any type, kept in order. Each is moved out when it is run.
template <class E>
class Elements {
 public:
  using Element = E;

  // Takes whatever has a begin and an end, also what can be walked once only.
  template <class Range>
  static Elements of(Range&& range) {
    Elements elements;
    if constexpr (std::is_same_v<Range, std::vector<Kept>>) {  // an rvalue
      elements.values_ = std::move(range);
    } else {
      if constexpr (requires { range.size(); })
        elements.values_.reserve(static_cast<std::size_t>(range.size()));
      for (auto&& value : range)
        elements.values_.push_back(static_cast<Kept>(std::forward<decltype(value)>(value)));
    }
    return elements;
  }

  std::size_t size() const { return values_.size(); }
  E take(std::size_t i) { return static_cast<E>(std::move(values_[i])); }

  void encode(std::size_t first, std::size_t last, codec::Bytes& out) const {
    encode_slice(values_, first, last, out);
  }
  static Elements decode(std::span<const std::byte>& in) {
    Elements elements;
    elements.values_ = decode_slice<Kept>(in);
    return elements;
  }

  // Of an element when it travels, about.
  std::size_t bytes_each() const {
    if constexpr (codec::fixed_size<E>() != codec::kVaries) {
      return codec::fixed_size<E>();
    } else {
      constexpr std::size_t kSamples = 8;
      const std::size_t samples = std::min(values_.size(), kSamples);
      codec::Bytes bytes;
      try {
        for (std::size_t i = 0; i < samples; ++i)
          codec::encode(bytes, values_[values_.size() / samples * i]);
      } catch (...) {  // the user's own function: whoever lends it will say so
      }
      return samples == 0 ? 0 : bytes.size() / samples;
    }
  }

 private:
  // Neighbours in a vector<bool> cannot be touched by two threads.
  using Kept = std::conditional_t<std::is_same_v<E, bool>, unsigned char, E>;
  std::vector<Kept> values_;
};

// The numbers first, first + 1, ...: nothing is kept, and two numbers travel.
template <class I>
class Indices {
 public:
  using Element = I;

  Indices(I first, std::uint64_t count) : first_(first), count_(count) {}
  static Indices between(I first, I last) {
    return Indices(first, first < last
                              ? static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first)
                              : 0);
  }

  std::size_t size() const { return count_; }
  I take(std::size_t i) const { return static_cast<I>(static_cast<std::uint64_t>(first_) + i); }

  void encode(std::size_t first, std::size_t last, codec::Bytes& out) const {
    codec::encode(out, std::pair(take(first), static_cast<std::uint64_t>(last - first)));
  }
  static Indices decode(std::span<const std::byte>& in) {
    const auto [first, count] = codec::decode<std::pair<I, std::uint64_t>>(in);
    return Indices(first, count);
  }
  std::size_t bytes_each() const { return 0; }

 private:
  I first_;
  std::uint64_t count_;
};

// Whether a range is a std::ranges::iota_view: known by its name, so that users of this file need
// not read <ranges>.
template <class Range>
constexpr bool is_named_iota() {
  const std::string_view name = readable(spelling<Range>());
  return name.starts_with("std::ranges::iota_view<");
}
template <class Range, class E>
concept CountsUp = std::is_integral_v<E> && !std::is_same_v<E, bool> && requires(Range range) {
  requires std::is_integral_v<std::decay_t<decltype(*range.begin())>>;
  range.size();
}
&&is_named_iota<std::remove_cvref_t<Range>>();

// The elements of a range, kept or counted, whichever will do.
template <class E, class Range>
auto elements_of(Range&& range) {
  if constexpr (CountsUp<Range, E>) {
    const auto count = static_cast<std::uint64_t>(range.size());
    return Indices<E>(count == 0 ? E{} : static_cast<E>(*range.begin()), count);
  } else {
    return Elements<E>::of(std::forward<Range>(range));
  }
}

// A function of an element and shared arguments, taken apart.
template <class Arguments>
struct ElementAndShared {
  static_assert(std::tuple_size_v<Arguments> > 0,
                "pp: the function given to a map takes no argument: it must take the element");
};
template <class E, class... S>
struct ElementAndShared<std::tuple<E, S...>> {
  using Element = E;
  using Shared = std::tuple<S...>;
};
template <class Callable>
using element_of = typename ElementAndShared<arguments_of<Callable>>::Element;
template <class Callable>
using shared_of = typename ElementAndShared<arguments_of<Callable>>::Shared;

template <class Callable, class... S>
constexpr bool shared_fit() {
  using Wanted = shared_of<Callable>;
  static_assert(std::tuple_size_v<Wanted> == sizeof...(S),
                "pp: the function of a map takes the element first and then as many arguments as "
                "are given behind the range");
  static_assert(
      std::is_constructible_v<Wanted, S...>,
      "pp: an argument given behind the range does not convert to the function's parameter");
  static_assert(std::is_copy_constructible_v<Wanted>,
                "pp: the arguments behind the range are given to every call, so they must be "
                "copyable");
  return true;
}

template <class Callable, class Element, class Shared>
decltype(auto) call_shared(Element&& element, const Shared& shared) {
  return std::apply(
      [&element](const auto&... rest) -> decltype(auto) {
        return Callable{}(std::forward<Element>(element), rest...);
      },
      shared);
}

// One call per element. `Source` is Elements or Indices.
template <class F, class Source>
class MapWork {
 public:
  using Callable = F;
  using Result = result_of<F>;
  using Shared = shared_of<F>;

  MapWork(Source&& source, Common<Shared>&& shared, std::uint64_t offset = 0)
      : source_(std::move(source)), shared_(std::move(shared)), offset_(offset) {}

  std::size_t size() const { return source_.size(); }
  std::uint64_t calls(std::size_t first, std::size_t last) const { return last - first; }
  decltype(auto) run(std::size_t i, Leaf& leaf) {
    leaf.enter(offset_ + i);
    return call_shared<F>(source_.take(i), *shared_);
  }

  void encode(std::size_t first, std::size_t last, codec::Bytes& out) const {
    codec::encode(out, static_cast<std::uint64_t>(offset_ + first));
    encode_elements(first, last, out);
    shared_.encode(out);
  }
  void encode_elements(std::size_t first, std::size_t last, codec::Bytes& out) const {
    source_.encode(first, last, out);
  }
  void encode_shared(codec::Bytes& out) const { shared_.encode_plain(out); }
  static MapWork decode(std::span<const std::byte>& in) {
    const auto offset = codec::decode<std::uint64_t>(in);
    Source source = Source::decode(in);
    if (source.size() > kMost) throw Error("more elements than a piece of a map may have");
    return MapWork(std::move(source), Common<Shared>::decode(in), offset);
  }
  std::size_t most_per_piece() const {
    const std::size_t bytes = source_.bytes_each();
    if (bytes == 0) return kMost;
    return std::clamp<std::size_t>(Bulk::kBytesPerPiece / bytes, 1, kMost);
  }

 private:
  // Where neither arguments nor results take room there is no reason for a limit.
  static constexpr std::size_t kMost =
      std::is_void_v<Result> && std::is_same_v<Source, Indices<typename Source::Element>>
          ? ~std::size_t{0}
          : Bulk::kMostPerPiece;

  Source source_;
  Common<Shared> shared_;
  std::uint64_t offset_;  // of the first element in the whole
};

template <class Callable, class Range, class... S>
auto map_with(Node& node, JobOptions options, Range&& range, S&&... shared) {
  static_assert(shared_fit<Callable, S&&...>());
  auto source = elements_of<element_of<Callable>>(std::forward<Range>(range));
  using Work = MapWork<Callable, decltype(source)>;
  return Batch<result_of<Callable>>(
      start_bulk(node, std::move(options),
                 Work(std::move(source), shared_of<Callable>(std::forward<S>(shared)...))));
}

template <class Callable, class First, class Last, class... S>
auto for_with(Node& node, JobOptions options, First first, Last last, S&&... shared) {
  static_assert(shared_fit<Callable, S&&...>());
  using I = element_of<Callable>;
  static_assert(std::is_integral_v<I> && !std::is_same_v<I, bool>,
                "pp: the function of a parallel_for takes an integer first");
  static_assert(std::is_void_v<result_of<Callable>>,
                "pp: the function of a parallel_for returns nothing; use map for results");
  using Source = Indices<I>;
  return Batch<void>(start_bulk(
      node, std::move(options),
      MapWork<Callable, Source>(Source::between(static_cast<I>(first), static_cast<I>(last)),
                                shared_of<Callable>(std::forward<S>(shared)...))));
}

// Options first, if any.
template <class First>
inline constexpr bool kOptionsFirst = std::is_same_v<std::remove_cvref_t<First>, JobOptions>;

template <class Callable, class First, class... A>
auto map_on(Node& node, First&& first, A&&... rest) {
  if constexpr (kOptionsFirst<First>) {
    return map_with<Callable>(node, std::forward<First>(first), std::forward<A>(rest)...);
  } else {
    return map_with<Callable>(node, JobOptions{}, std::forward<First>(first),
                              std::forward<A>(rest)...);
  }
}
template <class Callable, class First, class... A>
auto for_on(Node& node, First&& first, A&&... rest) {
  if constexpr (kOptionsFirst<First>) {
    return for_with<Callable>(node, std::forward<First>(first), std::forward<A>(rest)...);
  } else {
    return for_with<Callable>(node, JobOptions{}, std::forward<First>(first),
                              std::forward<A>(rest)...);
  }
}

}  // namespace runtime

}  // namespace pp

#pragma GCC visibility pop
