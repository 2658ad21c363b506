// BlackBox: memory by which a process of a launch tells what it is running, also when it is dead.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <pp/node_id.hpp>
#include <span>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::runtime {

class FunctionTable;

// A job as a worker notes it when it begins.
struct JobNote {
  NodeId owner;                // the node where it was submitted
  std::uint64_t loan = 0;      // the number under which the owner lent it, if it is another node
  std::uint64_t job = 0;       // Job::id
  std::uint64_t function = 0;  // Function::id
  std::uint32_t attempt = 1;
  std::chrono::nanoseconds since{0};  // when it began: the steady clock, the same for all of a host
};

// How a process ended, from the one who waited for it.
struct Fate {
  enum class Kind : std::uint8_t {
    kUnknown,  // it has no place in this file, or was not started by who made the file
    kRuns,     // nobody has seen its end; it may have ended this moment
    kExited,   // `number` is its exit code
    kSignal,   // `number` is the signal that killed it
  };
  Kind kind = Kind::kUnknown;
  int number = 0;

  friend bool operator==(const Fate&, const Fate&) = default;
};

// One worker's part of the box: it writes down what it begins and strikes out what has ended, as a
// stack, since jobs run on top of those that wait. For one thread at a time. Some stores each, no
// system call, no lock; a process killed between any two of them leaves nothing that could be
// misread.
class Recorder {
 public:
  // How many jobs on top of each other are noted; what lies above is only counted.
  static constexpr unsigned kDepths = 8;

  // The box's format. A line is a cache line: `stamp` counts the notes in its upper bits, the lower
  // two say what the line is.
  struct Line {
    static constexpr std::uint64_t kEmpty = 0, kWriting = 1, kRunning = 2, kStates = 3;

    // Release: publishes the fields (kRunning), and keeps them from being seen changed under the
    // stamp of the note before (kWriting, whose partner is the release of each field). Acquire in
    // the reader, which believes what it copied when the stamp is the same before and after.
    std::atomic<std::uint64_t> stamp;
    std::array<std::atomic<std::uint64_t>, 2> owner;
    std::atomic<std::uint64_t> loan, job, function, attempt, since;
  };
  static_assert(sizeof(Line) == 64);

  // Notes nothing.
  Recorder() = default;

  bool on() const { return unnoted_ != nullptr; }

  // REQUIRES: on().
  void begin(const JobNote& note) noexcept {
    const unsigned depth = depth_++;
    if (depth >= noted_) return count_unnoted(1);
    Line& line = lines_[depth];
    constexpr auto kRelease = std::memory_order_release;
    const std::uint64_t count =
        (line.stamp.load(std::memory_order_relaxed) & ~Line::kStates) + Line::kStates + 1;
    line.stamp.store(count | Line::kWriting, std::memory_order_relaxed);
    const auto owner = words(note.owner);
    line.owner[0].store(owner[0], kRelease);
    line.owner[1].store(owner[1], kRelease);
    line.loan.store(note.loan, kRelease);
    line.job.store(note.job, kRelease);
    line.function.store(note.function, kRelease);
    line.attempt.store(note.attempt, kRelease);
    line.since.store(static_cast<std::uint64_t>(note.since.count()), kRelease);
    line.stamp.store(count | Line::kRunning, kRelease);
  }

  // What began last has ended. REQUIRES: on().
  void end() noexcept {
    const unsigned depth = --depth_;
    if (depth >= noted_) return count_unnoted(-1);
    Line& line = lines_[depth];
    const std::uint64_t stamp = line.stamp.load(std::memory_order_relaxed);
    line.stamp.store((stamp & ~Line::kStates) | Line::kEmpty, std::memory_order_release);
  }

 private:
  friend class BlackBox;
  static std::array<std::uint64_t, 2> words(const NodeId& id) noexcept {
    return std::bit_cast<std::array<std::uint64_t, 2>>(id.bytes);
  }

  void count_unnoted(int change) noexcept;

  Line* lines_ = nullptr;
  unsigned noted_ = 0;  // lines there are: kDepths, or 0 for a worker for whom there is no place
  unsigned depth_ = 0;
  // Relaxed: a count, written with read-modify-writes by all workers for whom there is no line.
  std::atomic<std::int64_t>* unnoted_ = nullptr;
};

