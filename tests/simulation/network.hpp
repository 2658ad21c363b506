// SimNetwork: a network in virtual time that delays, cuts, breaks and loses by seed what nodes say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <pp/transport.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "agenda.hpp"
#include "dice.hpp"

namespace pp::simulation {

using transport::DialFailure;
using transport::DownReason;
using transport::RefusalReason;
using transport::SessionId;

// Machines are joined by wires; on each of them lives one process at a time, with a Transport.
// Sessions come up, carry and end as those of the real transport do, seen from outside:
//
//   streams    a session's messages arrive whole and in order, each after a delay of its own; what
//              different peers say is in no order. Words overtake messages, and may get lost.
//   handshake  takes three ways; both sides decide by what they know at that moment which of two
//              sessions is kept (protocol.md rule 18), so that for a while they may differ.
//   the end    of a session is learned by each side at its own time; of what was under way a
//              random beginning still arrives, before the end.
//   a cut      of one direction or both holds back what is under way until it heals. A session
//              whose data nobody answers for Limits::dead is silent, at that side alone.
//
// Whatever one process does to another goes through the agenda. One thread.
class SimNetwork {
 public:
  struct Setting {
    Duration least_delay = std::chrono::microseconds(50);
    Duration most_delay = std::chrono::milliseconds(1);
    double word_loss = 0;
    std::uint64_t bytes_per_second = 1'000'000'000;
    Duration dead = std::chrono::milliseconds(600);
  };

  // All that happens to messages, for whoever wants to see them.
  class Observer {
   public:
    virtual ~Observer() = default;
    // `to` begins to handle a message or a word of `from`, both machines.
    virtual void heard(std::size_t from, std::size_t to, std::span<const std::byte> message,
                       bool word) = 0;
    virtual void told(std::size_t machine, const std::string& sentence) = 0;
    virtual bool wants_sentences() const = 0;
    // Something that no process may do.
    virtual void broken(const std::string& sentence) = 0;
  };

  SimNetwork(Agenda& agenda, std::uint64_t seed, Setting setting, std::size_t machines,
             Observer& observer);
  ~SimNetwork();

  // A process begins on this machine, where none runs. `stir` is called when its transport is to
  // be polled soon. The network must outlive the transport.
  std::unique_ptr<transport::Transport> open(std::size_t machine, std::uint16_t port,
                                             transport::Introduction introduction,
                                             std::function<void()> stir);
  static Address address(std::size_t machine, std::uint16_t port);

  // The process has ended, in whatever way: the machine says so to all it has sessions with, or,
  // if it has lost its power, to nobody.
  void end(std::size_t machine, bool powerless);
  void stop(std::size_t machine);
  void go_on(std::size_t machine);
  // Its clock has gone forward by so much.
  void jump(std::size_t machine, Duration by);
  // Whatever `from` says does not reach `to`.
  void cut(std::size_t from, std::size_t to);
  void heal(std::size_t from, std::size_t to);
  bool is_cut(std::size_t from, std::size_t to) const {
    return cuts_[from * machines_.size() + to];
  }
  // The connection between the two breaks. False: there is none.
  bool break_session(std::size_t one, std::size_t other);
  // Everything takes so many times longer between the two, in this direction.
  void slow_down(std::size_t from, std::size_t to, unsigned times);

  // The process there has not been told that this session is over.
  bool has_session(std::size_t machine, SessionId session) const;
  // Of what was sent and not handed over, in all sessions.
  std::size_t under_way() const;
  std::size_t largest_backlog() const { return largest_backlog_; }
  transport::Counters counters() const { return counters_; }

  struct Process;
  struct Wire;

 private:
  friend class SimTransport;
  using Bytes = std::vector<std::byte>;
  struct Dial;

  Process* at(const Address& address);
  Process* alive(std::size_t process);
  Duration delay(std::size_t from, std::size_t to);
  static std::string name(std::size_t machine);
  void stir(Process& process);
  void note(const Process& process, const std::string& sentence);

  void dial(Process& from, const Address& address);
  void knock(std::shared_ptr<Dial> dial);
  void ask(std::shared_ptr<Dial> dial);
  void answered(std::shared_ptr<Dial> dial);
  void no_answer(const std::shared_ptr<Dial>& dial);
  void fail(const std::shared_ptr<Dial>& dial, DialFailure failure, const char* why);
  void refuse(const std::shared_ptr<Dial>& dial, RefusalReason reason, bool by_us, const char* why);

  void promote(Process& at, std::uint32_t wire, unsigned side);
  void send_up(std::uint32_t wire, unsigned side);
  void flush(Process& process, SessionId session);
  void put(std::uint32_t wire, unsigned side, struct Packet packet);
  void schedule_arrival(std::uint32_t wire, unsigned side);
  void arrive(std::uint32_t wire, unsigned side);
  void take(std::uint32_t wire, unsigned side, struct Packet packet);
  void finish(std::uint32_t wire, unsigned side, DownReason reason, const std::string& why);
  void down(std::uint32_t wire, unsigned side, DownReason reason, const std::string& why);
  void cut_short(std::uint32_t wire, unsigned side);
  void heard(std::uint32_t wire, unsigned side);
  void watch_silence(std::uint32_t wire, unsigned side);
  void look_for_silence(std::uint32_t wire, unsigned side);
  void hang_up(Process& process, SessionId session, const std::string& why, bool abandon);
  void handed_over(std::uint32_t wire, unsigned side);
  std::size_t poll(Process& process, transport::Handler& handler);
  void tell(Process& process, struct NetworkEvent& event, transport::Handler& handler);

  Agenda& agenda_;
  Dice dice_;
  const Setting setting_;
  Observer& observer_;
  std::vector<std::unique_ptr<Process>> processes_;   // all there ever were
  std::vector<std::unique_ptr<Wire>> wires_;          // likewise
  std::vector<std::optional<std::size_t>> machines_;  // the process that runs there
  std::vector<bool> powerless_;
  std::vector<bool> cuts_;
  std::vector<unsigned> slower_;
  std::vector<Duration> base_delay_;
  std::size_t largest_backlog_ = 0;
  transport::Counters counters_;
};

}  // namespace pp::simulation
