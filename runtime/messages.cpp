// Messages to and from Cap'n Proto.
#include "messages.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>
#include <deque>
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

// Lets `fill` build a message whose variable parts take about `payload` bytes.
template <class Fill>
Encoded build(std::size_t payload, Fill fill) {
  constexpr std::size_t kFixed = 64;  // words for what is not counted in `payload`
  const std::size_t words = payload / sizeof(capnp::word) + kFixed;
  thread_local std::vector<std::uint64_t> scratch;
  // A first segment that is large enough keeps the message in one piece. The builder wants it
  // zeroed and leaves it so.
  constexpr std::size_t kKept = 8192;
  std::vector<std::uint64_t> large;
  std::vector<std::uint64_t>& segment = words <= kKept ? scratch : large;
  if (segment.size() < words) segment.assign(std::max(words, std::min(kKept, 2 * words)), 0);
  capnp::MallocMessageBuilder builder(
      kj::arrayPtr(reinterpret_cast<capnp::word*>(segment.data()), segment.size()));
  fill(builder.initRoot<wire::Message>());
  Encoded encoded(kHeaderBytes +
                  capnp::computeSerializedSizeInWords(builder) * sizeof(capnp::word));
  kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(encoded.data()) + kHeaderBytes,
                                         encoded.size() - kHeaderBytes));
  capnp::writeMessage(out, builder);
  return encoded;
}

constexpr std::size_t kPerEntry = 80;  // bytes that a list entry takes besides its data

// Cap'n Proto's Data holds less than 512 MiB: what is longer than this goes on in further pieces.
constexpr std::size_t kPiece = std::size_t{256} << 20;

// What does not fit into the first Data of a job or a result.
template <class Builder>
void fill_more(Builder builder, std::span<const std::byte> whole) {
  if (whole.size() <= kPiece) return;
  const std::span<const std::byte> rest = whole.subspan(kPiece);
  auto more = builder.initMore(static_cast<capnp::uint>((rest.size() - 1) / kPiece + 1));
  for (capnp::uint i = 0; i < more.size(); ++i) {
    const std::size_t from = i * kPiece;
    more.set(i, data(rest.subspan(from, std::min(kPiece, rest.size() - from))));
  }
}

