// Messages to and from Cap'n Proto.
#include "messages.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <algorithm>
#include <cstring>
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
  Encoded encoded(capnp::computeSerializedSizeInWords(builder) * sizeof(capnp::word));
  kj::ArrayOutputStream out(
      kj::arrayPtr(reinterpret_cast<kj::byte*>(encoded.data()), encoded.size()));
  capnp::writeMessage(out, builder);
  return encoded;
}

constexpr std::size_t kPerEntry = 64;  // bytes that a list entry takes besides its data

void fill_failure(wire::Failure::Builder builder, const Failure& failure) {
  builder.setKind(static_cast<std::uint8_t>(failure.kind));
  builder.setType(text(failure.type));
  builder.setMessage(text(failure.message));
  builder.setNode(text(failure.node));
  builder.setFunction(text(failure.function));
  builder.setAttempt(failure.attempt);
}

// The entries of a list, if their number is one that the message has room for: a list of structs
// without content can claim any number of them, and what we keep of an entry takes memory. `least`
// is what we ourselves write for one, in words.
template <class List>
List entries(List list, std::size_t message_words, std::size_t least) {
  if (list.size() > message_words / least) throw Error("a list longer than its message");
  return list;
}

Failure read_failure(wire::Failure::Reader reader) {
  Failure failure;
  if (reader.getKind() > static_cast<std::uint8_t>(Failure::Kind::kUndecodable)) {
    throw Error("unknown kind of failure");
  }
  failure.kind = static_cast<Failure::Kind>(reader.getKind());
  failure.type = text(reader.getType());
  failure.message = text(reader.getMessage());
  failure.node = text(reader.getNode());
  failure.function = text(reader.getFunction());
  failure.attempt = reader.getAttempt();
  return failure;
}

void read_grant(wire::Grant::Reader reader, std::size_t words, Listener& listener) {
  switch (reader.which()) {
    case wire::Grant::JOBS: {
      Grant grant;
      grant.queued = reader.getQueued();
      for (const auto job : entries(reader.getJobs(), words, 4)) {
        grant.jobs.push_back(
            {job.getNumber(), job.getAttempt(), job.getFunction(), bytes(job.getArguments())});
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
            static_cast<std::uint16_t>(Reason::kUnknownFunction)) {
          throw Error("unknown reason of a return");
        }
        all.push_back({one.getNumber(), one.getBegun(), static_cast<Reason>(one.getReason())});
      }
      return listener.on(std::span<const Returned>(all));
    }
    case wire::Message::RESULT: {
      std::vector<Result> all;
      for (const auto one : entries(message.getResult(), words, 3)) {
        all.emplace_back().number = one.getNumber();
        if (one.isValue()) {
          all.back().outcome = bytes(one.getValue());
        } else {
          all.back().outcome = read_failure(one.getFailure());
        }
      }
      return listener.on(std::span<const Result>(all));
    }
    case wire::Message::LOAD: {
      const auto load = message.getLoad();
      return listener.on(Load{load.getQueued(), load.getIdle(), load.getJobs(),
                              load.getNanoseconds(), load.getStolen(), load.getAsk(),
                              load.getAnswers()});
    }
    case wire::Message::MEMBERS: {
      std::vector<Member> all;
      for (const auto one : entries(message.getMembers(), words, 4)) {
        all.emplace_back().node = node_id(one.getNode());
        for (const auto address : entries(one.getAddresses(), words, 2)) {
          all.back().addresses.push_back(Address::parse(text(address)));
        }
      }
      return listener.on(std::span<const Member>(all));
    }
    case wire::Message::LEAVE:
      return listener.on_leave(text(message.getLeave()));
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
  for (const LentJob& job : grant.jobs) payload += job.arguments.size() + kPerEntry;
  return build(payload, [&](wire::Message::Builder message) {
    auto builder = message.initGrant();
    builder.setQueued(grant.queued);
    auto jobs = builder.initJobs(static_cast<capnp::uint>(grant.jobs.size()));
    for (capnp::uint i = 0; i < jobs.size(); ++i) {
      const LentJob& job = grant.jobs[i];
      jobs[i].setNumber(job.number);
      jobs[i].setAttempt(job.attempt);
      jobs[i].setFunction(job.function);
      jobs[i].setArguments(data(job.arguments));
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
      const Failure& failure = std::get<1>(result.outcome);
      payload += failure.type.size() + failure.message.size() + failure.node.size() +
                 failure.function.size() + 2 * kPerEntry;
    }
  }
  return build(payload, [&](wire::Message::Builder message) {
    auto list = message.initResult(static_cast<capnp::uint>(results.size()));
    for (capnp::uint i = 0; i < list.size(); ++i) {
      list[i].setNumber(results[i].number);
      if (const auto* value = std::get_if<0>(&results[i].outcome)) {
        list[i].setValue(data(*value));
      } else {
        fill_failure(list[i].initFailure(), std::get<1>(results[i].outcome));
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
  });
}

Encoded encode(std::span<const Member> members) {
  return build(members.size() * 4 * kPerEntry, [&](wire::Message::Builder message) {
    auto list = message.initMembers(static_cast<capnp::uint>(members.size()));
    for (capnp::uint i = 0; i < list.size(); ++i) {
      list[i].setNode(data(members[i].node));
      auto addresses = list[i].initAddresses(static_cast<capnp::uint>(members[i].addresses.size()));
      for (capnp::uint j = 0; j < addresses.size(); ++j) {
        addresses.set(j, text(members[i].addresses[j].to_string()));
      }
    }
  });
}

Encoded encode_leave(std::string_view why) {
  return build(why.size(),
               [&](wire::Message::Builder message) { message.setLeave(text(std::string(why))); });
}

void decode(std::span<const std::byte> message, Listener& listener) {
  // A reader that follows pointers further than the message is long walks in circles.
  capnp::ReaderOptions limits;
  limits.traversalLimitInWords = 2 * message.size() / sizeof(capnp::word) + 64;
  limits.nestingLimit = 8;
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
