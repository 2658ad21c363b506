// Daemon: the node daemon's event loop: who calls, what they run, and when to go.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <pp/dial_plan.hpp>
#include <pp/discovery.hpp>
#include <pp/transport.hpp>
#include <string>
#include <vector>

#include "daemon_log.hpp"
#include "daemon_settings.hpp"
#include "descriptor.hpp"
#include "guest.hpp"
#include "program_cache.hpp"
#include "restraint.hpp"
#include "signals.hpp"

namespace pp::tools::daemon {

// Announces itself, takes sessions of key holders, and runs what they send, as long as they stay.
// One thread, which starts the processes too: they die with it, whatever ends it. Signals: SIGTERM
// and SIGINT drain, again end at once; SIGHUP reads the settings again; SIGUSR1 prints what is
// going on.
class Daemon final : transport::Handler, discovery::Discovery::Listener {
 public:
  // `read` makes the settings anew from wherever they come; what it throws is told, and the old
  // ones stay. Throws pp::Error when the daemon cannot do its work.
  Daemon(DaemonSettings settings, std::function<DaemonSettings()> read);
  ~Daemon() override;

  // The exit code.
  int run();

 private:
  using Guests = std::map<transport::SessionId, std::unique_ptr<Guest>>;

  // ---- from the transport
  void on_up(transport::SessionId session, const transport::Peer& peer) override;
  void on_message(transport::SessionId session, std::span<const std::byte> message) override;
  void on_word(transport::SessionId, std::span<const std::byte>) override {}
  void on_down(transport::SessionId session, transport::DownReason reason,
               std::string_view why) override;
  void on_dial_failed(const Address& address, transport::DialFailure failure,
                      std::string_view why) override;
  void on_refused(const transport::Refusal& refusal) override;
  // ---- from the source of sightings
  void sighted(const discovery::Sighting& sighting) override;
  void noticed(const std::string& sentence) override;

  void open_network();
  void change_network();
  void close_network();
  void turn();
  Time next_due() const;
  void take_signals();
  void reload();
  void drain(const std::string& why);
  void reap_all();
  void end_strays();
  void end_all_children();
  void share_out();
  void look_after_guests();
  void print_state() const;
  Profile profile() const;
  std::string why_none_now() const;
  unsigned workers() const;
  std::size_t leases() const;
  // A launcher that only looks is not waited for.
  bool finished() const { return draining_ && leases() == 0; }
  // When a guest is told to go: it has asked for nothing, or has had its time.
  Time stays_until(const Guest& guest) const;

  DaemonSettings settings_;
  const std::function<DaemonSettings()> read_;
  DaemonLog log_;
  Signals signals_;
  const Descriptor epoll_;
  const Descriptor nothing_;
  std::unique_ptr<ProgramCache> cache_;
  House house_;
  const NodeId node_ = NodeId::random();

  std::unique_ptr<transport::Transport> transport_;
  std::unique_ptr<discovery::Discovery> source_;  // null: discover is off
  std::unique_ptr<discovery::DialPlan> dials_;    // of peers that are written down
  std::string key_fingerprint_;
  DaemonSettings network_settings_;  // with which it was opened
  bool network_due_ = false;         // the settings want another one, once no lease is under way

  Guests guests_;
  std::map<transport::SessionId, NodeId> fellows_;  // sessions with other daemons
  std::list<std::pair<NodeId, Address>> others_;    // daemons, the latest heard of first
  Time now_ = Clock::now();
  Time idle_since_ = now_;
  bool draining_ = false;
  bool strays_due_ = false;
  bool news_ = false;  // came with the last poll: there is more to do before we wait
  Restraint refusals_;
  unsigned long served_ = 0;
};

}  // namespace pp::tools::daemon
