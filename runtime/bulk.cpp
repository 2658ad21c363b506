// Bulk: the pieces, the leaves, and the books in which their outcomes are written.
#include <algorithm>
#include <cassert>
#include <map>
#include <pp/bulk.hpp>
#include <pp/this_job.hpp>

#include "bulk_log.hpp"
#include "guarded.hpp"
#include "node.hpp"
#include "particulars.hpp"

namespace pp::runtime {

namespace {

// What a leaf should take: long beside the cost of a piece (some hundred nanoseconds), short beside
// the time that others wait for the last one.
constexpr std::chrono::microseconds kLeafTime{80};
// A leaf that takes longer than this hands on what is left of it.
constexpr std::chrono::microseconds kTooLong{300};
// Between two looks at the clock, which costs 25 ns.
constexpr std::chrono::nanoseconds kWindowTime{2000};

// [first, last) in so many parts that are as equal as can be.
void cut_evenly(std::size_t first, std::size_t last, std::size_t count,
                std::vector<Bulk::Range>& into) {
  const std::size_t size = last - first;
  const auto begin = [&](std::size_t i) {
    return first + size / count * i + std::min(i, size % count);
  };
  for (std::size_t i = 0; i < count; ++i) into.push_back({begin(i), begin(i + 1)});
}

std::size_t divided_up(std::size_t size, std::size_t by) {
  return size / by + (size % by != 0 ? 1 : 0);
}

}  // namespace

// A part of a bulk that nobody has begun, or that one worker or one other node has.
struct Piece final : Job {
  // No seed: it is the first of all, and its own id is the bulk's.
  Piece(Bulk& bulk_, const Function& function_, std::size_t first_, std::size_t last_,
        std::optional<std::uint64_t> seed_)
      : Job(kKind, &function_, 1),
        bulk(bulk_.shared_from_this()),
        first(first_),
        last(last_),
        given_seed(seed_) {}

