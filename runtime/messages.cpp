// Messages to and from Cap'n Proto.
#include "messages.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <pp/error.hpp>

#include "messages.capnp.h"

namespace pp::runtime::messages {

namespace {

capnp::Data::Reader data(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes(capnp::Data::Reader data) {
  return {reinterpret_cast<const std::byte*>(data.begin()), data.size()};
}

std::string text(capnp::Text::Reader text) { return {text.cStr(), text.size()}; }

capnp::Text::Reader text(const std::string& text) { return {text.c_str(), text.size()}; }

capnp::Data::Reader data(const NodeId& node) { return {node.bytes.data(), node.bytes.size()}; }

NodeId node_id(capnp::Data::Reader data) {
  NodeId node;
  if (data.size() != node.bytes.size()) throw Error("a node id has 16 bytes");
  std::copy(data.begin(), data.end(), node.bytes.begin());
  return node;
}

void fill_blob_id(wire::BlobId::Builder builder, const BlobId& id) {
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | id.hash.bytes[at + i];
    return value;
  };
  builder.setHash0(word(0));
  builder.setHash1(word(8));
  builder.setHash2(word(16));
  builder.setHash3(word(24));
  builder.setSize(id.size);
}

BlobId read_blob_id(wire::BlobId::Reader reader) {
  BlobId id;
  const auto put = [&](std::size_t at, std::uint64_t word) {
    for (std::size_t i = 0; i < 8; ++i)
      id.hash.bytes[at + i] = static_cast<std::uint8_t>(word >> (8 * i));
  };
  put(0, reader.getHash0());
  put(8, reader.getHash1());
  put(16, reader.getHash2());
  put(24, reader.getHash3());
  id.size = reader.getSize();
  return id;
}

template <class Builder>
void fill_blobs(Builder builder, const std::vector<NamedBlob>& blobs) {
  if (blobs.empty()) return;
  auto list = builder.initBlobs(static_cast<capnp::uint>(blobs.size()));
  for (capnp::uint i = 0; i < list.size(); ++i) {
    fill_blob_id(list[i].initId(), blobs[i].id);
    list[i].setPlace(blobs[i].place);
  }
}

// Writes at the end of a message, without zeroing the room first.
class Appender final : public kj::OutputStream {
 public:
  explicit Appender(Encoded& message) : message_(message) {}
  void write(const void* bytes, std::size_t size) override {
    const auto* first = static_cast<const std::byte*>(bytes);
    message_.insert(message_.end(), first, first + size);
  }

 private:
  Encoded& message_;
};

// Lets `fill` build a message whose variable parts take about `payload` bytes, with room for so
// many bytes behind it.
template <class Fill>
Encoded build(std::size_t payload, Fill fill, std::size_t behind = 0) {
  constexpr std::size_t kFixed = 64;  // words for what is not counted in `payload`
  const std::size_t words = payload / sizeof(capnp::word) + kFixed;
  thread_local std::vector<std::uint64_t> scratch;
  // A first segment that is large enough keeps the message in one piece. The builder wants it
  // zeroed and leaves it so.
  constexpr std::size_t kKept = 32768;  // words: a full grant of small jobs
  std::vector<std::uint64_t> large;
  std::vector<std::uint64_t>& segment = words <= kKept ? scratch : large;
  if (segment.size() < words) segment.assign(std::max(words, std::min(kKept, 2 * words)), 0);
  capnp::MallocMessageBuilder builder(
      kj::arrayPtr(reinterpret_cast<capnp::word*>(segment.data()), segment.size()));
  fill(builder.initRoot<wire::Message>());
  Encoded encoded;
  encoded.reserve(kHeaderBytes +
                  capnp::computeSerializedSizeInWords(builder) * sizeof(capnp::word) + behind);
  encoded.resize(kHeaderBytes);
  Appender out(encoded);
  capnp::writeMessage(out, builder);
  return encoded;
}

constexpr std::size_t kPerEntry = 80;  // bytes that most list entries take at most
constexpr std::size_t kPerBlob = 64;   // and each blob that they name

// Cap'n Proto's Data holds less than 512 MiB: what is longer than this goes on in further pieces.
constexpr std::size_t kPiece = std::size_t{256} << 20;

// Copies pieces, one after the other, into the Data of a message: the first, then more of them.
class Joining {
 public:
  // `builder` has the first and `more`.
  template <class Builder>
  Joining(Builder builder, std::size_t size, capnp::Data::Builder first) : to_(first) {
    if (size <= kPiece) return;
    std::size_t rest = size - kPiece;
    auto more = builder.initMore(static_cast<capnp::uint>((rest - 1) / kPiece + 1));
    for (capnp::uint i = 0; i < more.size(); ++i) {
      const std::size_t piece = std::min(kPiece, rest);
      more_.push_back(more.init(i, static_cast<capnp::uint>(piece)));
      rest -= piece;
    }
  }

