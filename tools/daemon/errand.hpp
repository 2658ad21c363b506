// Errand: a launcher's side of one lease: the program goes out, its output comes home.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daemon_messages.hpp"
#include "exit_status.hpp"

namespace pp::tools::daemon {

// The launcher's side of daemon.capnp. It is told what the daemon says and asks its Hands to do
// what must be done. A state machine: it opens nothing and reads no clock. One thread.
class Errand {
 public:
  class Hands {
   public:
    virtual ~Hands() = default;
    virtual void say(const Message& message) = 0;
    // What a process there has written.
    virtual void write(bool error, const std::string& bytes) = 0;
    virtual void report(const std::string& line) = 0;
    // A sentence for the user.
    virtual void tell(const std::string& sentence) = 0;
  };

  enum class Stage { kAsking, kSending, kRunning, kOver };

  // `hands` must outlive it.
  Errand(Hands& hands, Open open) : hands_(hands), open_(std::move(open)) {}

  // The session is there.
  void begin() { hands_.say(open_); }
  void take(const Message& message);
  // The next of the program's bytes; REQUIRES: wants_piece().
  void piece(std::span<const std::byte> bytes);
  bool wants_piece() const { return stage_ == Stage::kSending && sent_ < open_.size; }
  std::uint64_t sent() const { return sent_; }
  // So many bytes that write() was given are where they should be.
  void written(std::uint64_t bytes);
  void signal(int number) { hands_.say(SignalFor{number}); }
  // The session is over before the errand was.
  void lost(const std::string& why);

  Stage stage() const { return stage_; }
  bool over() const { return stage_ == Stage::kOver; }
  // REQUIRES: over. How what ran there has ended; nothing if it never ran, or nobody knows.
  const std::optional<ExitStatus>& status() const { return status_; }
  // Why it came to nothing; empty if it did not.
  const std::string& why() const { return why_; }

 private:
  void fail(std::string why);

  Hands& hands_;
  const Open open_;
  Stage stage_ = Stage::kAsking;
  std::uint64_t sent_ = 0, received_ = 0, written_ = 0, told_ = 0;
  std::optional<ExitStatus> status_;
  std::string why_;
};

}  // namespace pp::tools::daemon
