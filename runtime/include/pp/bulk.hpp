// Bulk: many calls under one count: cut into pieces, run or lent piece by piece, awaited together.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <pp/event.hpp>
#include <pp/function_table.hpp>
#include <pp/future.hpp>
#include <pp/job_options.hpp>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::runtime {

class Bulk;
class JobLog;
struct Frame;
struct Piece;

// Consecutive elements that a worker runs at one go: as many as take about kLeafTime. It looks at
// the clock every microsecond or so and ends early when elements turn out slower than thought, so
// that the rest can be shared out. Used by the worker that runs it.
class Leaf {
 public:
  // Sets [next, end): run these, then ask again. False: this leaf is over; what lies beyond `next`
  // is somebody else's.
  bool window() noexcept;

  std::size_t next;     // the first element not run yet; whoever runs them moves it on
  std::size_t end = 0;  // of the window

  // Gives what runs from here on the identity of element `index` of the whole bulk:
  // this_job().id(), random() and the ids of its children depend on nothing else.
  void enter(std::uint64_t index) noexcept;

  // Element `element` failed with the exception being handled.
  void failed(std::size_t element);

  bool told_to_stop() const noexcept { return job_.told_to_stop(); }

 private:
  friend struct Piece;
  Leaf(Bulk& bulk, Frame& frame, const Job& job, std::uint64_t seed, std::size_t first,
       std::size_t last);

  Bulk& bulk_;
  Frame& frame_;
  const Job& job_;
  const std::uint64_t seed_;
  const std::size_t last_;
  Clock::time_point begun_;
  Clock::time_point looked_;  // at the beginning of the window
  std::size_t first_;
  std::size_t begin_;  // of the window
  std::size_t width_ = 1;
};

// The calls' state, shared by the batch that the user holds and the pieces that work it off.
//
// It is cut into at most kPieces equal pieces (more if they would be too large to lend); each is a
// job: it waits in the queues, is stolen, lent, retried and cancelled like any other. A worker that
// runs a piece splits it by halves, lets the upper halves be taken by others, and runs what is left
// when that is a leaf (lazy binary splitting). What a leaf is follows from the time that elements
// of this bulk have taken so far; one element at first. Nobody waits for pieces: they are counted.
//
// A borrower makes a bulk of its own of the piece it was given, so that all its workers and further
// thieves share it, and sends home values and failures of all its elements.
//
// Any thread may call any member.
class Bulk : public std::enable_shared_from_this<Bulk> {
 public:
  static constexpr std::size_t kPieces = 64;
  static constexpr std::size_t kMostPerPiece = 65536;         // elements with arguments or results
  static constexpr std::size_t kBytesPerPiece = 1024 * 1024;  // of encoded arguments, about

  virtual ~Bulk();
  Bulk(const Bulk&) = delete;
  Bulk& operator=(const Bulk&) = delete;

  // Hands the pieces to the node; inside a job of this node as its children. Throws pp::Error for
  // options that make no sense here. REQUIRES: called once.
  void start(Node& node, JobOptions&& options, std::size_t most_per_piece);
  // In a job that was borrowed: does all of it and returns.
  struct Terms {
    std::uint64_t seed;
    std::uint32_t picoseconds;  // per element, as far as the owner knows
    bool stays;                 // it was placed on this node
  };
  void serve(const Terms& terms);
  // What serve() leaves: failures for take(), then the values.
  void report(codec::Bytes& out);

  std::size_t size() const { return size_; }
  std::size_t done() const { return size_ - left_.load(std::memory_order_acquire); }
  bool wait_until(Clock::time_point deadline);
  void cancel();

  // After all are done: throws the failure of the lowest index, if there is one.
  void raise_first();
  // After all are done, by index.
  std::vector<std::pair<std::size_t, std::exception_ptr>> errors();
  // Throws if the element failed. REQUIRES: it is done.
  void raise_if_failed(std::size_t element);

  // A part that was completed at one go.
  struct Range {
    std::size_t first, last;
  };
  // The n-th part in the order of completion; waits until there is one. REQUIRES: n parts before it
  // do not hold all elements.
  Range completed(std::size_t n);
  // Decodes the results that came from other nodes since the last call.
  void unpack();

 protected:
  Bulk(std::size_t size, const Function& function);