  void add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      if (at_ == to_.size()) {
        to_ = more_[next_++];
        at_ = 0;
      }
      const std::size_t piece = std::min(bytes.size(), to_.size() - at_);
      std::memcpy(to_.begin() + at_, bytes.data(), piece);
      at_ += piece;
      bytes = bytes.subspan(piece);
    }
  }

 private:
  capnp::Data::Builder to_;
  std::size_t at_ = 0;
  std::vector<capnp::Data::Builder> more_;
  std::size_t next_ = 0;
};

// The first Data for so many bytes.
capnp::uint first_piece(std::size_t size) {
  return static_cast<capnp::uint>(std::min(kPiece, size));
}

// About what it takes, its causes with it.
std::size_t size_of(const Failure& failure) {
  std::size_t size = 0;
  const Failure* one = &failure;
  for (std::size_t causes = 0; one != nullptr && causes <= Failure::kMostCauses; ++causes) {
    size += one->type.size() + one->message.size() + one->node.size() + one->function.size() +
            one->payload.size() + 2 * kPerEntry;
    one = one->cause.get();
  }
  return size;
}

void fill_failure(wire::Failure::Builder builder, const Failure& failure, std::size_t causes_left) {
  builder.setKind(static_cast<std::uint8_t>(failure.kind));
  builder.setType(text(failure.type));
  builder.setMessage(text(failure.message));
  builder.setNode(text(failure.node));
  builder.setFunction(text(failure.function));
  builder.setAttempt(failure.attempt);
  // A value too large for a Data stays behind: the error comes as a JobError then.
  if (failure.payload.size() <= kPiece) builder.setPayload(data(std::span(failure.payload)));
  if (failure.cause && causes_left > 0) {
    fill_failure(builder.initCause(), *failure.cause, causes_left - 1);
  }
}

bool has_particulars(const LentJob& job) {
  return job.timeout_nanoseconds != 0 || job.priority != 1 || job.once || job.placed ||
         !job.label.empty() || !job.blobs.empty();
}

void fill_particulars(wire::Particulars::Builder builder, const LentJob& job) {
  builder.setTimeout(job.timeout_nanoseconds);
  builder.setPriority(job.priority);
  builder.setOnce(job.once);
  builder.setPlaced(job.placed);
  if (!job.label.empty()) {
    std::copy(job.label.begin(), job.label.end(),
              builder.initLabel(static_cast<capnp::uint>(job.label.size())).begin());
  }
  fill_blobs(builder, job.blobs);
}

// The entries of a list, if their number is one that the message has room for: a list of structs
// without content can claim any number of them, and what we keep of an entry takes memory. `least`
// is what we ourselves write for one, in words.
template <class List>
List entries(List list, std::size_t message_words, std::size_t least) {
  if (list.size() > message_words / least) throw Error("a list longer than its message");
  return list;
}

std::vector<NamedBlob> read_blobs(capnp::List<wire::Blob>::Reader list, std::size_t words) {
  std::vector<NamedBlob> blobs;
  for (const auto one : entries(list, words, 7))
    blobs.push_back({read_blob_id(one.getId()), one.getPlace()});
  return blobs;
}

std::vector<FunctionFigures> read_functions(capnp::List<wire::Ran>::Reader list,
                                            std::size_t words) {
  constexpr std::size_t kMost = 1024;  // who tells says no more than 256
  if (list.size() > kMost) throw Error("more functions than anybody tells of");
  std::vector<FunctionFigures> functions;
  for (const auto one : entries(list, words, 5)) {
    FunctionFigures& figures = functions.emplace_back();
    figures.function = one.getFunction();
    figures.failed = one.getFailed();
    figures.nanoseconds = one.getNanoseconds();
    figures.running = one.getRunning();
    const auto counts = one.getCounts();
    if (counts.size() > figures.counts.size()) throw Error("more durations than there are");
    for (capnp::uint i = 0; i < counts.size(); ++i) figures.counts[i] = counts[i];
  }
  return functions;
}

