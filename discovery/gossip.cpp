// Words on the wire: Cap'n Proto, with every length held against its limit.
#include "gossip.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <pp/error.hpp>
#include <pp/transport.hpp>

#include "gossip.capnp.h"

namespace pp::discovery {
namespace {

constexpr std::size_t kMaxName = 64, kMaxAddress = 270, kMaxAddresses = 8;
constexpr std::size_t kWordOverhead = 256;  // everything but the news, generously

kj::ArrayPtr<const kj::byte> data_of(const NodeId& node) {
  return kj::arrayPtr(node.bytes.data(), node.bytes.size());
}

// A line, as it is shown in logs: no control characters.
bool read(capnp::Text::Reader in, std::size_t limit, std::string& text) {
  if (in.size() > limit) return false;
  text.assign(in.cStr(), in.size());
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

bool read(capnp::Data::Reader in, NodeId& node) {
  if (in.size() != node.bytes.size()) return false;
  std::memcpy(node.bytes.data(), in.begin(), in.size());
  return true;
}

void write(wire::Member::Builder out, const Member& member) {
  out.setNode(data_of(member.node));
  out.setIncarnation(member.incarnation);
  out.setState(static_cast<std::uint8_t>(member.state));
  out.setName(member.name.c_str());
  auto addresses =
      out.initAddresses(static_cast<unsigned>(std::min(member.addresses.size(), kMaxAddresses)));
  for (unsigned i = 0; i < addresses.size(); ++i)
    addresses.set(i, member.addresses[i].to_string().c_str());
  out.setWorkers(member.workers);
  out.setDriver(member.driver);
  out.setLaunch(member.launch.c_str());
}

bool read(wire::Member::Reader in, Member& member) {
  if (!read(in.getNode(), member.node) || member.node == NodeId{}) return false;
  if (in.getState() > static_cast<std::uint8_t>(MemberState::kLeft)) return false;
  member.state = static_cast<MemberState>(in.getState());
  member.incarnation = in.getIncarnation();
  if (!read(in.getName(), kMaxName, member.name) || !read(in.getLaunch(), kMaxName, member.launch))
    return false;
  if (in.getAddresses().size() > kMaxAddresses) return false;
  for (const auto text : in.getAddresses()) {
    std::string address;
    if (!read(text, kMaxAddress, address)) return false;
    member.addresses.push_back(Address::parse(address));
  }
  member.workers = in.getWorkers();
  member.driver = in.getDriver();
  return true;
}

std::optional<Word> read(wire::Word::Reader in) {
  Word word;
  if (in.getKind() > wire::Word::Kind::REST_YES) return std::nullopt;
  word.kind = static_cast<Word::Kind>(in.getKind());
  word.incarnation = in.getIncarnation();
  word.digest = in.getDigest();
  word.members = in.getMembers();
  word.number = in.getNumber();
  if (in.getSubject().size() != 0 && !read(in.getSubject(), word.subject)) return std::nullopt;
  word.load = {in.getQueued(), in.getIdle(), in.getWorkers()};
  word.last = in.getLast();
  if (in.getNews().size() > kMostNews) return std::nullopt;
  for (const auto member : in.getNews()) {
    if (!read(member, word.news.emplace_back())) return std::nullopt;
  }
  return word;
}

}  // namespace

const std::size_t kRoomForNews = transport::kMaxWord - kWordOverhead;

std::size_t size_of(const Member& member) {
  // Texts end in a zero and are padded to words; a struct of three words and five pointers; a
  // pointer for each address.
  const auto text = [](std::size_t size) { return size / 8 * 8 + 8; };
  std::size_t size = 8 * 8 + 16 + text(member.name.size()) + text(member.launch.size()) + 8;
  for (const Address& address : member.addresses)
    size += 8 + text(address.host.size() + 8);  // brackets, colon, port
  return size;
}

std::vector<std::byte> encode(const Word& word) {
  assert(word.news.size() <= kMostNews);
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<wire::Word>();
  out.setKind(static_cast<wire::Word::Kind>(word.kind));
  out.setIncarnation(word.incarnation);
  out.setDigest(word.digest);
  out.setMembers(word.members);
  out.setNumber(word.number);
  if (word.subject != NodeId{}) out.setSubject(data_of(word.subject));
  out.setQueued(word.load.queued);
  out.setIdle(word.load.idle);
  out.setWorkers(word.load.workers);
  out.setLast(word.last);
  auto news = out.initNews(static_cast<unsigned>(word.news.size()));
  for (unsigned i = 0; i < news.size(); ++i) write(news[i], word.news[i]);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.begin());
  return {begin, begin + bytes.size()};
}

std::optional<Word> decode(std::span<const std::byte> bytes) {
  if (bytes.size() % sizeof(capnp::word) != 0 || bytes.size() > transport::kMaxWord)
    return std::nullopt;
  std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  try {
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()));
    return read(reader.getRoot<wire::Word>());
  } catch (const kj::Exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace pp::discovery
