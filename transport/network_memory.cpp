// The memory that nodes on one host share: handed over at the door, moved by poll(), rung for.
#include <algorithm>
#include <pp/error.hpp>
#include <thread>
#include <utility>

#include "network.hpp"

namespace pp::transport {
namespace {

constexpr std::size_t kMostCallers = 32;  // that have not shown for which session they come
constexpr int kCallersPerPoll = 16;
constexpr int kFramesPerPoll = 64;  // of one lane, before others have their turn
// Half a ring of large frames: who waits for room is woken while there is still something to take,
// and then has room for more than one.
constexpr int kFramesPerBell = 16;
constexpr std::chrono::milliseconds kBellLinger{500};  // for the control connection to end as well
constexpr int kLooksPerTime = 32;
// A peer that takes its time, or has no core to run on, is not spun for but once in so many times.
constexpr int kMostSpinsSkipped = 63;

// Tells the processor that this is a loop of looking.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

// ---- the door

void NetworkTransport::open_door() {
  // Where either is missing or forbidden, everybody is spoken to over the network.
  std::string why;
  if (SharedMemory::make(why) == nullptr) return;
  try {
    door_ = std::make_unique<MemoryDoor>();
  } catch (const Error&) {
    return;
  }
  poller_.add(door_->fd(), kDoorTag, true, false);
}

bool NetworkTransport::memory_trusted(const NodeId& node) const {
  const auto failed = memory_failures_.find(node);
  return failed == memory_failures_.end() || failed->second < kLaneChances;
}

// The dialler's part: it makes the memory and brings it to the listener.
void NetworkTransport::hand_memory_over(Conversation& c, const std::string& door) {
  std::string why;
  std::unique_ptr<SharedMemory> memory = SharedMemory::make(why);
  if (memory == nullptr) return lane_failed(c, why);
  Knock words;
  words.session = c.session->peers_number();
  words.token = c.memory_token.bytes();
  std::optional<Descriptor> socket = knock(door, words, memory->file(), why);
  if (!socket) return lane_failed(c, why);
  memory->forget_file();
  begin_lane(c, std::move(memory), std::move(*socket));
}

void NetworkTransport::take_callers() {
  for (int i = 0; i < kCallersPerPoll; ++i) {
    Caller caller;
    const MemoryDoor::Entry entry = door_->accept(caller.socket);
    if (entry == MemoryDoor::Entry::kNobody) break;
    if (entry == MemoryDoor::Entry::kForeign) {
      turn_away("a process of another user called at the door for shared memory");
    } else if (callers_.size() >= kMostCallers) {
      turn_away("too many callers at the door for shared memory (limit 32)");
    } else {
      caller.deadline = now_ + options_.limits.handshake;
      due(caller.deadline);
      poller_.add(caller.socket.get(), kCallersTag, true, false);
      callers_.push_back(std::move(caller));
    }
  }
  hear_callers();  // their words are usually there already
}

void NetworkTransport::hear_callers() {
  std::erase_if(callers_, [this](Caller& caller) {
    const char* why = nullptr;
    if (!caller.heard) {
      const Heard heard = hear_knock(caller.socket.get(), caller.words, caller.file);
      if (heard == Heard::kGarbage) why = "a caller for shared memory does not speak pp";
      if (heard == Heard::kKnock) {
        caller.heard = true;
        poller_.remove(caller.socket.get());  // what follows are bells
      }
    }
    if (why == nullptr && now_ >= caller.deadline)
      why = "a caller for shared memory named no session within the limit of a handshake";
    if (why == nullptr) {
      due(caller.deadline);
      return false;
    }
    if (!caller.heard) poller_.remove(caller.socket.get());
    turn_away(why);
    return true;
  });
  seat_callers();
}

// Those whose session is proven by now. Its Conclusion may come later than the caller.
void NetworkTransport::seat_callers() {
  for (std::size_t i = 0; i < callers_.size();) {
    if (!callers_[i].heard || !seat(callers_[i])) {
      ++i;
    } else {
      callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
}

// False: it has to wait.
bool NetworkTransport::seat(Caller& caller) {
  Conversation* const c = find_number(caller.words.session);
  if (c != nullptr && c->stage == Stage::kHandshake) return false;
  if (c == nullptr) {  // over before its memory came; or a stranger, who shall not know
    ++strays_;
    return true;
  }
  if (c->stage != Stage::kOpening || c->dialled || c->memory != nullptr ||
      c->data != DataChannel::kMemory || !c->memory_token.is(caller.words.token)) {
    turn_away("a caller for shared memory does not belong to the session that it names");
    return true;
  }
  std::string why;
  bool misbehaved = false;
  std::unique_ptr<SharedMemory> memory =
      SharedMemory::join(std::move(caller.file), why, misbehaved);
  if (memory != nullptr) {
    begin_lane(*c, std::move(memory), std::move(caller.socket));
  } else if (misbehaved) {
    lane_misbehaved(*c, why);
  } else {
    lane_failed(*c, why);
  }
  return true;
}

void NetworkTransport::turn_away(const char* why) {
  ++counters_.refusals;
  if (!reports_.allow(now_)) return;
  ++handled_;
  handler_->on_refused({{"localhost", 0}, RefusalReason::kGarbage, true, why});
}

// ---- the lane

void NetworkTransport::begin_lane(Conversation& c, std::unique_ptr<SharedMemory> memory,
                                  Descriptor socket) {
  c.memory = std::make_unique<MemoryLane>(std::move(memory), std::move(socket));
  poller_.add(c.memory->bell_fd(), kBellBit | c.slot, true, false);
  memory_lanes_.push_back(&c);
  touch(c);
}

void NetworkTransport::poll_memory() {
  for (std::size_t i = 0; i < memory_lanes_.size(); ++i) {  // a handler may add to it
    Conversation& c = *memory_lanes_[i];
    if (c.memory == nullptr) continue;  // over
    take_memory(c);
    if (c.memory != nullptr && c.memory->has_room_again()) touch(c);
  }
}

// Returns how many frames there were, as far as it looked.
int NetworkTransport::take_memory(Conversation& c) {
  int taken = 0;
  while (taken < kFramesPerPoll && c.memory != nullptr && c.carries()) {
    std::span<std::byte> frame;
    const MemoryLane::Taken it = c.memory->take(frame);
    if (it == MemoryLane::Taken::kEmpty) break;
    if (it == MemoryLane::Taken::kBroken) {
      lane_misbehaved(c, "the shared memory holds a frame of a length that none has");
      break;
    }
    ++taken;
    if (!take(c, Lane::kData, frame)) break;
    if (taken % kFramesPerBell == 0) c.memory->give_back();
  }
  memory_stirred_ |= taken > 0;
  if (taken > 0 && c.memory != nullptr) c.memory->give_back();
  return taken;
}

void NetworkTransport::flush_memory(Conversation& c) {
  for (;;) {
    const std::span<const std::byte> frame = c.session->frame(Lane::kData, now_);
    if (frame.empty()) break;
    const MemoryLane::Sent sent = c.memory->send(frame);
    if (sent == MemoryLane::Sent::kAgain) break;
    if (sent == MemoryLane::Sent::kBroken)
      return lane_misbehaved(c, "the shared memory says that more was taken than was sent");
    c.session->sent(Lane::kData, now_);
    if (c.stage == Stage::kOpening && c.session->open()) announce(c);
  }
  c.memory->flush();
}

// A peer that ends closes both its ends: the other one says how it ended, at once or never.
void NetworkTransport::take_bell(Conversation& c) {
  if (c.bell_ended_at != Time::max() || c.memory->hear_bell()) return;
  c.bell_ended_at = now_ + kBellLinger;
  due(c.bell_ended_at);
  poller_.remove(c.memory->bell_fd());
}

void NetworkTransport::lane_misbehaved(Conversation& c, std::string_view why) {
  ++counters_.violations;
  end(c, DownReason::kViolation, why);
}

// ---- sleep

// Looks for a while at what the next word may come by. True: something is there.
bool NetworkTransport::spin(Time deadline) {
  const std::chrono::microseconds limit = options_.limits.spin;
  if (!std::exchange(memory_stirred_, false) || limit.count() == 0) return false;
  if (spins_to_skip_ > 0) {
    --spins_to_skip_;
    return false;
  }
  const Time end = std::min(deadline, Clock::now() + limit);
  do {
    for (int look = 0; look < kLooksPerTime; ++look) {
      for (Conversation* const c : memory_lanes_) {
        if (c->memory == nullptr || !c->memory->stirs()) continue;
        spins_in_vain_ = 0;
        memory_stirred_ = true;
        return true;
      }
      if (poller_.take_wake()) return true;  // which says nothing about the peers
      relax();
    }
    std::this_thread::yield();  // the answer may need this very core
  } while (Clock::now() < end);
  spins_in_vain_ = std::min(2 * spins_in_vain_ + 1, kMostSpinsSkipped);
  spins_to_skip_ = spins_in_vain_;
  return false;
}

// False: something came meanwhile.
bool NetworkTransport::memory_sleeps() {
  for (Conversation* const c : memory_lanes_) {
    if (c->memory == nullptr || c->memory->fall_asleep()) continue;
    wake_memory();
    return false;
  }
  return true;
}

void NetworkTransport::wake_memory() {
  for (Conversation* const c : memory_lanes_)
    if (c->memory != nullptr) c->memory->awake();
}

}  // namespace pp::transport