Failure read_failure(wire::Failure::Reader reader, std::size_t causes_left) {
  Failure failure;
  if (reader.getKind() > static_cast<std::uint8_t>(Failure::kLastKind)) {
    throw Error("unknown kind of failure");
  }
  failure.kind = static_cast<Failure::Kind>(reader.getKind());
  failure.type = text(reader.getType());
  failure.message = text(reader.getMessage());
  failure.node = text(reader.getNode());
  failure.function = text(reader.getFunction());
  failure.attempt = reader.getAttempt();
  const auto payload = bytes(reader.getPayload());
  failure.payload.assign(payload.begin(), payload.end());
  if (reader.hasCause() && causes_left > 0) {
    failure.cause =
        std::make_shared<const Failure>(read_failure(reader.getCause(), causes_left - 1));
  }
  return failure;
}

// What came in pieces, together, for as long as the message is being told; and shares of it, one
// after the other.
class Joined {
 public:
  // The bytes that `first` begins and `more` goes on with; together not more than `words`.
  Joined(capnp::Data::Reader first, capnp::List<capnp::Data>::Reader more, std::size_t words)
      : left_(bytes(first)) {
    if (more.size() == 0) return;
    std::vector<capnp::Data::Reader> pieces{first};
    for (const auto piece : entries(more, words, 1)) pieces.push_back(piece);
    std::size_t size = 0;
    for (const auto piece : pieces) size += piece.size();
    // Pieces may lie on top of each other: all that is put together fits into the message.
    if (size > words * sizeof(capnp::word)) throw Error("pieces longer than their message");
    joined_.reserve(size);
    for (const auto piece : pieces) {
      joined_.insert(joined_.end(), bytes(piece).begin(), bytes(piece).end());
    }
    left_ = joined_;
  }
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;

  std::span<const std::byte> share(std::size_t size) {
    if (size > left_.size()) throw Error("fewer bytes than its entries have");
    const std::span<const std::byte> share = left_.first(size);
    left_ = left_.subspan(size);
    return share;
  }
  void check_all_shared() const {
    if (!left_.empty()) throw Error("more bytes than its entries have");
  }

 private:
  std::span<const std::byte> left_;
  std::vector<std::byte> joined_;
};

void read_particulars(wire::Particulars::Reader reader, std::size_t words, LentJob& job) {
  job.timeout_nanoseconds = reader.getTimeout();
  job.priority = reader.getPriority();
  if (job.priority > 2) throw Error("unknown priority of a job");
  job.once = reader.getOnce();
  job.placed = reader.getPlaced();
  job.label = {reader.getLabel().cStr(), reader.getLabel().size()};
  job.blobs = read_blobs(reader.getBlobs(), words);
}

void read_jobs(wire::Grant::Reader reader, std::size_t words, Listener& listener) {
  Grant grant;
  grant.queued = reader.getQueued();
  grant.unasked = reader.getUnasked();
  Joined arguments(reader.getArguments(), reader.getMore(), words);
  const auto jobs = entries(reader.getJobs(), words, 4);
  grant.jobs.reserve(jobs.size());
  for (const auto one : jobs) {
    LentJob& job = grant.jobs.emplace_back();
    job.number = one.getNumber();
    job.attempt = one.getAttempt();
    job.function = one.getFunction();
    job.id = one.getId();
    job.arguments = arguments.share(one.getSize());
  }
  arguments.check_all_shared();
  std::size_t next = 0;
  for (const auto one : entries(reader.getParticulars(), words, 4)) {
    const std::size_t job = one.getJob();
    if (job < next || job >= grant.jobs.size()) throw Error("particulars of no job");
    next = job + 1;
    read_particulars(one, words, grant.jobs[job]);
  }
  listener.on(grant);
}

