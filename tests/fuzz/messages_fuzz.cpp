// Finds messages between nodes that are half told, told twice, cost too much memory or change on
// the way.
#include <pp/error.hpp>

#include "memory.hpp"
#include "messages.hpp"
#include "promise.hpp"

namespace {

using namespace pp::runtime::messages;
using pp::fuzz::promise;

// Says again what it is told. One telling per message.
class Echo final : public Listener {
 public:
  void on(const Steal& steal) override { say(encode(steal)); }
  void on(const Grant& grant) override { say(encode(grant)); }
  void on(const Redirect& redirect) override { say(encode(redirect)); }
  void on(const None& none) override { say(encode(none)); }
  void on(std::span<const Returned> returned) override { say(encode(returned)); }
  void on(std::span<const Result> results) override { say(encode(results)); }
  void on(const Load& load) override { say(encode(load)); }
  void on_leave(std::string_view why) override { say(encode_leave(why)); }
  void on_understood() override { say(encode_understood()); }
  void on_cancel(std::span<const std::uint64_t> numbers) override { say(encode_cancel(numbers)); }
  void on(const Attach& attach) override { say(encode(attach)); }
  void on_begun(std::span<const std::uint64_t> numbers) override { say(encode_begun(numbers)); }
  void on(std::span<const Want> wants) override { say(encode(wants)); }
  void on(const Piece& piece) override { say(encode(piece)); }
  void on_not_here(const pp::runtime::BlobId& id) override { say(encode_not_here(id)); }
  void on(const Instead& instead) override { say(encode(instead)); }
  void on_taken(std::span<const std::uint64_t> numbers) override { say(encode_taken(numbers)); }
  void on(const Observe& observe) override { say(encode(observe)); }
  void on(const Records& records) override { say(encode(records)); }

  int told = 0;
  Encoded said;

 private:
  void say(Encoded message) {
    ++told;
    said = std::move(message);
  }
};

// What the listener would say to it; nothing if the message is refused.
Encoded echo(std::span<const std::byte> message) {
  Echo listener;
  try {
    decode(message, listener);
  } catch (const pp::Error& error) {
    promise(listener.told == 0, "of a message that is refused nothing is told");
    promise(error.what()[0] != '\0', "a refusal says why");
    return {};
  }
  promise(listener.told == (message.size() > kHeaderBytes ? 1 : 0), "a message is told once");
  return std::move(listener.said);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Lists may lie on top of each other, as far as the reader's limit lets them; an entry of ours is
  // several times larger than its words, and so is the copy that the listener says again.
  constexpr std::size_t kGrowth = 64, kFixed = 128 * 1024;
  const pp::fuzz::Memory memory;
  const Encoded first = echo(std::as_bytes(std::span(data, size)));
  promise(memory.peak() <= kGrowth * size + kFixed, "memory is bounded by what arrived");
  if (first.empty()) return 0;
  promise(first.size() % 8 == 0, "the transport carries whole words");
  promise(echo(first) == first, "what is said again is understood in the same way");
  Encoded numbered = first;
  const Header header{size, first.size()};
  set_header(numbered, header);
  promise(header_of(numbered).sequence == header.sequence &&
              header_of(numbered).applied == header.applied,
          "a header says what it was given");
  promise(echo(numbered) == first, "a header changes nothing of what follows it");
  return 0;
}