  // Runs windows of the leaf until it is over.
  virtual void run(Leaf& leaf) noexcept = 0;
  virtual void encode(std::size_t first, std::size_t last, codec::Bytes& out) const = 0;
  // What the elements are, without what all calls share; and that alone. For the job log, which has
  // to know them again.
  virtual void encode_elements(std::size_t first, std::size_t last, codec::Bytes& out) const = 0;
  virtual void encode_shared(codec::Bytes& out) const = 0;
  virtual void encode_values(std::size_t first, std::size_t last, codec::Bytes& out) const = 0;
  // Takes the values of [first, last) as encode_values() of that part wrote them. Throws if they
  // are not.
  virtual void keep(std::size_t first, std::size_t last, std::span<const std::byte> values) = 0;
  // Calls of the user's function that elements [first, last) stand for.
  virtual std::uint64_t calls(std::size_t first, std::size_t last) const { return last - first; }

 private:
  friend struct Piece;
  friend class Leaf;
  struct Books;

  // Its place in a job log.
  struct Recorded;
  // Of pieces that come from outside of jobs: numbers of the node's.
  struct Identities {
    std::uint64_t first;
    std::size_t count;
  };

  void prepare(Node& node);
  void cut(Node& node, const std::vector<Range>& parts, std::optional<std::uint64_t> seed,
           const Identities* identities);
  std::uint64_t enter(JobLog& log, std::uint64_t seed, std::size_t most_per_piece);
  std::vector<Range> take_recorded();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> failed_among(std::size_t first,
                                                                    std::size_t last);
  void record(std::size_t first, std::size_t last) noexcept;
  void record(std::size_t first, std::size_t last, std::span<const std::byte> values,
              bool may_wait) noexcept;
  bool split_off(const Piece& from, std::size_t first, std::size_t last) noexcept;
  void list(Piece& piece);
  void unlist(Piece& piece) noexcept;
  void complete(std::size_t first, std::size_t last);
  void fail(std::size_t first, std::size_t last, Failure&& failure);
  bool has_failed(std::size_t element) const;
  void arrived(const Piece& piece, codec::Bytes&& outcome);
  std::size_t leaf_size() const noexcept;
  void measured(std::size_t elements, Clock::duration took) noexcept;

  const std::size_t size_;
  const Function& function_;
  Home* home_ = nullptr;
  bool counted_ = false;  // in the program's progress; set before it is cut
  JobOptions options_;
  std::uint32_t earlier_attempts_ = 0;  // of the piece that was borrowed
  // Elements not done. Release: publishes their values; acquire: pairs with it in done().
  std::atomic<std::size_t> left_;
  std::atomic<std::size_t> failed_{0};
  // Nanoseconds per element; 0: unknown. Relaxed: an estimate.
  std::atomic<float> pace_{0};
  std::atomic<bool> seen_{false};       // somebody has looked at the failures
  std::unique_ptr<Recorded> recorded_;  // null unless a job log keeps what is done; set by start()
  Event all_done_;
  std::unique_ptr<Books> books_;
};

// The node whose job runs on this thread. Throws pp::Error, naming `what`, outside jobs.
Node& node_of_this_job(const char* what);

// Values of type R, one per element, each written where the user will find it.
template <class R>
class Results : public Bulk {
 public:
  static_assert(std::is_default_constructible_v<R> && std::is_move_assignable_v<R>,
                "pp: the results of a map need a default constructor and a move assignment");

  // REQUIRES: all are done, unpacked, and none failed.
  const std::vector<R>& values() {
    if constexpr (std::is_same_v<R, bool>) {
      const std::lock_guard lock(gathering_);
      if (bools_.empty()) bools_.assign(slots_.begin(), slots_.end());
      return bools_;
    } else {
      return slots_;
    }
  }
  std::vector<R> release() { return std::move(const_cast<std::vector<R>&>(values())); }

  // REQUIRES: it is done, unpacked, and did not fail.
  decltype(auto) value(std::size_t element) const {
    if constexpr (std::is_same_v<R, bool>) {
      return slots_[element] != 0;
    } else {
      return static_cast<const R&>(slots_[element]);
    }
  }

 protected:
  // Neighbours in a vector<bool> cannot be written by two threads.
  using Slot = std::conditional_t<std::is_same_v<R, bool>, unsigned char, R>;

  Results(std::size_t size, const Function& function) : Bulk(size, function), slots_(size) {}