void read_results(wire::Results::Reader reader, std::size_t words, Listener& listener) {
  Joined values(reader.getValues(), reader.getMore(), words);
  const auto results = entries(reader.getResults(), words, 2);
  const auto failures = entries(reader.getFailures(), words, 7);
  capnp::uint failed = 0;
  std::vector<Result> all;
  all.reserve(results.size());
  for (const auto one : results) {
    const std::span<const std::byte> value = values.share(one.getSize());
    if (!one.getFailed()) {
      all.push_back({one.getNumber(), value});
    } else if (failed == failures.size() || !value.empty()) {
      throw Error("a result that failed without a failure");
    } else {
      all.push_back(
          {one.getNumber(), Failed(read_failure(failures[failed++], Failure::kMostCauses))});
    }
  }
  values.check_all_shared();
  if (failed != failures.size()) throw Error("a failure without its result");
  std::size_t next = 0;
  for (const auto one : entries(reader.getBelongings(), words, 2)) {
    const std::size_t result = one.getResult();
    if (result < next || result >= all.size() || all[result].outcome.index() != 0)
      throw Error("belongings of no value");
    next = result + 1;
    all[result].blobs = read_blobs(one.getBlobs(), words);
  }
  listener.on(std::span<const Result>(all));
}

void read_grant(wire::Grant::Reader reader, std::size_t words, Listener& listener) {
  switch (reader.which()) {
    case wire::Grant::JOBS:
      return read_jobs(reader, words, listener);
    case wire::Grant::REDIRECT:
      return listener.on(
          Redirect{node_id(reader.getRedirect()), reader.getQueued(), reader.getWaits()});
    case wire::Grant::NONE:
      return listener.on(None{reader.getQueued()});
  }
  throw Error("unknown kind of grant");
}

std::vector<std::uint64_t> read_numbers(capnp::List<std::uint64_t>::Reader list,
                                        std::size_t words) {
  std::vector<std::uint64_t> numbers;
  numbers.reserve(entries(list, words, 1).size());
  for (const std::uint64_t number : list) numbers.push_back(number);
  return numbers;
}

template <class Builder>
void fill_numbers(Builder list, std::span<const std::uint64_t> numbers) {
  for (capnp::uint i = 0; i < list.size(); ++i) list.set(i, numbers[i]);
}

// `behind` it nothing of ours follows unless it is a piece.
void read(wire::Message::Reader message, std::size_t words, std::span<const std::byte> behind,
          Listener& listener) {
  switch (message.which()) {
    case wire::Message::STEAL: {
      const wire::Steal::Reader steal = message.getSteal();
      return listener.on(Steal{steal.getWorkers(), steal.getIdle(), steal.getWants()});
    }
    case wire::Message::GRANT:
      return read_grant(message.getGrant(), words, listener);
    case wire::Message::RETURNED: {
      std::vector<Returned> all;
      for (const auto one : entries(message.getReturned(), words, 2)) {
        if (static_cast<std::uint16_t>(one.getReason()) >
            static_cast<std::uint16_t>(Reason::kMissing)) {
          throw Error("unknown reason of a return");
        }
        all.push_back({one.getNumber(), one.getBegun(), static_cast<Reason>(one.getReason())});
      }
      return listener.on(std::span<const Returned>(all));
    }
    case wire::Message::RESULTS:
      return read_results(message.getResults(), words, listener);
    case wire::Message::LOAD: {
      const auto load = message.getLoad();
      return listener.on(Load{load.getQueued(), load.getIdle(), load.getJobs(),
                              load.getNanoseconds(), load.getStolen(), load.getAsk(),
                              load.getAnswers(), load.getWorkers(), load.getLent(),
                              load.getMemory(), read_functions(load.getFunctions(), words)});
    }
    case wire::Message::LEAVE:
      return listener.on_leave(text(message.getLeave()));
    case wire::Message::UNDERSTOOD:
      return listener.on_understood();
    case wire::Message::CANCEL:
      return listener.on_cancel(read_numbers(message.getCancel(), words));
    case wire::Message::BEGUN:
      return listener.on_begun(read_numbers(message.getBegun(), words));
    case wire::Message::ATTACH: {
      const auto attach = message.getAttach();
      if (attach.getMine() == 0) throw Error("a link without a number");
      return listener.on(Attach{attach.getMine(), attach.getYours(), attach.getApplied()});
    }
    case wire::Message::WANT: {
      std::vector<Want> all;
      for (const auto one : entries(message.getWant(), words, 8)) {
        const Want want{read_blob_id(one.getId()), one.getAt(), one.getLength(), one.getInsist()};
        if (want.at > want.id.size || want.length > want.id.size - want.at)
          throw Error("more is wanted of a blob than it has");
        all.push_back(want);
      }
      return listener.on(std::span<const Want>(all));
    }
    case wire::Message::PIECE: {
      const auto piece = message.getPiece();
      if (behind.size() / 8 != piece.getLength() / 8 + (piece.getLength() % 8 != 0 ? 1 : 0))
        throw Error("a piece of another length than it says");
      return listener.on(
          Piece{read_blob_id(piece.getId()), piece.getAt(), behind.first(piece.getLength())});
    }
    case wire::Message::NOT_HERE:
      return listener.on_not_here(read_blob_id(message.getNotHere()));
    case wire::Message::INSTEAD:
      return listener.on(Instead{read_blob_id(message.getInstead().getId()),
                                 node_id(message.getInstead().getNode())});
    case wire::Message::TAKEN:
      return listener.on_taken(read_numbers(message.getTaken(), words));
    case wire::Message::OBSERVE: {
      const auto observe = message.getObserve();
      return listener.on(Observe{observe.getAsked(), observe.getGrain(), observe.getRate()});
    }
    case wire::Message::RECORDS: {
      const auto records = message.getRecords();
      return listener.on(Records{records.getAsked(), records.getHeard(), records.getSaid(),
                                 records.getClock(), records.getDropped(),
                                 bytes(records.getRecords())});
    }
  }
  throw Error("unknown kind of message");
}

}  // namespace

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kWanted:
      return "another thief wanted it";
    case Reason::kLeaving:
      return "the node was leaving";
    case Reason::kUnknownFunction:
      return "the node does not know its function";
    case Reason::kCancelled:
      return "it was cancelled";
    case Reason::kIneligible:
      return "it may not be run there";
    case Reason::kFull:
      return "too much of its owner waits there";
    case Reason::kMissing:
      return "something that belongs to its arguments could not be had there";
  }
  return "?";
}

