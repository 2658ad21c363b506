// Hello's words on the wire: Cap'n Proto, with every length held against its limit.
#include "hello.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <pp/error.hpp>

#include "hello.capnp.h"

namespace pp::transport {
namespace {

static_assert(static_cast<int>(schema::DataChannel::MEMORY) ==
                  static_cast<int>(DataChannel::kMemory) &&
              static_cast<int>(schema::DataChannel::FABRIC) ==
                  static_cast<int>(DataChannel::kFabric));

kj::ArrayPtr<const kj::byte> data_of(const void* bytes, std::size_t size) {
  return kj::arrayPtr(static_cast<const kj::byte*>(bytes), size);
}

void write(schema::Hello::Builder out, const Hello& hello) {
  const Introduction& who = hello.introduction;
  out.setNode(data_of(who.node.bytes.data(), who.node.bytes.size()));
  out.setName(who.name.c_str());
  out.setWorkers(who.workers);
  out.setFunctionTable(who.function_table);
  out.setBuild(who.build.c_str());
  out.setLaunch(who.launch.c_str());
  auto addresses = out.initAddresses(static_cast<unsigned>(who.addresses.size()));
  for (unsigned i = 0; i < addresses.size(); ++i)
    addresses.set(i, who.addresses[i].to_string().c_str());
  out.setCiphers(hello.ciphers);
  out.setSession(hello.session);
  out.setCreditFrames(hello.credit_frames);
  out.setWanted(static_cast<schema::DataChannel>(hello.wanted));
  out.setFabricProvider(hello.fabric.provider.c_str());
  out.setFabricAddress(data_of(hello.fabric.bytes.data(), hello.fabric.bytes.size()));
  out.setEagerLimit(hello.eager_limit);
  out.setDriver(who.driver);
  out.setMemoryPlace(hello.memory.place.c_str());
  out.setMemoryUser(hello.memory.user);
  out.setMemoryDoor(hello.memory.door.c_str());
}

void write(schema::Refusal::Builder out, const Objection& objection) {
  out.setReason(static_cast<std::uint16_t>(objection.reason));
  out.setSentence(printable(objection.sentence).c_str());
}

bool read(schema::DataChannel in, DataChannel& channel) {
  if (in > schema::DataChannel::MEMORY) return false;
  channel = static_cast<DataChannel>(in);
  return true;
}

// A word of one line: it is shown in logs and reports, where a line break would begin another one.
bool read(capnp::Text::Reader in, std::size_t limit, std::string& text) {
  if (in.size() > limit) return false;
  text.assign(in.cStr(), in.size());
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::optional<Hello> read(schema::Hello::Reader in) {
  Hello hello;
  Introduction& who = hello.introduction;
  if (in.getNode().size() != who.node.bytes.size()) return std::nullopt;
  std::memcpy(who.node.bytes.data(), in.getNode().begin(), who.node.bytes.size());
  if (!read(in.getName(), kMaxName, who.name) || !read(in.getBuild(), kMaxBuild, who.build) ||
      !read(in.getLaunch(), kMaxLaunch, who.launch) || in.getAddresses().size() > kMaxAddresses)
    return std::nullopt;
  who.workers = in.getWorkers();
  who.function_table = in.getFunctionTable();
  for (const auto text : in.getAddresses()) {
    std::string address;
    if (!read(text, kMaxAddress, address)) return std::nullopt;
    who.addresses.push_back(Address::parse(address));
  }
  hello.ciphers = in.getCiphers();
  hello.session = in.getSession();
  hello.credit_frames = in.getCreditFrames();
  if (!read(in.getWanted(), hello.wanted)) return std::nullopt;
  if (!read(in.getFabricProvider(), kMaxName, hello.fabric.provider)) return std::nullopt;
  const auto address = in.getFabricAddress();
  if (address.size() > kMaxFabricAddress) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::byte*>(address.begin());
  hello.fabric.bytes.assign(bytes, bytes + address.size());
  hello.eager_limit = in.getEagerLimit();
  who.driver = in.getDriver();
  if (!read(in.getMemoryPlace(), kMaxPlace, hello.memory.place) ||
      !read(in.getMemoryDoor(), kMaxDoor, hello.memory.door))
    return std::nullopt;
  hello.memory.user = in.getMemoryUser();
  return hello;
}

std::optional<Objection> read(schema::Refusal::Reader in) {
  Objection objection;
  if (in.getReason() > static_cast<std::uint16_t>(RefusalReason::kTimeout)) return std::nullopt;
  objection.reason = static_cast<RefusalReason>(in.getReason());
  if (!read(in.getSentence(), kMaxSentence, objection.sentence)) return std::nullopt;
  objection.sentence = printable(objection.sentence);
  return objection;
}

std::vector<std::uint8_t> flatten(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

// Runs `read` on the message in `bytes`. What Cap'n Proto or Address object to is a message that is
// none.
template <class Root, class Read>
auto parse(std::span<const std::uint8_t> bytes, Read&& read_root)
    -> decltype(read_root(std::declval<typename Root::Reader>())) {
  if (bytes.size() % sizeof(capnp::word) != 0) return std::nullopt;
  std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  try {
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(words.data(), words.size()));
    return read_root(reader.getRoot<Root>());
  } catch (const kj::Exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<std::uint8_t> encode(const Hello& hello) {
  capnp::MallocMessageBuilder message;
  write(message.initRoot<schema::Hello>(), hello);
  return flatten(message);
}

std::vector<std::uint8_t> encode(const Answer& answer) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Answer>();
  if (const auto* hello = std::get_if<Hello>(&answer)) {
    write(root.initHello(), *hello);
  } else {
    write(root.initRefusal(), std::get<Objection>(answer));
  }
  return flatten(message);
}

std::vector<std::uint8_t> encode(const Conclusion& conclusion) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Conclusion>();
  if (const auto* channel = std::get_if<DataChannel>(&conclusion)) {
    root.setChannel(static_cast<schema::DataChannel>(*channel));
  } else {
    write(root.initRefusal(), std::get<Objection>(conclusion));
  }
  return flatten(message);
}

std::optional<Hello> decode_hello(std::span<const std::uint8_t> bytes) {
  return parse<schema::Hello>(bytes, [](schema::Hello::Reader root) { return read(root); });
}

std::optional<Answer> decode_answer(std::span<const std::uint8_t> bytes) {
  return parse<schema::Answer>(bytes, [](schema::Answer::Reader root) -> std::optional<Answer> {
    switch (root.which()) {
      case schema::Answer::HELLO:
        if (auto hello = read(root.getHello())) return Answer(std::move(*hello));
        return std::nullopt;
      case schema::Answer::REFUSAL:
        if (auto objection = read(root.getRefusal())) return Answer(std::move(*objection));
        return std::nullopt;
    }
    return std::nullopt;
  });
}

std::optional<Conclusion> decode_conclusion(std::span<const std::uint8_t> bytes) {
  return parse<schema::Conclusion>(
      bytes, [](schema::Conclusion::Reader root) -> std::optional<Conclusion> {
        switch (root.which()) {
          case schema::Conclusion::CHANNEL: {
            DataChannel channel{};
            if (!read(root.getChannel(), channel)) return std::nullopt;
            return Conclusion(channel);
          }
          case schema::Conclusion::REFUSAL:
            if (auto objection = read(root.getRefusal())) return Conclusion(std::move(*objection));
            return std::nullopt;
        }
        return std::nullopt;
      });
}

std::string printable(std::string_view text, std::size_t limit) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte < 0x7f;
    if (out.size() + (plain ? 1 : 4) > limit) break;
    if (plain) {
      out += c;
    } else {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

}  // namespace pp::transport