  void encode_values(std::size_t first, std::size_t last, codec::Bytes& out) const override {
    codec::encode_sequence(out, std::span(slots_).subspan(first, last - first));
  }
  void keep(std::size_t first, std::size_t last, std::span<const std::byte> values) override {
    auto arrived = codec::decode_whole<std::vector<Slot>>(values);
    if (arrived.size() != last - first) throw Error("another number of results than elements");
    std::move(arrived.begin(), arrived.end(), slots_.begin() + static_cast<std::ptrdiff_t>(first));
  }

  std::vector<Slot> slots_;

 private:
  std::mutex gathering_;
  std::vector<bool> bools_;  // if R is bool: made for the first who asks
};

template <>
class Results<void> : public Bulk {
 protected:
  using Bulk::Bulk;
  void encode_values(std::size_t, std::size_t, codec::Bytes&) const override {}
  void keep(std::size_t, std::size_t, std::span<const std::byte> values) override {
    codec::decode_whole<std::tuple<>>(values);
  }
};

// A bulk of what `Work` does. A Work is a value with
//   Callable, Result      the user's function as a type, and what one element gives
//   size()                how many elements there are
//   run(i, leaf)          element i; called once at most; enters its identity first
//   calls(first, last)    of the user's function
//   encode(first, last, out), decode(in)    a Work of these elements alone, as bytes
//   encode_elements(first, last, out), encode_shared(out)    what it is made of
//   most_per_piece()      elements that may be lent together
template <class Work>
class BulkOf final : public Results<typename Work::Result> {
 public:
  explicit BulkOf(Work&& work)
      : Results<typename Work::Result>(work.size(), function_of_pieces()), work_(std::move(work)) {}

  const Work& work() const { return work_; }

 private:
  void run(Leaf& leaf) noexcept override {
    while (leaf.window()) {
      std::size_t i = leaf.next;
      const std::size_t end = leaf.end;
      do {
        try {
          if constexpr (std::is_void_v<typename Work::Result>) {
            work_.run(i, leaf);
          } else {
            this->slots_[i] = work_.run(i, leaf);
          }
        } catch (...) {
          leaf.failed(i);
        }
        ++i;
      } while (i < end && !leaf.told_to_stop());
      leaf.next = i;
    }
  }
  void encode(std::size_t first, std::size_t last, codec::Bytes& out) const override {
    work_.encode(first, last, out);
  }
  void encode_elements(std::size_t first, std::size_t last, codec::Bytes& out) const override {
    work_.encode_elements(first, last, out);
  }
  void encode_shared(codec::Bytes& out) const override { work_.encode_shared(out); }
  std::uint64_t calls(std::size_t first, std::size_t last) const override {
    return work_.calls(first, last);
  }

  // What a borrower does with a piece.
  static void run_encoded(std::span<const std::byte> arguments, codec::Bytes& result) {
    const Bulk::Terms terms = codec::decode<Bulk::Terms>(arguments);
    const auto bulk = std::make_shared<BulkOf>(Work::decode(arguments));
    if (!arguments.empty()) throw Error("bytes left over behind a piece of a map");
    bulk->serve(terms);
    bulk->report(result);
  }

  using Callable = typename Work::Callable;
  static_assert(
      std::is_same_v<result_of<Callable>, std::decay_t<typename SignatureOf<Callable>::Returned>>,
      "pp: a coroutine cannot be mapped: submit it, or map a function that waits with get().");
  static inline constinit Function pieces{NameOf<Callable>::value,
                                          {},
                                          0,
                                          codec::mix(codec::fingerprint<arguments_of<Callable>>(),
                                                     codec::fingerprint<result_of<Callable>>()),
                                          &run_encoded,
                                          false,
                                          Function::Standing::kRegistered,
                                          nullptr};
  static inline const bool registered = FunctionTable::add(pieces, typeid(BulkOf).name());

  static const Function& function_of_pieces() {
    static_cast<void>(function_of<Callable>());  // says what is wrong if it cannot be a job
    [[maybe_unused]] const bool* pin = &registered;
    return pieces;
  }

  Work work_;
};

template <class Work>
std::shared_ptr<BulkOf<Work>> start_bulk(Node& node, JobOptions&& options, Work&& work) {
  const std::size_t most = work.most_per_piece();
  auto bulk = std::make_shared<BulkOf<Work>>(std::move(work));
  bulk->start(node, std::move(options), most);
  return bulk;
}

}  // namespace pp::runtime

#pragma GCC visibility pop