Encoded encode(const Steal& steal) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initSteal();
    builder.setWorkers(steal.workers);
    builder.setIdle(steal.idle);
    builder.setWants(steal.wants);
  });
}

Encoded encode(const Grant& grant) {
  std::size_t arguments = 0;
  std::size_t payload = 0;
  std::size_t particular = 0;
  for (const LentJob& job : grant.jobs) {
    arguments += job.arguments.size();
    payload += sizeof(std::uint64_t) * 4;
    if (!has_particulars(job)) continue;
    ++particular;
    payload += job.label.size() + kPerEntry + job.blobs.size() * kPerBlob;
  }
  return build(arguments + payload, [&](wire::Message::Builder message) {
    auto builder = message.initGrant();
    builder.setQueued(grant.queued);
    builder.setUnasked(grant.unasked);
    auto jobs = builder.initJobs(static_cast<capnp::uint>(grant.jobs.size()));
    Joining joining(builder, arguments, builder.initArguments(first_piece(arguments)));
    for (capnp::uint i = 0; i < jobs.size(); ++i) {
      const LentJob& job = grant.jobs[i];
      auto one = jobs[i];
      one.setNumber(job.number);
      one.setFunction(job.function);
      one.setId(job.id);
      one.setAttempt(job.attempt);
      one.setSize(static_cast<std::uint32_t>(job.arguments.size()));
      joining.add(job.arguments);
    }
    if (particular == 0) return;
    auto particulars = builder.initParticulars(static_cast<capnp::uint>(particular));
    capnp::uint next = 0;
    for (capnp::uint i = 0; i < jobs.size(); ++i) {
      if (!has_particulars(grant.jobs[i])) continue;
      particulars[next].setJob(i);
      fill_particulars(particulars[next++], grant.jobs[i]);
    }
  });
}

Encoded encode(const Redirect& redirect) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initGrant();
    builder.setQueued(redirect.queued);
    builder.setRedirect(data(redirect.owner));
    builder.setWaits(redirect.waits);
  });
}

Encoded encode(const None& none) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initGrant();
    builder.setQueued(none.queued);
    builder.setNone();
  });
}

