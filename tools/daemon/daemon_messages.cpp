// Daemon messages to and from Cap'n Proto.
#include "daemon_messages.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <pp/error.hpp>
#include <type_traits>

#include "daemon.capnp.h"

namespace pp::tools::daemon {
namespace {

capnp::Data::Reader as_data(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

std::vector<std::byte> bytes(capnp::Data::Reader data, std::size_t limit, const char* what) {
  if (data.size() > limit) {
    throw Error(std::string(what) + " of " + std::to_string(data.size()) +
                " bytes: expected at most " + std::to_string(limit));
  }
  const auto* begin = reinterpret_cast<const std::byte*>(data.begin());
  return {begin, begin + data.size()};
}

// One that ends where it says: a program's argument is a C string.
std::string text(capnp::Text::Reader in, std::size_t limit, const char* what) {
  if (in.size() > limit || std::memchr(in.begin(), 0, in.size()) != nullptr) {
    throw Error(std::string(what) + " of " + std::to_string(in.size()) +
                " bytes: expected at most " + std::to_string(limit) + ", none of them zero");
  }
  return {in.begin(), in.size()};
}

std::vector<std::string> texts(capnp::List<capnp::Text>::Reader in, const char* what) {
  if (in.size() > kMostWords)
    throw Error(std::string(what) + ": more than " + std::to_string(kMostWords));
  std::vector<std::string> out;
  std::size_t left = kMaxWords;
  for (const auto word : in) {
    out.push_back(text(word, left, what));
    left -= out.back().size();
  }
  return out;
}

template <class List>
void fill(List list, const std::vector<std::string>& texts) {
  for (capnp::uint i = 0; i < list.size(); ++i) list.set(i, texts[i].c_str());
}

capnp::uint count(const std::vector<std::string>& texts) {
  return static_cast<capnp::uint>(texts.size());
}

void fill(schema::Message::Builder out, const Look&) { out.setLook(); }

void fill(schema::Message::Builder out, const Profile& profile) {
  auto in = out.initProfile();
  in.setProtocol(profile.protocol);
  in.setVersion(profile.version.c_str());
  in.setMachine(profile.machine.c_str());
  in.setWorkers(profile.workers);
  in.setShare(profile.share);
  in.setLeases(profile.leases);
  in.setMemory(profile.memory);
  in.setWhy(profile.why.c_str());
  fill(in.initOthers(count(profile.others)), profile.others);
}

void fill(schema::Message::Builder out, const Open& open) {
  auto in = out.initOpen();
  in.setProtocol(open.protocol);
  in.setLaunch(open.launch.c_str());
  in.setProgram(open.program.c_str());
  in.setHash(kj::arrayPtr(open.hash.bytes.data(), open.hash.bytes.size()));
  in.setSize(open.size);
  in.setMachine(open.machine.c_str());
  fill(in.initArguments(count(open.arguments)), open.arguments);
  fill(in.initEnvironment(count(open.environment)), open.environment);
  in.setDriver(open.driver.c_str());
  in.setKey(as_data(open.key));
  in.setWorkers(open.workers);
}

void fill(schema::Message::Builder out, const Wanted&) { out.setWanted(); }
void fill(schema::Message::Builder out, const Piece& piece) { out.setPiece(as_data(piece.bytes)); }

void fill(schema::Message::Builder out, const Started& started) {
  auto in = out.initStarted();
  in.setProcess(started.process);
  in.setPid(started.pid);
  in.setWorkers(started.workers);
}

void fill(schema::Message::Builder out, const Output& output) {
  auto in = out.initOutput();
  in.setProcess(output.process);
  in.setError(output.error);
  in.setBytes(as_data(std::as_bytes(std::span(output.bytes))));
}

void fill(schema::Message::Builder out, const ReportLine& report) {
  out.setReport(report.line.c_str());
}
void fill(schema::Message::Builder out, const Heard& heard) { out.setHeard(heard.bytes); }
void fill(schema::Message::Builder out, const SignalFor& signal) {
  out.setSignal(static_cast<std::uint32_t>(signal.number));
}

void fill(schema::Message::Builder out, const Ended& ended) {
  auto in = out.initEnded();
  in.setProcess(ended.process);
  in.setCode(ended.status.code);
  in.setSignal(ended.status.signal);
  in.setCoreDumped(ended.status.core_dumped);
  in.setMilliseconds(ended.milliseconds);
  in.setPeakBytes(ended.peak_bytes);
  in.setReplaced(ended.replaced);
}

void fill(schema::Message::Builder out, const Over&) { out.setOver(); }
void fill(schema::Message::Builder out, const Refused& refused) {
  out.setRefused(refused.why.c_str());
}

Profile read(schema::Profile::Reader in) {
  Profile profile;
  profile.protocol = in.getProtocol();
  profile.version = text(in.getVersion(), kMaxLine, "a version");
  profile.machine = text(in.getMachine(), kMaxLine, "a machine's kind");
  profile.workers = in.getWorkers();
  profile.share = in.getShare();
  profile.leases = in.getLeases();
  profile.memory = in.getMemory();
  profile.why = text(in.getWhy(), kMaxLine, "a reason");
  profile.others = texts(in.getOthers(), "other daemons");
  return profile;
}

Open read(schema::Open::Reader in) {
  Open open;
  open.protocol = in.getProtocol();
  open.launch = text(in.getLaunch(), 64, "the name of a launch");
  open.program = text(in.getProgram(), kMaxLine, "the name of a program");
  if (in.getHash().size() != open.hash.bytes.size()) {
    throw Error("a program's hash of " + std::to_string(in.getHash().size()) +
                " bytes: expected 32");
  }
  std::copy(in.getHash().begin(), in.getHash().end(), open.hash.bytes.begin());
  open.size = in.getSize();
  open.machine = text(in.getMachine(), kMaxLine, "a machine's kind");
  open.arguments = texts(in.getArguments(), "arguments");
  open.environment = texts(in.getEnvironment(), "variables");
  open.driver = text(in.getDriver(), kMaxLine, "a driver's address");
  open.key = bytes(in.getKey(), kMaxKey, "a key");
  open.workers = in.getWorkers();
  return open;
}

Started read(schema::Started::Reader in) { return {in.getProcess(), in.getPid(), in.getWorkers()}; }

Output read(schema::Output::Reader in) {
  const auto content = bytes(in.getBytes(), kMaxOutput, "output");
  return {in.getProcess(), in.getError(),
          std::string(reinterpret_cast<const char*>(content.data()), content.size())};
}

Ended read(schema::Ended::Reader in) {
  return {in.getProcess(),
          {in.getCode(), in.getSignal(), in.getCoreDumped()},
          in.getMilliseconds(),
          in.getPeakBytes(),
          in.getReplaced()};
}

Message read(schema::Message::Reader in) {
  switch (in.which()) {
    case schema::Message::LOOK:
      return Look{};
    case schema::Message::PROFILE:
      return read(in.getProfile());
    case schema::Message::OPEN:
      return read(in.getOpen());
    case schema::Message::WANTED:
      return Wanted{};
    case schema::Message::PIECE:
      return Piece{bytes(in.getPiece(), kMaxPiece, "a piece")};
    case schema::Message::STARTED:
      return read(in.getStarted());
    case schema::Message::OUTPUT:
      return read(in.getOutput());
    case schema::Message::REPORT:
      return ReportLine{text(in.getReport(), kMaxLine, "a report")};
    case schema::Message::HEARD:
      return Heard{in.getHeard()};
    case schema::Message::SIGNAL:
      if (in.getSignal() < 1 || in.getSignal() > 64)
        throw Error("signal " + std::to_string(in.getSignal()) + ": expected 1 to 64");
      return SignalFor{static_cast<int>(in.getSignal())};
    case schema::Message::ENDED:
      return read(in.getEnded());
    case schema::Message::OVER:
      return Over{};
    case schema::Message::REFUSED:
      return Refused{text(in.getRefused(), kMaxLine, "a refusal")};
  }
  throw Error("a message of kind " + std::to_string(static_cast<unsigned>(in.which())) +
              ", which this version does not know");
}

}  // namespace

std::vector<std::byte> encode(const Message& message) {
  capnp::MallocMessageBuilder builder;
  std::visit([&](const auto& content) { fill(builder.initRoot<schema::Message>(), content); },
             message);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(builder);
  const auto content = words.asBytes();
  const auto* begin = reinterpret_cast<const std::byte*>(content.begin());
  return {begin, begin + content.size()};
}

Message decode(std::span<const std::byte> message) {
  assert(reinterpret_cast<std::uintptr_t>(message.data()) % sizeof(capnp::word) == 0);
  try {
    capnp::FlatArrayMessageReader reader(
        kj::arrayPtr(reinterpret_cast<const capnp::word*>(message.data()),
                     message.size() / sizeof(capnp::word)));
    return read(reader.getRoot<schema::Message>());
  } catch (const kj::Exception& exception) {
    throw Error("no message of a node daemon's: " + std::string(exception.getDescription().cStr()));
  }
}

}  // namespace pp::tools::daemon
