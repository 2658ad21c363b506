// NetworkTransport: the thin shell of sockets and fabric around handshakes and sessions.
#pragma once

#include <cstdint>
#include <memory>
#include <pp/network_transport.hpp>
#include <span>
#include <unordered_map>
#include <vector>

#include "conversation.hpp"
#include "fabric.hpp"
#include "fabric_loader.hpp"
#include "gate.hpp"
#include "memory_door.hpp"
#include "poller.hpp"
#include "rate_limit.hpp"
#include "resolver.hpp"
#include "socket.hpp"

namespace pp::transport {

// Transport's contract on a real network. Five files: network_transport.cpp has the interface and
// the order of a poll(), network_approach.cpp how strangers become peers, network_session.cpp what
// peers exchange, network_fabric.cpp the open port between them, network_memory.cpp the memory that
// those on one host share.
class NetworkTransport final : public Transport, private FabricHandler, private MessageSink {
 public:
  NetworkTransport(ClusterKey key, NetworkOptions options);
  ~NetworkTransport() override;

  const Introduction& self() const override { return options_.introduction; }
  void dial(const Address& address) override;
  bool send(SessionId session, std::span<const std::byte> message) override;
  bool send_enclosing(SessionId session, std::span<const std::byte> head,
                      std::shared_ptr<const Enclosure> enclosed) override;
  bool send_word(SessionId session, std::span<const std::byte> word) override;
  std::size_t backlog(SessionId session) const override;
  void hang_up(SessionId session, std::string_view why) override;
  void abandon(SessionId session, std::string_view why) override;
  void watch(int descriptor) override;
  std::size_t poll(Time now, Handler& handler) override;
  bool wait(Time deadline) override;
  void wake() noexcept override { poller_.wake(); }
  Counters counters() const override;

 private:
  using Stage = Conversation::Stage;
  static constexpr int kLaneChances = 2;
  // The poller's tags; a conversation's tag is its slot, far below.
  static constexpr std::uint64_t kListenerTag = Poller::kReserved - 1;
  static constexpr std::uint64_t kFabricTag = Poller::kReserved - 2;
  static constexpr std::uint64_t kResolverTag = Poller::kReserved - 3;
  static constexpr std::uint64_t kOutsideTag =
      Poller::kReserved - 4;  // whoever watches it looks itself
  static constexpr std::uint64_t kDoorTag = Poller::kReserved - 5;
  static constexpr std::uint64_t kCallersTag = Poller::kReserved - 6;
  static constexpr std::uint64_t kLoaderTag = Poller::kReserved - 7;
  static constexpr std::uint64_t kBellBit = std::uint64_t{1} << 32;  // beside a conversation's slot

  // ---- network_transport.cpp
  void listen();
  Conversation* find(SessionId session) const;
  Conversation* find_number(std::uint64_t number) const;
  Conversation& begin_conversation(bool dialled);
  void number_session(Conversation& c);
  Conversation* leave(SessionId session, std::string_view why);
  void drop(Conversation& c);
  void sweep();
  void due(Time at) { next_timer_ = std::min(next_timer_, at); }
  bool sleep(Time deadline);
  void take_events();
  void run_timers();
  void watch(Conversation& c, bool writable);
  std::vector<std::string> hosts_to_publish() const;
  void prefer(const std::string& host);

  // ---- network_approach.cpp
  void start_dials();
  bool start_dial(const Address& address, bool patient);
  void take_lookups();
  void connect_next(Conversation& c, ConnectFailure failure);
  void take_connected(Conversation& c);
  void begin_handshake(Conversation& c);
  void take_strangers();
  void refuse_at_the_door(Listener::Accepted& accepted, Gate::Entry entry);
  void pause_listening(bool pause);
  void advance(Conversation& c);
  void converse(Conversation& c);
  void decide(Conversation& c);
  bool is_patient(Conversation& c);
  void decide_parked();
  void conclude_refused(Conversation& c);
  void promote(Conversation& c);
  void dial_failed(Conversation& c, DialFailure failure, std::string_view why);
  void report_refusal(Conversation& c, const Objection& objection, bool by_us);
  void stranger_left(Conversation& c);
  void stranger_late(Conversation& c);
  void stranger_gone(Conversation& c);
  Hello hello() const;
  DataChannel wanted_with(const NodeId& node, const Conversation& c) const;
  std::string provider_of(DataChannel data) const;
  bool over_fabrics_interface(const Conversation& c) const;
  Conversation* session_with(const NodeId& node) const;
  bool dialled_by_smaller(const Conversation& c) const;
  bool dials_node(const Conversation& listener) const;
  bool hears_from(const NodeId& node) const;

