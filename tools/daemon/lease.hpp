// Lease: one launch's use of a daemon, from the program's arrival to the end of its last process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "daemon_messages.hpp"
#include "exit_status.hpp"
#include "farewell.hpp"

namespace pp::tools::daemon {

// The daemon's side of daemon.capnp. It is told what the launcher says, what its processes do and
// how many workers it may have; it asks its Hands to do what must be done. When its share shrinks,
// processes are asked to leave in order (they give their jobs back) and a smaller one takes their
// place; when it grows, another is started beside them. A state machine: it opens nothing and reads
// no clock. One thread.
class Lease {
 public:
  // What is done in the world. Where a sentence comes back, it could not be done.
  class Hands {
   public:
    virtual ~Hands() = default;
    virtual void say(const Message& message) = 0;
    // Why there is no room for one more lease, if there is none.
    virtual std::optional<std::string> why_none_now() = 0;
    // The program is in the cache, whole, and stays there as long as the lease.
    virtual bool has_program(const Open& open) = 0;
    virtual std::optional<std::string> begin_program(const Open& open) = 0;
    virtual std::optional<std::string> add_piece(std::span<const std::byte> bytes) = 0;
    // All has come; from now on as has_program().
    virtual std::optional<std::string> finish_program() = 0;
    virtual std::variant<pid_t, std::string> start(const Open& open, unsigned process,
                                                   unsigned workers) = 0;
    // To the process and what it has started.
    virtual void signal(unsigned process, int number) = 0;
  };

  struct Limits {
    std::uint64_t program = std::uint64_t{1} << 30;  // bytes
    // Of output and reports that the launcher has not taken in.
    std::uint64_t unheard = std::uint64_t{1} << 20;
    std::chrono::milliseconds piece{60'000};  // until the next part of the program must have come
    std::size_t processes = 8;                // at a time, those that are leaving included
    std::chrono::milliseconds again{10'000};  // after one more process could not be started
    std::chrono::milliseconds drain{30'000};  // for a process that leaves in order
    // Once its launch ends in order, its processes have ended too, or are made to.
    Farewell::Limits after_the_launch{};
    // Once its session is lost: nobody wants what they do.
    Farewell::Limits after_a_loss{std::chrono::milliseconds{0}, std::chrono::milliseconds{1500},
                                  std::chrono::milliseconds{5000}};
  };

  enum class Stage {
    kFresh,      // nothing was opened
    kReceiving,  // the program comes
    kRunning,    // it may run, as soon as there is a share
    kEnding,     // processes may still be there
    kOver,
  };

  // `hands` must outlive it.
  Lease(Hands& hands, std::string machine, Limits limits);

  // REQUIRES: not over.
  void take(const Message& message, Time now);
  // From now on so many workers.
  void set_share(unsigned workers, Time now);
  // A process has ended, and has said all it will.
  void ended(unsigned process, const ExitStatus& status, std::uint64_t peak_bytes, Time now);
  // What a process has written. REQUIRES: wants_output().
  void output(unsigned process, bool error, std::string bytes);
  void report(unsigned process, std::string_view line);
  // The daemon is about to end: leave in order.
  void drain(Time now);
  // The session is over, or the daemon cannot wait: everything ends.
  void lost(Time now);
  // What is due.
  void step(Time now);
  Time due() const;

  Stage stage() const { return stage_; }
  bool over() const { return stage_ == Stage::kOver; }
  // It counts when workers are shared out.
  bool wants_workers() const { return stage_ == Stage::kRunning; }
  // At most so many; 0: as many as there are.
  unsigned wants() const { return open_.workers; }
  // Reports included.
  bool wants_output() const { return written_ - heard_ < limits_.unheard || lost_; }
  const Open& what() const { return open_; }
  std::size_t processes() const { return processes_.size(); }
  unsigned workers() const;

 private:
  struct Process {
    unsigned workers = 0;
    Time started{};
    std::optional<Time> leaves_by;  // it was asked to go because the shares changed
    bool killed = false;
  };

  void open(const Open& open, Time now);
  void piece(const Piece& piece, Time now);
  void signal(int number, Time now);
  void run(Time now);
  void adjust(Time now);
  void shrink(unsigned by, Time now);
  void start(unsigned workers, Time now);
  void refuse(const std::string& why, Time now);
  void end(Farewell::Limits limits, Time now);
  void signal_all(int number);
  void finish_if_empty();

  Hands& hands_;
  const std::string machine_;
  const Limits limits_;
  Stage stage_ = Stage::kFresh;
  Open open_;
  std::uint64_t received_ = 0;
  Time piece_by_{};
  unsigned share_ = 0;
  unsigned next_process_ = 0;
  unsigned speaker_ = 0;  // the process whose reports are passed on
  Time not_before_{};     // to start one more
  std::map<unsigned, Process> processes_;
  std::optional<Farewell> farewell_;
  std::uint64_t written_ = 0, heard_ = 0;
  bool lost_ = false;
};

}  // namespace pp::tools::daemon