Encoded encode(std::span<const Returned> returned) {
  return build(returned.size() * kPerEntry, [&](wire::Message::Builder message) {
    auto list = message.initReturned(static_cast<capnp::uint>(returned.size()));
    for (capnp::uint i = 0; i < list.size(); ++i) {
      list[i].setNumber(returned[i].number);
      list[i].setBegun(returned[i].begun);
      list[i].setReason(static_cast<wire::Returned::Reason>(returned[i].reason));
    }
  });
}

Encoded encode(std::span<const Result> results) {
  std::size_t values = 0;
  std::size_t payload = 0;
  std::size_t failed = 0;
  std::size_t belonging = 0;
  for (const Result& result : results) {
    payload += sizeof(std::uint64_t) * 2;
    if (!result.blobs.empty()) {
      ++belonging;
      payload += kPerEntry + result.blobs.size() * kPerBlob;
    }
    if (const auto* value = std::get_if<0>(&result.outcome)) {
      values += value->size();
    } else {
      ++failed;
      payload += size_of(*std::get<Failed>(result.outcome));
    }
  }
  return build(values + payload, [&](wire::Message::Builder message) {
    auto builder = message.initResults();
    auto list = builder.initResults(static_cast<capnp::uint>(results.size()));
    Joining joining(builder, values, builder.initValues(first_piece(values)));
    auto failures = builder.initFailures(static_cast<capnp::uint>(failed));
    capnp::uint next = 0;
    for (capnp::uint i = 0; i < list.size(); ++i) {
      auto one = list[i];
      one.setNumber(results[i].number);
      if (const auto* value = std::get_if<0>(&results[i].outcome)) {
        one.setSize(static_cast<std::uint32_t>(value->size()));
        joining.add(*value);
      } else {
        one.setFailed(true);
        fill_failure(failures[next++], *std::get<Failed>(results[i].outcome), Failure::kMostCauses);
      }
    }
    if (belonging == 0) return;
    auto belongings = builder.initBelongings(static_cast<capnp::uint>(belonging));
    next = 0;
    for (capnp::uint i = 0; i < list.size(); ++i) {
      if (results[i].blobs.empty()) continue;
      belongings[next].setResult(i);
      fill_blobs(belongings[next++], results[i].blobs);
    }
  });
}

Encoded encode(const Load& load) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initLoad();
    builder.setQueued(load.queued);
    builder.setIdle(load.idle);
    builder.setJobs(load.jobs);
    builder.setNanoseconds(load.nanoseconds);
    builder.setStolen(load.stolen);
    builder.setAsk(load.ask);
    builder.setAnswers(load.answers);
    builder.setWorkers(load.workers);
    builder.setLent(load.lent);
    builder.setMemory(load.memory);
    if (load.functions.empty()) return;
    auto functions = builder.initFunctions(static_cast<capnp::uint>(load.functions.size()));
    for (capnp::uint i = 0; i < functions.size(); ++i) {
      const FunctionFigures& from = load.functions[i];
      functions[i].setFunction(from.function);
      functions[i].setFailed(from.failed);
      functions[i].setNanoseconds(from.nanoseconds);
      functions[i].setRunning(from.running);
      std::size_t used = from.counts.size();
      while (used > 0 && from.counts[used - 1] == 0) --used;
      fill_numbers(functions[i].initCounts(static_cast<capnp::uint>(used)),
                   std::span(from.counts).first(used));
    }
  });
}

Encoded encode_leave(std::string_view why) {
  return build(why.size(),
               [&](wire::Message::Builder message) { message.setLeave(text(std::string(why))); });
}

Encoded encode_understood() {
  return build(0, [](wire::Message::Builder message) { message.setUnderstood(); });
}

Encoded encode_cancel(std::span<const std::uint64_t> numbers) {
  return build(numbers.size_bytes(), [&](wire::Message::Builder message) {
    fill_numbers(message.initCancel(static_cast<capnp::uint>(numbers.size())), numbers);
  });
}

Encoded encode_begun(std::span<const std::uint64_t> numbers) {
  return build(numbers.size_bytes(), [&](wire::Message::Builder message) {
    fill_numbers(message.initBegun(static_cast<capnp::uint>(numbers.size())), numbers);
  });
}

Encoded encode(const Attach& attach) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initAttach();
    builder.setMine(attach.mine);
    builder.setYours(attach.yours);
    builder.setApplied(attach.applied);
  });
}