  // ---- network_session.cpp
  void on_frame(std::span<std::byte> frame) override;
  void on_send_failed(FabricPeer peer, std::string_view why) override;
  void on_message(std::span<const std::byte> message) override;
  void on_word(std::span<const std::byte> word) override;
  void announce(Conversation& c);
  void take_control(Conversation& c, bool last = false);
  void take_control_frames(Conversation& c);
  bool take(Conversation& c, Lane lane, std::span<std::byte> frame);
  void touch(Conversation& c);
  void flush_dirty();
  void stood_still(Time now);
  void flush(Conversation& c);
  static Time session_due(const Conversation& c);
  void flush_fabric(Conversation& c);
  void flush_control(Conversation& c);
  void settle_ended();
  bool settle(Conversation& c);
  void tick(Conversation& c);
  void lane_failed(Conversation& c, std::string_view why);
  void end(Conversation& c, DownReason reason, std::string_view why);

  // ---- network_fabric.cpp
  void open_fabric();
  void open_first_fabric();
  bool waits_for_fabric(const Conversation& c);
  void take_loaded();
  void settle_without_fabric(std::string_view why);
  void tell_fabric_news();
  Time fabric_nap_ends();
  bool fabric_due() const;
  void poll_fabric();
  void watch_fabric();
  void look_at_callers();
  void close_flooded_fabric(const std::string& how);

  // ---- network_memory.cpp
  // Somebody at the door for shared memory.
  struct Caller {
    Descriptor socket;
    Time deadline{};
    bool heard = false;
    Knock words;
    Descriptor file;  // the memory that it brings
  };
  void open_door();
  bool memory_trusted(const NodeId& node) const;
  void hand_memory_over(Conversation& c, const std::string& door);
  void take_callers();
  void hear_callers();
  bool seat(Caller& caller);
  void seat_callers();
  void turn_away(const char* why);
  void begin_lane(Conversation& c, std::unique_ptr<SharedMemory> memory, Descriptor socket);
  void poll_memory();
  int take_memory(Conversation& c);
  void flush_memory(Conversation& c);
  void take_bell(Conversation& c);
  void lane_misbehaved(Conversation& c, std::string_view why);
  bool spin(Time deadline);
  bool memory_sleeps();
  void wake_memory();

  const ClusterKey key_;
  NetworkOptions options_;
  const std::uint32_t ciphers_;

  Poller poller_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Fabric> fabric_;
  bool fabric_unopened_ = false;  // it is opened for the first one who may have a use for it
  std::unique_ptr<FabricLoader> fabric_loader_;  // under way
  Fabric::Options fabric_options_;
  RateLimit reopenings_;
  Time next_look_at_callers_{};
  Time next_fabric_poll_{};
  std::size_t fabric_users_ = 0;  // sessions
  FabricAddress fabric_address_;
  std::string fabric_news_;  // what became of it, where that is not what was hoped for; told once
  std::string fabric_host_;  // where it is bound
  bool several_hosts_ = false;  // published, until the first contact has shown which one works
  std::unique_ptr<MemoryDoor> door_;  // null: no memory is shared
  std::vector<Caller> callers_;
  std::vector<Conversation*> memory_lanes_;
  bool memory_stirred_ = false;  // something came by one of them since the last wait()
  int spins_in_vain_ = 0, spins_to_skip_ = 0;
  Resolver resolver_;
  Gate gate_;
  RateLimit reports_;
  bool listening_paused_ = false;

  std::vector<std::unique_ptr<Conversation>> conversations_;  // by slot; free slots are null
  std::vector<std::uint32_t> free_slots_;
  std::unordered_map<std::uint64_t, Conversation*> sessions_;  // by SessionId
  std::uint64_t next_session_ = 1;
  std::unordered_map<NodeId, Conversation*> by_node_;  // opening, up
  // How often a lane failed us with a node: after kLaneChances its data goes another way, from
  // memory to the fabric and from there to the control connection.
  std::unordered_map<NodeId, int> memory_failures_, fabric_failures_;
  std::vector<FabricPeer> removals_;  // given up; removed when the fabric is not calling us

  struct Asked {
    Address address;
    Time since{};  // of the first try
  };
  std::vector<Asked> dials_;                    // asked for, not begun
  std::vector<Conversation*> dirty_;            // to be flushed
  std::vector<Conversation*> stuck_;            // a fabric frame waits for kAgain to end
  std::vector<Conversation*> endings_;          // the control connection ended or a goodbye came
  bool parked_ = false, over_ = false;          // some conversation may be
  std::span<const Poller::Event> events_seen_;  // by wait(), for the next poll()
  bool events_fresh_ = false;
  bool outside_readable_ = false;  // the descriptor given to watch() was, and wait() has not told
  Time next_look_{};
  Time next_timer_ = Time::max();

  Handler* handler_ = nullptr;  // during poll()
  Conversation* receiving_ = nullptr;
  Time now_{};
  std::size_t handled_ = 0;
  std::uint64_t strays_ = 0;  // fabric frames that belong to no session
  Counters counters_;         // of what is over; living sessions count for themselves
};

}  // namespace pp::transport
