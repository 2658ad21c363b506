// Link: what two nodes remember of each other across sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "messages.hpp"

namespace pp::runtime {

// Messages that change what a node holds (grant, returned, result, cancel, leave) must be applied
// once and in order whatever becomes of the connection (protocol.md rule 14). They are numbered,
// kept until the other side says that it has applied them, and said again on the next session.
// A state machine; one thread.
//
// Each side gives its end of the link a number that it never uses again. The first message of a
// session is an Attach: which link this side means, by both numbers, and how much of it it has
// applied. A link goes on when each has heard the other say both numbers; who does not know the
// other's yet says an Attach anew when it does. If the two do not mean the same one, it is over at
// both, and both begin a new one on the same session. No numbered message is said or taken, and no
// acknowledgement, before the other has said both numbers on the session: what it says afterwards
// is of this link and no other.
class Link {
 public:
  // `number`: not 0.
  explicit Link(std::uint64_t number) : mine_(number) {}

  // What to say at the beginning of a session, and then whenever attach_due().
  messages::Attach attach() {
    said_ = yours_;
    return {mine_, yours_, applied_};
  }
  // The other does not know from the last attach() which link this side means.
  bool attach_due() const { return said_ != yours_; }

  enum class Heard {
    kGoesOn,  // both mean this link: what is kept is to be said again
    kOver,    // they do not: this link ends, and the next one is to hear the same
    kWait,    // the other does not know this link yet, or means one that is over here already: it
              // will hear so, and say another Attach
  };
  // What the other has said. kGoesOn: what it has applied is kept no longer.
  Heard hear(const messages::Attach& theirs);

  // This side's number.
  std::uint64_t number() const { return mine_; }

  // Both sides have meant this link.
  bool begun() const { return begun_; }

  struct Kept {
    std::uint64_t sequence;
    bool result;  // worth saying on the next link too
    messages::Encoded message;
  };
  // Numbers the message and keeps it; the reference is good until the next call.
  Kept& keep(messages::Encoded message, bool result);
  // Everything up to this number has been applied by the other. False: it cannot have been.
  bool acknowledged(std::uint64_t applied);
  std::deque<Kept>& kept() { return kept_; }
  const std::deque<Kept>& kept() const { return kept_; }
  // Bytes.
  std::size_t kept_bytes() const { return kept_bytes_; }
  std::size_t kept_bytes_but_results() const { return kept_bytes_ - kept_result_bytes_; }

  enum class Take {
    kApply,
    kRepeated,  // it was applied before
    kGap,       // something before it is missing: the session is broken
  };
  // A numbered message has come; kApply counts it as applied.
  Take take(std::uint64_t sequence, std::size_t bytes);
  // For the header of whatever is said next, which acknowledges what has come.
  std::uint64_t acknowledge() {
    owed_messages_ = 0;
    owed_bytes_ = 0;
    return applied_;
  }
  // Applied since acknowledge() was called.
  std::size_t owed_messages() const { return owed_messages_; }
  std::size_t owed_bytes() const { return owed_bytes_; }

 private:
  std::uint64_t mine_;
  std::uint64_t yours_ = 0;  // 0: not heard yet; may change until the link has begun
  std::optional<std::uint64_t> said_;
  bool begun_ = false;
  std::uint64_t applied_ = 0;
  std::uint64_t next_ = 1;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::size_t kept_result_bytes_ = 0;  // of these
  std::size_t owed_messages_ = 0;
  std::size_t owed_bytes_ = 0;
};

}  // namespace pp::runtime