  static void* operator new(std::size_t bytes) { return allocate_job(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_job(memory, bytes); }

  std::uint64_t seed() const { return given_seed.value_or(id); }

  static Piece& of(Job& job) { return static_cast<Piece&>(job); }
  static Ran run(Job& job) noexcept;
  static void encode_arguments(const Job& job, codec::Bytes& out);
  static bool store_encoded(Job& job, std::span<const std::byte> result, codec::Bytes* memory);
  static void store_failure(Job& job, Failure&& failure);
  static void deliver(Job& job) noexcept;
  static void destroy(Job* job) noexcept;
  static const JobKind kKind;

  const std::shared_ptr<Bulk> bulk;
  const std::size_t first;
  std::size_t last;  // changed by the holder of the claim
  const std::optional<std::uint64_t> given_seed;
  bool ran = false;  // and its outcome is still to be written in the books
  // The list of those that are open; the books'.
  bool listed = false;
  Piece* before = nullptr;
  Piece* behind = nullptr;
};

// All under one lock, which is taken a few times per leaf.
struct Bulk::Books {
  struct Arrived {
    std::size_t first, last;
    codec::Bytes outcome;
    std::size_t values_at;             // where in it the values begin
    std::vector<Luggage::Item> blobs;  // that belong to them
  };
  struct Failed {
    std::size_t last;
    Failure failure;
  };
  struct Content {
    Piece* open = nullptr;  // pieces that may have to be told to stop
    bool stopped = false;
    std::vector<Range> log;                  // in order of completion
    Event newer;                             // not null: somebody waits for the log to grow
    std::vector<Arrived> arrived;            // from other nodes, not decoded yet
    std::map<std::size_t, Failed> failures;  // by first index; no two overlap
  };
  Guarded<Content> content;
  std::mutex unpacking;  // by one reader at a time
};

const JobKind Piece::kKind{
    &Piece::run,           &Piece::encode_arguments,
    &Piece::store_encoded, &Piece::store_failure,
    [](Job&) {},           [](const Job&) -> const Failure* { return nullptr; },
    &Piece::deliver,       &Piece::destroy};

Ran Piece::run(Job& job) noexcept {
  Piece& piece = of(job);
  Bulk& bulk = *piece.bulk;
  Frame& frame = *Crew::current()->frame;
  piece.ran = true;
  frame.earlier_attempts = bulk.earlier_attempts_;
  std::size_t reached = piece.first;
  for (;;) {
    while (piece.last - reached > bulk.leaf_size()) {
      const std::size_t middle = reached + (piece.last - reached) / 2;
      if (!bulk.split_off(piece, middle, piece.last)) break;
      piece.last = middle;
    }
    Leaf leaf(bulk, frame, job, piece.seed(), reached, piece.last);
    bulk.run(leaf);
    reached = leaf.next;
    if (reached == piece.last) break;
    if (job.told_to_stop()) {
      bulk.fail(reached, piece.last, cancelled(job));
      break;
    }
    if (bulk.split_off(piece, reached, piece.last)) {
      piece.last = reached;
      break;
    }
  }
  frame.counts = bulk.calls(piece.first, reached);
  // What was told to stop may have returned half of what it would have. Before deliver(): then the
  // values are the user's.
  if (bulk.recorded_ && reached > piece.first && !job.told_to_stop())
    bulk.record(piece.first, reached);
  return Ran::kSettled;
}

void Piece::encode_arguments(const Job& job, codec::Bytes& out) {
  const auto& piece = static_cast<const Piece&>(job);
  const float picoseconds = piece.bulk->pace_.load(std::memory_order_relaxed) * 1000;
  codec::encode(out, Bulk::Terms{piece.seed(),
                                 static_cast<std::uint32_t>(std::clamp(picoseconds, 0.0F, 4e9F)),
                                 job.place != Where::Kind::kAnywhere});
  piece.bulk->encode(piece.first, piece.last, out);
}

// On the courier: no value of the user's is decoded here.
bool Piece::store_encoded(Job& job, std::span<const std::byte> result, codec::Bytes* memory) {
  Piece& piece = of(job);
  piece.bulk->unlist(piece);
  piece.bulk->arrived(
      piece, memory != nullptr ? std::move(*memory) : codec::Bytes(result.begin(), result.end()));
  piece.bulk->complete(piece.first, piece.last);
  return false;
}

void Piece::store_failure(Job& job, Failure&& failure) {
  Piece& piece = of(job);
  piece.bulk->unlist(piece);
  piece.bulk->fail(piece.first, piece.last, std::move(failure));
  piece.bulk->complete(piece.first, piece.last);
}

// Not in run(): whoever sees the elements done finds them in the statistics.
void Piece::deliver(Job& job) noexcept {
  Piece& piece = of(job);
  if (!piece.ran) return;
  piece.bulk->unlist(piece);
  piece.bulk->complete(piece.first, piece.last);
}

void Piece::destroy(Job* job) noexcept {
  Piece& piece = of(*job);
  if (piece.listed) piece.bulk->unlist(piece);  // it could not be submitted
  delete &piece;
}

Leaf::Leaf(Bulk& bulk, Frame& frame, const Job& job, std::uint64_t seed, std::size_t first,
           std::size_t last)
    : next(first),
      bulk_(bulk),
      frame_(frame),
      job_(job),
      seed_(seed),
      last_(last),
      begun_(Clock::now()),
      looked_(begun_),
      first_(first),
      begin_(first) {}

bool Leaf::window() noexcept {
  if (next != begin_) {
    const Clock::time_point now = Clock::now();
    const Clock::duration took = now - looked_;
    if (next == last_) {
      bulk_.measured(next - first_, now - begun_);
      return false;
    }
    if (now - begun_ > kTooLong) {
      // What the last ones took is what the next ones are likely to take.
      bulk_.measured(next - begin_, took);
      return false;
    }
    if (took < kWindowTime / 2) {
      width_ *= 2;
    } else if (took > kWindowTime * 2) {
      width_ = std::max<std::size_t>(width_ / 4, 1);
    }
    looked_ = now;
  }
  if (job_.told_to_stop()) return false;
  begin_ = next;
  end = next + std::min(width_, last_ - next);
  return true;
}

void Leaf::enter(std::uint64_t index) noexcept {
  frame_.id = derive(seed_, index);
  frame_.children = 0;
  frame_.random.reset();
}

void Leaf::failed(std::size_t element) {
  Failure failure = describe_current_exception(job_);
  Crew::current()->tally.count_failure(job_.function);
  bulk_.fail(element, element + 1, std::move(failure));
}

Bulk::Bulk(std::size_t size, const Function& function)
    : size_(size), function_(function), left_(size), books_(std::make_unique<Books>()) {}

Bulk::~Bulk() {
  const std::size_t failed = failed_.load(std::memory_order_relaxed);
  if (failed == 0 || seen_.load(std::memory_order_relaxed) || home_ == nullptr) return;
  const auto& [index, first] = *books_->content.lock()->failures.begin();
  if (first.failure.kind == Failure::Kind::kCancelled ||
      first.failure.kind == Failure::Kind::kClosed)
    return;
  try {
    std::string what;
    try {
      raise(first.failure);
    } catch (const std::exception& error) {
      what = error.what();
    }
    std::string title(function_.name);
    if (!options_.label.empty()) title += " (" + options_.label + ")";
    home_->warn("nobody asked for the results of " + std::to_string(size_) + " calls of " + title +
                ", of which " + std::to_string(failed) + " failed; the first is number " +
                std::to_string(index) + ": " + what);
  } catch (...) {  // no memory for a sentence: nobody asked for it
  }
}

void Bulk::start(Node& node, JobOptions&& options, std::size_t most_per_piece) {
  check(options);
  if (options.timeout.count() != 0) {
    throw Error(
        "pp: JobOptions::timeout is a limit for one job; the calls of a map have none. Submit them "
        "as jobs of their own, or cancel() the batch when its time is over");
  }
  options_ = std::move(options);
  prepare(node);
  std::size_t pieces = std::max(divided_up(size_, most_per_piece), std::min(size_, kPieces));
  std::vector<Range> parts;
  const Worker* worker = Crew::current();
  const bool in_job = worker != nullptr && worker->frame != nullptr;
  if (in_job && worker->node == &node) {
    cut_evenly(0, size_, pieces, parts);
    return cut(node, parts, std::nullopt, nullptr);
  }
  // As many identities as there would be without a log: what comes later has the same ones.
  const Identities identities{node.reserve(pieces), pieces};
  if (!in_job) {
    counted_ = true;
    home_->batch_begun(pieces, size_);
  }
  std::uint64_t seed = node.identity(identities.first);
  if (node.job_log() == nullptr || in_job) {
    cut_evenly(0, size_, pieces, parts);
  } else {
    seed = enter(*node.job_log(), seed, most_per_piece);
    const std::vector<Range> missing = take_recorded();
    std::size_t left = 0;
    for (const Range& gap : missing) left += gap.last - gap.first;
    const std::size_t each = left == 0 ? 1 : std::min(divided_up(left, pieces), most_per_piece);
    for (const Range& gap : missing)
      cut_evenly(gap.first, gap.last, divided_up(gap.last - gap.first, each), parts);
  }
  cut(node, parts, seed, &identities);
}

void Bulk::prepare(Node& node) {
  home_ = &node.home();
  all_done_ = make_event(home_);
  if (size_ == 0) happen(*all_done_);
}

void Bulk::serve(const Terms& terms) {
  Worker& worker = *Crew::current();
  Job& borrowed = *worker.frame->job;
  worker.frame->counts = 0;  // its elements count
  earlier_attempts_ = borrowed.attempt - 1;
  options_.priority = borrowed.priority;
  if (terms.stays) options_.where = Where::here();
  if (const Particulars* particulars = find_particulars(borrowed)) {
    options_.retries = particulars->options.retries;
    options_.label = particulars->options.label;
  }
  pace_.store(static_cast<float>(terms.picoseconds) / 1000, std::memory_order_relaxed);
  seen_.store(true, std::memory_order_relaxed);  // the owner's user will
  prepare(*worker.node);
  std::vector<Range> whole;
  if (size_ > 0) whole.push_back({0, size_});
  cut(*worker.node, whole, terms.seed, nullptr);
  const std::stop_callback void_now(stop_token_of(borrowed), [this] { cancel(); });
  wait_until(Clock::time_point::max());
}

void Bulk::report(codec::Bytes& out) {
  unpack();
  {
    auto books = books_->content.lock();
    codec::encode(out, static_cast<std::uint64_t>(books->failures.size()));
    for (const auto& [first, failed] : books->failures) {
      codec::encode(out, std::pair<std::uint64_t, std::uint64_t>(first, failed.last));
      codec::encode(out, failed.failure);
    }
  }
  encode_values(0, size_, out);
}

// As children of the job that runs on this thread, or, with identities, from outside.
void Bulk::cut(Node& node, const std::vector<Range>& parts, std::optional<std::uint64_t> seed,
               const Identities* identities) {
  if (parts.empty()) return;
  const bool child = identities == nullptr;
  Worker* worker = child ? Crew::current() : nullptr;
  const std::uint64_t children = child ? worker->frame->children : 0;
  const auto hand_over = [&](std::size_t n) {
    auto* piece = new Piece(*this, function_, parts[n].first, parts[n].last, seed);
    piece->retain();
    const JobReference<Piece> held(piece);
    set_options(*piece, JobOptions(options_));
    list(*piece);
    if (child) {
      spawn(*piece);
    } else {
      // Of what is resumed there may be more parts: gaps.
      node.submit_as(
          *piece, n < identities->count ? node.identity(identities->first + n) : derive(~*seed, n));
    }
    if (!seed) seed = piece->id;  // the first one's: all elements' identities hang on it
  };
  hand_over(0);
  // A worker takes the newest of its own first.
  for (std::size_t n = 1; n < parts.size(); ++n) hand_over(child ? parts.size() - n : n);
  // However many pieces there are, the map counts as one child.
  if (child) worker->frame->children = children + 1;
}

// False: there is no memory for it.
bool Bulk::split_off(const Piece& from, std::size_t first, std::size_t last) noexcept {
  try {
    auto piece = std::make_unique<Piece>(*this, function_, first, last, from.seed());
    piece->attempt = from.attempt;  // what was lost once may be lost so many times less
    piece->state.fetch_or(from.state.load(std::memory_order_relaxed) & Job::kOutside,
                          std::memory_order_relaxed);
    set_options(*piece, JobOptions(options_));
    list(*piece);
    spawn(*piece.release());
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Bulk::list(Piece& piece) {
  auto books = books_->content.lock();
  // cancel() was here before: nobody else will tell it.
  if (books->stopped) piece.state.fetch_or(Job::kStop, std::memory_order_relaxed);
  piece.listed = true;
  piece.behind = books->open;
  if (books->open != nullptr) books->open->before = &piece;
  books->open = &piece;
}

void Bulk::unlist(Piece& piece) noexcept {
  auto books = books_->content.lock();
  if (!piece.listed) return;
  piece.listed = false;
  (piece.before != nullptr ? piece.before->behind : books->open) = piece.behind;
  if (piece.behind != nullptr) piece.behind->before = piece.before;
}

void Bulk::complete(std::size_t first, std::size_t last) {
  if (first == last) return;
  Event newer;
  {
    auto books = books_->content.lock();
    books->log.push_back({first, last});
    newer = std::move(books->newer);
  }
  if (newer) happen(*newer);
  if (counted_) home_->batch_done(last - first);
  if (left_.fetch_sub(last - first, std::memory_order_acq_rel) == last - first) happen(*all_done_);
}

void Bulk::fail(std::size_t first, std::size_t last, Failure&& failure) {
  auto books = books_->content.lock();
  auto& failures = books->failures;
  std::size_t failed = last - first;
  // What was said of single elements among them before is replaced.
  for (auto old = failures.lower_bound(first); old != failures.end() && old->first < last;) {
    failed -= old->second.last - old->first;
    old = failures.erase(old);
  }
  failed_.fetch_add(failed, std::memory_order_relaxed);
  failures.insert_or_assign(first, Books::Failed{last, std::move(failure)});
}

void Bulk::arrived(const Piece& piece, codec::Bytes&& outcome) {
  const auto first = piece.first, last = piece.last;
  try {
    std::span<const std::byte> in = outcome;
    for (auto failures = codec::decode<std::uint64_t>(in); failures > 0; --failures) {
      const auto [begin, end] = codec::decode<std::pair<std::uint64_t, std::uint64_t>>(in);
      if (begin >= end || end > last - first)
        throw Error("failures of elements that were not lent");
      fail(first + begin, first + end, codec::decode<Failure>(in));
    }
    const std::size_t values_at = outcome.size() - in.size();
    // The courier does not wait for a file.
    if (recorded_ && !piece.told_to_stop()) record(first, last, in, false);
    const Luggage* luggage = Luggage::current();
    books_->content.lock()->arrived.push_back(
        {first, last, std::move(outcome), values_at,
         luggage == nullptr ? std::vector<Luggage::Item>() : luggage->arrived()});
  } catch (...) {
    const std::string what = describe_current_exception().message;
    fail(first, last,
         Failure::of(Failure::Kind::kUndecodable,
                     "pp: results of " + std::string(function_.name) + ": " + what));
  }
}

void Bulk::unpack() {
  const std::lock_guard one_reader(books_->unpacking);
  std::vector<Books::Arrived> arrived;
  std::swap(arrived, books_->content.lock()->arrived);
  for (const Books::Arrived& part : arrived) {
    Luggage luggage(Luggage::kEager, part.blobs);
    const Luggage::Scope scope(&luggage);
    try {
      keep(part.first, part.last, std::span(part.outcome).subspan(part.values_at));
    } catch (...) {
      const std::string what = describe_current_exception().message;
      fail(part.first, part.last,
           Failure::of(Failure::Kind::kUndecodable,
                       "pp: results of " + std::string(function_.name) + ": " + what));
    }
  }
}

bool Bulk::wait_until(Clock::time_point deadline) {
  return all_done_->done() || wait_until_done(*all_done_, deadline);
}

void Bulk::cancel() {
  std::vector<JobReference<Piece>> open;
  {
    auto books = books_->content.lock();
    books->stopped = true;
    for (Piece* piece = books->open; piece != nullptr; piece = piece->behind) {
      piece->retain();  // who is listed is still held by somebody
      open.emplace_back(piece);
    }
  }
  for (const JobReference<Piece>& piece : open) runtime::cancel(*piece);
}

void Bulk::raise_first() {
  if (failed_.load(std::memory_order_relaxed) == 0) return;
  seen_.store(true, std::memory_order_relaxed);
  const Failure first = books_->content.lock()->failures.begin()->second.failure;
  raise(first);
}

std::vector<std::pair<std::size_t, std::exception_ptr>> Bulk::errors() {
  seen_.store(true, std::memory_order_relaxed);
  std::vector<std::pair<std::size_t, std::exception_ptr>> errors;
  auto books = books_->content.lock();
  for (const auto& [first, failed] : books->failures) {
    try {
      raise(failed.failure);
    } catch (...) {
      for (std::size_t i = first; i < failed.last; ++i)
        errors.emplace_back(i, std::current_exception());
    }
  }
  return errors;
}

// The failures in [first, last), ascending.
std::vector<std::pair<std::uint64_t, std::uint64_t>> Bulk::failed_among(std::size_t first,
                                                                        std::size_t last) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> among;
  if (failed_.load(std::memory_order_relaxed) == 0) return among;
  auto books = books_->content.lock();
  auto failure = books->failures.upper_bound(first);
  if (failure != books->failures.begin()) --failure;
  std::size_t reached = first;
  for (; failure != books->failures.end() && failure->first < last; ++failure) {
    const std::size_t begin = std::max(failure->first, reached);
    const std::size_t end = std::min(failure->second.last, last);
    if (begin >= end) continue;
    among.emplace_back(begin, end);
    reached = end;
  }
  return among;
}

bool Bulk::has_failed(std::size_t element) const {
  if (failed_.load(std::memory_order_relaxed) == 0) return false;
  auto books = books_->content.lock();
  const auto behind = books->failures.upper_bound(element);
  return behind != books->failures.begin() && element < std::prev(behind)->second.last;
}

void Bulk::raise_if_failed(std::size_t element) {
  if (!has_failed(element)) return;
  seen_.store(true, std::memory_order_relaxed);
  const Failure failure =
      std::prev(books_->content.lock()->failures.upper_bound(element))->second.failure;
  raise(failure);
}

Bulk::Range Bulk::completed(std::size_t n) {
  for (;;) {
    Job* newer = nullptr;
    {
      auto books = books_->content.lock();
      if (n < books->log.size()) return books->log[n];
      if (!books->newer) books->newer = make_event(home_);
      newer = &*books->newer;
      newer->retain();
    }
    const Event held(newer);
    wait_until_done(*held, Clock::time_point::max());
  }
}

// Elements that take about kLeafTime.
std::size_t Bulk::leaf_size() const noexcept {
  const float pace = pace_.load(std::memory_order_relaxed);
  if (pace <= 0) return 1;
  constexpr float kNanoseconds = std::chrono::nanoseconds(kLeafTime).count();
  return std::max<std::size_t>(static_cast<std::size_t>(kNanoseconds / pace), 1);
}

// Half of what was thought and half of what was seen: one interrupted leaf changes little, a few
// slow ones much.
void Bulk::measured(std::size_t elements, Clock::duration took) noexcept {
  const auto nanoseconds = std::chrono::duration<float, std::nano>(took).count();
  const float seen = std::max(nanoseconds / static_cast<float>(elements), 0.1F);
  const float thought = pace_.load(std::memory_order_relaxed);
  pace_.store(thought > 0 ? (thought + seen) / 2 : seen, std::memory_order_relaxed);
}

Node& node_of_this_job(const char* what) {
  const Worker* worker = Crew::current();
  if (worker == nullptr || worker->frame == nullptr) {
    throw Error(std::string("pp::") + what +
                " works inside jobs; from outside use Runtime::" + what);
  }
  return *worker->node;
}

}  // namespace pp::runtime