// A memory file that whoever launches processes on one host makes and all of them inherit. Each
// takes a slot: its process id, its NodeId, its name, the names of its functions, and a place for
// each worker. Any process of the launch reads any slot. What it reads is believed no further than
// it is harmless: every number is bounded, every text is cut, since whoever wrote it may have gone
// mad before it died.
//
// Any thread, but for what says otherwise.
class BlackBox {
 public:
  // The most that is kept of a name, in bytes.
  static constexpr std::size_t kNodeName = 64, kFunctionName = 56;
  static constexpr unsigned kFunctions = 512;     // whose names a slot holds; the others have none
  static constexpr unsigned kMostSlots = 16'384;  // a launch has 4096 nodes at most
  // For how many workers a slot has places: what more of them run is counted, not noted.
  static constexpr unsigned kLeastPlaces = 64, kMostPlaces = 1'024;

  struct Entry : JobNote {
    unsigned place = 0;      // the worker's number
    bool innermost = false;  // it is on top of its worker's stack; the others wait, or run a child
                             // of their own
  };
  struct Running {
    std::vector<Entry> jobs;  // by place, and then from the outermost to the innermost
    bool complete = true;     // false: more ran than are noted, or a line changed too fast to read
  };
  // What the launcher wants to tell about a process.
  struct Sighting {
    NodeId node;
    std::string name;
    Running running;
  };

  // A new file of so many slots, kMostSlots at most, for processes with so many workers each, and
  // room for more within kMostPlaces. Pages that nobody writes to cost no memory. The caller is the
  // supervisor of what it starts. Throws pp::Error.
  static std::unique_ptr<BlackBox> make(unsigned slots, unsigned workers);
  // The file behind an inherited descriptor, which stays the caller's. Throws pp::Error if it is
  // none.
  static std::unique_ptr<BlackBox> open(int descriptor);
  // To read what a file on another host held. Throws pp::Error if that was none, or one of another
  // kind of machine.
  static std::unique_ptr<BlackBox> of_copy(std::span<const std::byte> bytes);
  ~BlackBox();
  BlackBox(const BlackBox&) = delete;
  BlackBox& operator=(const BlackBox&) = delete;

  // To be inherited: closed by exec unless that is changed. -1: opened by open().
  int descriptor() const { return descriptor_; }

  // Takes a slot for a node of this process, until leave() or the end of the process. False: none
  // is free, and nothing will be noted.
  bool enter(const NodeId& node, const std::string& name, const FunctionTable& functions);
  // The node has ended in order; the process may use its slot again. REQUIRES: no recorder is used
  // any more.
  void leave();
  // For the worker with this number, of the node that entered. Must not outlive this.
  Recorder recorder(std::size_t place);
  // The node that entered; all zero if none has.
  const NodeId& self() const { return self_; }

  // The jobs that the workers of a node have begun and not ended: now, or when its process died.
  // That is exact in a dead process: a job that is not among them had not begun, had ended, or was
  // a coroutine that waited without a worker. Noted are the outermost job of each worker and
  // borrowed ones on top of it; own jobs that were begun inside another one are not.
  // Nothing: the node has no slot here (it is on another host, or nobody launched it).
  std::optional<Running> running(const NodeId& node) const;
  // How its process ended. Note that a death is seen here when the supervisor has waited for it,
  // and sometimes earlier at a connection.
  Fate fate(const NodeId& node) const;
  // What a node calls itself; empty if it has no slot.
  std::string name_of(const NodeId& node) const;
  // The name of a function of that node; empty if it is not known.
  std::string function_name(const NodeId& node, std::uint64_t function) const;

  // --- The supervisor's, on one thread.

  // Of a process that it has started; nothing if that has not taken a slot.
  std::optional<Sighting> sighting(int pid) const;
  // It has ended so.
  void ended(int pid, Fate fate);
  // Another process will be started: if no slot is left for it, that of the process whose end lies
  // furthest back is emptied.
  void make_room();

 private:
  struct Head;
  struct Body;

  BlackBox(int descriptor, void* memory, std::size_t bytes);

  Head& head(unsigned slot) const;
  Body& body(unsigned slot) const;
  Recorder::Line* lines(unsigned slot, std::size_t place) const;
  std::optional<unsigned> find(const NodeId& node) const;
  bool is_living(unsigned slot, int pid) const;
  Running read(unsigned slot) const;
  bool claim(unsigned slot);

  const int descriptor_;
  void* const memory_;
  const std::size_t bytes_;
  // Copied once when it was opened and held against the file's size.
  unsigned slots_ = 0;
  unsigned places_ = 0;
  int supervisor_ = 0;
  std::optional<unsigned> own_;  // the slot that was taken
  NodeId self_;
  std::vector<unsigned> dead_;  // the supervisor's: slots of processes that ended, the oldest first
};

}  // namespace pp::runtime

#pragma GCC visibility pop
