// Finds frames of a proven peer that a session takes for more than they are: messages that never
// arrived, memory that grows with promises, credit out of nothing.
#include <algorithm>

#include "memory.hpp"
#include "promise.hpp"
#include "session.hpp"
#include "session_input.hpp"

namespace {

using namespace pp::transport;
using pp::fuzz::Ends, pp::fuzz::Events, pp::fuzz::promise, pp::fuzz::SessionEvent;

struct Inbox final : MessageSink {
  std::size_t bytes = 0;
  void on_message(std::span<const std::byte> message) override {
    promise(message.size() % 8 == 0, "messages are whole words");
    promise(reinterpret_cast<std::uintptr_t>(message.data()) % 8 == 0, "messages are aligned");
    bytes += message.size();
  }
  void on_word(std::span<const std::byte> word) override {
    promise(word.size() <= kMaxWord, "no word is longer than words may be");
    on_message(word);
  }
};

// A session, its events one after another, and the peer's ends of its channels.
class Story {
 public:
  explicit Story(Ends ends) : ends_(std::move(ends)), session_(ends_.setup(), now_) {}

  // False: it is over.
  bool happen(SessionEvent event, Events& in) {
    const Lane lane = in.byte() % 2 == 0 ? Lane::kControl : Lane::kData;
    switch (event) {
      case SessionEvent::kFrame:
        return hear(lane, ends_.sealed(lane, in), true);
      case SessionEvent::kForgery:
        return hear(lane, in.bytes(), false);
      case SessionEvent::kQueue: {
        const std::vector<std::byte> message(std::size_t{in.byte()} * 64);
        session_.queue(message);
        cost_ += 8 + message.size();
        return true;
      }
      case SessionEvent::kSend:
        return say(lane);
      case SessionEvent::kTime:
        now_ += std::chrono::milliseconds(in.byte() * 10);
        return session_.tick(now_) == SessionVerdict::kGood;
      case SessionEvent::kGoodbye:
        session_.say_goodbye("enough");
        return true;
      case SessionEvent::kForget:
        session_.forget_queue();
        words_ = session_.counters().words_sent;
        return true;
      case SessionEvent::kWord: {
        const std::vector<std::byte> word(std::size_t{in.byte()} * 16);
        if (session_.queue_word(word)) ++words_;
        promise(words_ - session_.counters().words_sent <= 64, "few words wait");
        cost_ += 64 + word.size();
        return true;
      }
    }
    return false;
  }

  std::size_t cost() const { return cost_; }

 private:
  bool hear(Lane lane, std::vector<std::byte> frame, bool sealed) {
    cost_ += frame.size();
    const SessionVerdict verdict = session_.receive(lane, frame, now_, inbox_);
    promise(inbox_.bytes <= cost_, "no more is handed over than arrived");
    if (verdict == SessionVerdict::kNotForUs) return true;
    promise(sealed || verdict != SessionVerdict::kGood, "what has no seal is not good");
    const bool blamed = session_.counters().violations != 0;
    promise(blamed == (verdict == SessionVerdict::kViolation), "a violation is counted, once");
    promise((verdict == SessionVerdict::kGood) == (*session_.why() == '\0'), "an end has a reason");
    return verdict == SessionVerdict::kGood;
  }

  bool say(Lane lane) {
    const auto frame = session_.frame(lane, now_);
    if (frame.empty()) return true;
    std::vector<std::byte> copy(frame.begin(), frame.end());
    cost_ += copy.size();
    promise(ends_.opens(lane, copy), "what the session says, its peer can open");
    session_.sent(lane, now_);
    return true;
  }

  Time now_ = Time{} + std::chrono::seconds(100);
  Inbox inbox_;
  Ends ends_;
  Session session_;
  std::uint64_t words_ = 0;  // queued and not forgotten
  std::size_t cost_ = 0;     // bytes that arrived, were queued or copied
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Events in({data, size});
  const pp::fuzz::Memory memory;
  Story story(Ends::with(in.byte()));
  while (!in.empty() && story.happen(static_cast<SessionEvent>(in.byte() % 8), in)) {
  }
  promise(memory.peak() <= 4 * story.cost() + 64 * 1024, "memory is bounded by what arrived");
  return 0;
}
