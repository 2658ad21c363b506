// Finds words of gossip that pass their limits, cost more memory than they may, or change on the
// way.
#include <algorithm>
#include <pp/transport.hpp>

#include "gossip.hpp"
#include "memory.hpp"
#include "promise.hpp"

namespace {

using namespace pp::discovery;
using pp::fuzz::promise;

bool is_line(const std::string& text) {
  return text.size() <= 64 && std::none_of(text.begin(), text.end(),
                                           [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void check(const Word& word) {
  promise(word.kind <= Word::Kind::kRestYes, "a word is of a kind that there is");
  promise(word.news.size() <= kMostNews, "no word has more news than the limit");
  for (const Member& member : word.news) {
    promise(member.node != pp::NodeId{}, "a member has an id");
    promise(member.state <= pp::MemberState::kLeft, "its state is one that there is");
    promise(is_line(member.name) && is_line(member.launch), "its names may be shown");
    promise(member.addresses.size() <= 8, "it has no more addresses than the limit");
    promise(size_of(member) <= kRoomForNews, "it can be told to others");
  }
}

// Lists may lie on top of each other, so that what is understood may be more than a word can hold.
// Whoever passes it on counts the room; it must lose nothing but news.
void say_again(const Word& heard) {
  Word said = heard;
  said.news.clear();
  std::size_t room = kRoomForNews;
  for (const Member& member : heard.news) {
    if (size_of(member) > room) break;
    room -= size_of(member);
    said.news.push_back(member);
  }
  const std::vector<std::byte> words = encode(said);
  promise(words.size() % 8 == 0 && words.size() <= pp::transport::kMaxWord,
          "what fits its room fits the transport");
  promise(decode(words) == said, "what is said again is understood in the same way");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A member is several times larger than its words, which may be the same for all of them.
  constexpr std::size_t kGrowth = 64, kFixed = 16 * 1024;
  std::optional<Word> heard;
  {
    const pp::fuzz::Memory memory;
    heard = decode(std::as_bytes(std::span(data, size)));
    promise(memory.peak() <= kGrowth * size + kFixed, "memory is bounded by what arrived");
  }
  if (!heard) return 0;
  promise(size <= pp::transport::kMaxWord, "no word is longer than words may be");
  check(*heard);
  say_again(*heard);
  return 0;
}