capnp::Data::Reader first_piece(std::span<const std::byte> whole) {
  return data(whole.first(std::min(kPiece, whole.size())));
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

void fill_job(wire::Job::Builder builder, const LentJob& job) {
  builder.setNumber(job.number);
  builder.setAttempt(job.attempt);
  builder.setFunction(job.function);
  builder.setArguments(first_piece(job.arguments));
  fill_more(builder, job.arguments);
  builder.setId(job.id);
  builder.setTimeout(job.timeout_nanoseconds);
  builder.setPriority(job.priority);
  builder.setOnce(job.once);
  builder.setPlaced(job.placed);
  if (!job.label.empty()) {
    std::copy(job.label.begin(), job.label.end(),
              builder.initLabel(static_cast<capnp::uint>(job.label.size())).begin());
  }
}

// The entries of a list, if their number is one that the message has room for: a list of structs
// without content can claim any number of them, and what we keep of an entry takes memory. `least`
// is what we ourselves write for one, in words.
template <class List>
List entries(List list, std::size_t message_words, std::size_t least) {
  if (list.size() > message_words / least) throw Error("a list longer than its message");
  return list;
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

// Puts together what came in pieces, and keeps it for as long as the message is being told.
class Joined {
 public:
  explicit Joined(std::size_t words) : left_(words * sizeof(capnp::word)), words_(words) {}

  // The bytes that `first` begins and `more` goes on with.
  std::span<const std::byte> whole(capnp::Data::Reader first,
                                   capnp::List<capnp::Data>::Reader more) {
    if (more.size() == 0) return bytes(first);
    std::vector<capnp::Data::Reader> pieces{first};
    for (const auto piece : entries(more, words_, 1)) pieces.push_back(piece);
    std::size_t size = 0;
    for (const auto piece : pieces) size += piece.size();
    // Pieces may lie on top of each other: all that is put together fits into the message.
    if (size > left_) throw Error("pieces longer than their message");
    left_ -= size;
    std::vector<std::byte>& joined = kept_.emplace_back();
    joined.reserve(size);
    for (const auto piece : pieces) {
      joined.insert(joined.end(), bytes(piece).begin(), bytes(piece).end());
    }
    return joined;
  }

 private:
  std::size_t left_;  // bytes that may still be put together
  std::size_t words_;
  std::deque<std::vector<std::byte>> kept_;
};

LentJob read_job(wire::Job::Reader reader, Joined& joined) {
  LentJob job;
  job.number = reader.getNumber();
  job.attempt = reader.getAttempt();
  job.function = reader.getFunction();
  job.arguments = joined.whole(reader.getArguments(), reader.getMore());
  job.id = reader.getId();
  job.timeout_nanoseconds = reader.getTimeout();
  job.priority = reader.getPriority();
  if (job.priority > 2) throw Error("unknown priority of a job");
  job.once = reader.getOnce();
  job.placed = reader.getPlaced();
  job.label = {reader.getLabel().cStr(), reader.getLabel().size()};
  return job;
}

void read_grant(wire::Grant::Reader reader, std::size_t words, Listener& listener) {
  switch (reader.which()) {
    case wire::Grant::JOBS: {
      Grant grant;
      grant.queued = reader.getQueued();
      grant.unasked = reader.getUnasked();
      Joined joined(words);
      for (const auto job : entries(reader.getJobs(), words, 8)) {
        grant.jobs.push_back(read_job(job, joined));
      }
      return listener.on(grant);
    }
    case wire::Grant::REDIRECT:
      return listener.on(Redirect{node_id(reader.getRedirect()), reader.getQueued()});
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

void read(wire::Message::Reader message, std::size_t words, Listener& listener) {
  switch (message.which()) {
    case wire::Message::STEAL:
      return listener.on(Steal{message.getSteal().getWorkers(), message.getSteal().getIdle()});
    case wire::Message::GRANT:
      return read_grant(message.getGrant(), words, listener);
    case wire::Message::RETURNED: {
      std::vector<Returned> all;
      for (const auto one : entries(message.getReturned(), words, 2)) {
        if (static_cast<std::uint16_t>(one.getReason()) >
            static_cast<std::uint16_t>(Reason::kFull)) {
          throw Error("unknown reason of a return");
        }
        all.push_back({one.getNumber(), one.getBegun(), static_cast<Reason>(one.getReason())});
      }
      return listener.on(std::span<const Returned>(all));
    }
    case wire::Message::RESULT: {
      std::vector<Result> all;
      Joined joined(words);
      for (const auto one : entries(message.getResult(), words, 4)) {
        all.emplace_back().number = one.getNumber();
        if (one.isValue()) {
          all.back().outcome = joined.whole(one.getValue(), one.getMore());
        } else {
          all.back().outcome = read_failure(one.getFailure(), Failure::kMostCauses);
        }
      }
      return listener.on(std::span<const Result>(all));
    }
    case wire::Message::LOAD: {
      const auto load = message.getLoad();
      return listener.on(Load{load.getQueued(), load.getIdle(), load.getJobs(),
                              load.getNanoseconds(), load.getStolen(), load.getAsk(),
                              load.getAnswers(), load.getWorkers()});
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
      return "too many results wait there for their owner";
  }
  return "?";
}

Encoded encode(const Steal& steal) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initSteal();
    builder.setWorkers(steal.workers);
    builder.setIdle(steal.idle);
  });
}

Encoded encode(const Grant& grant) {
  std::size_t payload = 0;
  for (const LentJob& job : grant.jobs) {
    payload += job.arguments.size() + job.label.size() + kPerEntry;
  }
  return build(payload, [&](wire::Message::Builder message) {
    auto builder = message.initGrant();
    builder.setQueued(grant.queued);
    builder.setUnasked(grant.unasked);
    auto jobs = builder.initJobs(static_cast<capnp::uint>(grant.jobs.size()));
    for (capnp::uint i = 0; i < jobs.size(); ++i) {
      fill_job(jobs[i], grant.jobs[i]);
    }
  });
}

Encoded encode(const Redirect& redirect) {
  return build(0, [&](wire::Message::Builder message) {
    auto builder = message.initGrant();
    builder.setQueued(redirect.queued);
    builder.setRedirect(data(redirect.owner));
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
  std::size_t payload = 0;
  for (const Result& result : results) {
    payload += kPerEntry;
    if (const auto* value = std::get_if<0>(&result.outcome)) {
      payload += value->size();
    } else {
      payload += size_of(std::get<1>(result.outcome));
    }
  }
  return build(payload, [&](wire::Message::Builder message) {
    auto list = message.initResult(static_cast<capnp::uint>(results.size()));
    for (capnp::uint i = 0; i < list.size(); ++i) {
      list[i].setNumber(results[i].number);
      if (const auto* value = std::get_if<0>(&results[i].outcome)) {
        list[i].setValue(first_piece(*value));
        fill_more(list[i], *value);
      } else {
        fill_failure(list[i].initFailure(), std::get<1>(results[i].outcome), Failure::kMostCauses);
      }
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
    return read(reader.getRoot<wire::Message>(), words.size(), listener);
  } catch (const kj::Exception& exception) {
    wrong = exception.getDescription().cStr();
  }
  throw Error("no message of ours: " + wrong);
}

}  // namespace pp::runtime::messages