Encoded encode(std::span<const Want> wants) {
  return build(wants.size() * kPerEntry, [&](wire::Message::Builder message) {
    auto list = message.initWant(static_cast<capnp::uint>(wants.size()));
    for (capnp::uint i = 0; i < list.size(); ++i) {
      fill_blob_id(list[i].initId(), wants[i].id);
      list[i].setAt(wants[i].at);
      list[i].setLength(wants[i].length);
      list[i].setInsist(wants[i].insist);
    }
  });
}

Encoded encode(const Piece& piece) {
  Encoded encoded = encode_head(piece);
  encoded.reserve(encoded.size() + piece.bytes.size() + 7);
  encoded.insert(encoded.end(), piece.bytes.begin(), piece.bytes.end());
  encoded.resize((encoded.size() + 7) / 8 * 8);
  return encoded;
}

Encoded encode_head(const Piece& piece, std::span<const std::byte> front) {
  Encoded encoded = build(
      0,
      [&](wire::Message::Builder message) {
        auto builder = message.initPiece();
        fill_blob_id(builder.initId(), piece.id);
        builder.setAt(piece.at);
        builder.setLength(static_cast<std::uint32_t>(front.size() + piece.bytes.size()));
      },
      front.size());
  encoded.insert(encoded.end(), front.begin(), front.end());
  return encoded;
}

Encoded encode_not_here(const BlobId& id) {
  return build(0, [&](wire::Message::Builder message) { fill_blob_id(message.initNotHere(), id); });
}

Encoded encode(const Instead& instead) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initInstead();
    fill_blob_id(builder.initId(), instead.id);
    builder.setNode(data(instead.node));
  });
}

Encoded encode_taken(std::span<const std::uint64_t> numbers) {
  return build(numbers.size_bytes(), [&](wire::Message::Builder message) {
    fill_numbers(message.initTaken(static_cast<capnp::uint>(numbers.size())), numbers);
  });
}

Encoded encode(const Observe& observe) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initObserve();
    builder.setAsked(observe.asked);
    builder.setGrain(observe.grain);
    builder.setRate(observe.rate);
  });
}

Encoded encode(const Records& records) {
  return build(records.records.size(), [&](wire::Message::Builder message) {
    auto builder = message.initRecords();
    builder.setAsked(records.asked);
    builder.setHeard(records.heard);
    builder.setSaid(records.said);
    builder.setClock(records.clock);
    builder.setDropped(records.dropped);
    builder.setRecords(data(records.records));
  });
}

Encoded encode_acknowledgement() { return Encoded(kHeaderBytes); }

void set_header(Encoded& message, const Header& header) {
  const auto put = [&](std::size_t at, std::uint64_t number) {
    for (std::size_t i = 0; i < 8; ++i) message[at + i] = static_cast<std::byte>(number >> (8 * i));
  };
  put(0, header.sequence);
  put(8, header.applied);
}

Header header_of(std::span<const std::byte> message) {
  if (message.size() < kHeaderBytes) throw Error("a message without its header");
  const auto get = [&](std::size_t at) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < 8; ++i)
      number |= std::to_integer<std::uint64_t>(message[at + i]) << (8 * i);
    return number;
  };
  return {get(0), get(8)};
}

void decode(std::span<const std::byte> whole, Listener& listener) {
  header_of(whole);
  const std::span<const std::byte> message = whole.subspan(kHeaderBytes);
  if (message.empty()) return;
  // A reader that follows pointers further than the message is long walks in circles.
  capnp::ReaderOptions limits;
  limits.traversalLimitInWords = 2 * message.size() / sizeof(capnp::word) + 64;
  limits.nestingLimit = 8 + static_cast<int>(Failure::kMostCauses);
  const kj::ArrayPtr<const capnp::word> words(reinterpret_cast<const capnp::word*>(message.data()),
                                              message.size() / sizeof(capnp::word));
  std::string wrong;
  try {
    capnp::FlatArrayMessageReader reader(words, limits);
    return read(reader.getRoot<wire::Message>(), words.size(),
                message.subspan(static_cast<std::size_t>(
                    reinterpret_cast<const std::byte*>(reader.getEnd()) - message.data())),
                listener);
  } catch (const kj::Exception& exception) {
    wrong = exception.getDescription().cStr();
  }
  throw Error("no message of ours: " + wrong);
}

}  // namespace pp::runtime::messages
