// Daemon: the thin shell around leases.
#include "daemon.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <pp/error.hpp>
#include <pp/multicast.hpp>
#include <pp/network_transport.hpp>
#include <pp/usable_cores.hpp>
#include <utility>

#include "child.hpp"
#include "daemon_network.hpp"
#include "report_line.hpp"
#include "run_folder.hpp"
#include "shares.hpp"

namespace pp::tools::daemon {
namespace {

constexpr std::size_t kMostGuests = 256;  // sessions with launchers
constexpr std::size_t kMostOthers = 256;  // daemons remembered, and sessions with them
constexpr std::size_t kMostBacklog = std::size_t{16} << 20;  // bytes for one who does not read
constexpr std::chrono::seconds kToOpen{10};  // a launcher that has asked for nothing by then goes

// systemd's protocol (sd_notify(3)): a datagram to the socket that it names.
void notify(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || path[0] == '\0') return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::size_t size = std::strlen(path);
  if (size >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, size);
  if (path[0] == '@') to.sun_path[0] = '\0';
  const Descriptor descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!descriptor.open()) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  ::sendto(descriptor.get(), state.data(), state.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&to), length);
}

// Whether two settings differ in what only another network can do.
bool same_network(const DaemonSettings& a, const DaemonSettings& b) {
  return a.key_file == b.key_file && a.listen == b.listen && a.interface == b.interface &&
         a.discover == b.discover && a.peers == b.peers && a.name == b.name &&
         a.silence == b.silence;
}

// The launch that a process was started for, from the beginning of its environment.
std::string launch_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  constexpr std::string_view kName = "PP_LAUNCH=";
  for (std::string variable; std::getline(file, variable, '\0');) {
    if (variable.starts_with(kName)) return variable.substr(kName.size());
  }
  return {};
}

std::filesystem::path cache_folder(const DaemonSettings& settings) {
  if (!settings.cache.empty()) return settings.cache;
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string given = variable("CACHE_DIRECTORY"); !given.empty())
    return given;  // systemd's
  if (const std::string given = variable("XDG_CACHE_HOME"); !given.empty())
    return std::filesystem::path(given) / "ppd";
  if (const std::string home = variable("HOME"); !home.empty())
    return std::filesystem::path(home) / ".cache" / "ppd";
  throw Error("nowhere to keep programs: HOME is not set; name a folder with --cache");
}

}  // namespace

Daemon::Daemon(DaemonSettings settings, std::function<DaemonSettings()> read)
    : settings_(std::move(settings)),
      read_(std::move(read)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      nothing_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      cache_(std::make_unique<ProgramCache>(cache_folder(settings_), settings_.cache_size)),
      house_{settings_,
             log_,
             *cache_,
             signals_.before(),
             epoll_.get(),
             nothing_.get(),
             [this]() -> std::optional<std::string> {
               // Of a lease that does not count yet.
               std::string why = why_none_now();
               return why.empty() ? std::nullopt : std::optional(std::move(why));
             },
             [this](transport::SessionId session, const Message& message) {
               transport_->send(session, encode(message));
             }} {
  if (!epoll_.open() || !nothing_.open())
    throw Error(std::string("epoll and /dev/null: ") + std::strerror(errno));
  log_.set(settings_.log_level, settings_.log_format);
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.descriptor(), &event);
  adopt_orphans();
  RunFolder::remove_abandoned(cache_->folder());
  open_network();
}

Daemon::~Daemon() = default;

void Daemon::open_network() {
  ClusterKey key = ClusterKey::load(settings_.key_file);
  key_fingerprint_ = key.fingerprint();
  transport_ =
      open_daemon_network(ClusterKey::load(settings_.key_file), {.node = node_,
                                                                 .name = settings_.name,
                                                                 .workers = workers(),
                                                                 .launcher = false,
                                                                 .listen = settings_.listen,
                                                                 .interface = settings_.interface,
                                                                 .silence = settings_.silence});
  transport_->watch(epoll_.get());
  if (settings_.discover != "off") {
    source_ = std::make_unique<discovery::Multicast>(
        std::move(key), daemon_multicast(settings_.discover, settings_.interface));
    source_->introduce(who_is(*transport_));
    for (const int descriptor : source_->descriptors()) {
      epoll_event event{};
      event.events = EPOLLIN;
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
    }
  }
  network_settings_ = settings_;
  dials_ = std::make_unique<discovery::DialPlan>(std::hash<NodeId>()(node_));
  for (const Address& peer : settings_.peers) dials_->sighted(peer, Clock::now());
  std::string where;
  for (const Address& address : transport_->self().addresses)
    where += (where.empty() ? "" : ", ") + address.to_string();
  log_.info("listening at " + where + " with key " + key_fingerprint_ + ": " +
            std::to_string(workers()) + " workers for up to " + std::to_string(settings_.leases) +
            " launches; programs are kept in " + cache_->folder().string());
}

void Daemon::close_network() {
  if (source_) source_->leave();
  source_.reset();
  guests_.clear();
  fellows_.clear();
  others_.clear();
  transport_.reset();
}

int Daemon::run() {
  notify("READY=1\nSTATUS=listening at " + transport_->self().addresses.front().to_string());
  while (!finished()) {
    turn();
    if (!transport_) return 1;
    if (!finished() && !news_) transport_->wait(next_due());
  }
  end_all_children();
  if (source_) source_->leave();
  transport_->poll(Clock::now(), *this);  // last words
  log_.info("ends after " + std::to_string(served_) + (served_ == 1 ? " launch" : " launches"));
  return 0;
}

void Daemon::turn() {
  now_ = Clock::now();
  transport_->poll(now_, *this);
  take_signals();
  if (source_ && !draining_) source_->poll(now_, *this);
  for (const Address& address : dials_->due(now_)) transport_->dial(address);
  look_after_guests();
  share_out();
  if (std::exchange(strays_due_, false)) end_strays();
  if (network_due_ && leases() == 0 && !draining_) {
    network_due_ = false;
    change_network();
    if (!transport_) return;
  }
  news_ = false;
  transport_->poll(now_, *this);  // what was said goes out
}

// Another one; if that cannot be, the one that was, so that a mistake in the file ends nothing.
void Daemon::change_network() {
  const DaemonSettings before = network_settings_;
  close_network();
  try {
    try {
      open_network();
    } catch (const Error& error) {
      log_.error(std::string(error.what()) + "; addresses and discovery stay as they were");
      settings_.listen = before.listen;
      settings_.interface = before.interface;
      settings_.discover = before.discover;
      settings_.peers = before.peers;
      settings_.name = before.name;
      close_network();
      open_network();
    }
  } catch (const Error& error) {
    log_.error(std::string(error.what()) + "; this daemon can go no further");
    transport_.reset();
  }
}

Time Daemon::stays_until(const Guest& guest) const {
  switch (guest.lease().stage()) {
    case Lease::Stage::kFresh:
      return guest.since() + kToOpen;
    case Lease::Stage::kReceiving:
    case Lease::Stage::kRunning:
      return settings_.longest_lease.count() != 0 ? guest.since() + settings_.longest_lease
                                                  : Time::max();
    case Lease::Stage::kEnding:
    case Lease::Stage::kOver:
      break;
  }
  return Time::max();
}

Time Daemon::next_due() const {
  Time due = dials_->next_due(now_);
  if (source_ && !draining_) due = std::min(due, source_->next_due(now_));
  for (const auto& [session, guest] : guests_) {
    due = std::min({due, guest->lease().due(), stays_until(*guest)});
  }
  if (settings_.idle_exit.count() != 0 && guests_.empty())
    due = std::min(due, idle_since_ + settings_.idle_exit);
  return due;
}

// ---- who calls

void Daemon::on_up(transport::SessionId session, const transport::Peer& peer) {
  const transport::Introduction& who = peer.introduction;
  if (!who.driver) {  // another daemon
    if (fellows_.size() >= kMostOthers)
      return transport_->hang_up(session, "too many daemons are connected");
    dials_->up(who.node, peer.remote, who.addresses);
    fellows_[session] = who.node;
    if (!who.addresses.empty()) sighted({who.addresses, who.node, true, false});
    return;
  }
  if (guests_.size() >= kMostGuests)
    return transport_->hang_up(session, "too many launchers are connected");
  Lease::Limits limits;
  limits.program = settings_.max_program;
  limits.drain = settings_.drain;
  const std::string name = printable(who.name, 64) + " at " + printable(peer.remote.host, 64);
  guests_[session] = std::make_unique<Guest>(house_, session, name, limits);
  log_.debug(name + " calls");
}

void Daemon::on_message(transport::SessionId session, std::span<const std::byte> bytes) {
  const auto guest = guests_.find(session);
  if (guest == guests_.end() || guest->second->lease().over()) return;
  Lease& lease = guest->second->lease();
  news_ = true;
  if (transport_->backlog(session) > kMostBacklog)
    return transport_->hang_up(session, "it asks and does not read the answers");
  try {
    const Message message = decode(bytes);
    if (std::holds_alternative<Look>(message)) {
      transport_->send(session, encode(profile()));
      return;
    }
    if (std::holds_alternative<Open>(message) && lease.stage() == Lease::Stage::kFresh) ++served_;
    lease.take(message, now_);
  } catch (const Error& error) {
    log_.warning(guest->second->who() + ": " + error.what());
    transport_->hang_up(session, error.what());
  }
}

void Daemon::on_down(transport::SessionId session, transport::DownReason reason,
                     std::string_view why) {
  if (const auto fellow = fellows_.find(session); fellow != fellows_.end()) {
    dials_->down(fellow->second, now_);
    fellows_.erase(fellow);
    return;
  }
  const auto guest = guests_.find(session);
  if (guest == guests_.end()) return;
  Lease& lease = guest->second->lease();
  if (lease.processes() > 0) {
    log_.info(guest->second->who() + " is gone (" + std::string(to_string(reason)) + ": " +
              printable(why) + "): its processes end");
  }
  if (lease.stage() == Lease::Stage::kFresh || lease.over()) {
    guests_.erase(guest);
    idle_since_ = now_;
  } else {
    lease.lost(now_);
  }
}

void Daemon::on_dial_failed(const Address& address, transport::DialFailure, std::string_view why) {
  log_.debug("peer " + address.to_string() + ": " + printable(why));
  dials_->failed(address, now_);
}

void Daemon::on_refused(const transport::Refusal& refusal) {
  if (refusal.reason == transport::RefusalReason::kDuplicate ||
      refusal.reason == transport::RefusalReason::kSelf) {
    return dials_->refused(refusal.remote, refusal.reason, now_);
  }
  if (refusals_.may_say(now_)) {
    const unsigned long more = refusals_.left_out();
    log_.warning(refusal.remote.to_string() + (refusal.by_us ? " was refused: " : " refuses: ") +
                 printable(refusal.sentence) +
                 (more == 0 ? "" : " (and " + std::to_string(more) + " others before)"));
  }
  dials_->refused(refusal.remote, refusal.reason, now_);
}

// ---- who else is there

void Daemon::sighted(const discovery::Sighting& sighting) {
  if (!sighting.node || *sighting.node == node_) return;
  const NodeId& node = *sighting.node;
  others_.remove_if([&](const auto& other) { return other.first == node; });
  if (sighting.leaving || sighting.addresses.empty()) return;  // launchers have no address
  others_.emplace_front(node, sighting.addresses.front());
  if (others_.size() > kMostOthers) others_.pop_back();
}

void Daemon::noticed(const std::string& sentence) { log_.info(printable(sentence)); }

// ---- what is lent

unsigned Daemon::workers() const {
  return settings_.workers != 0 ? settings_.workers : std::max(1u, usable_cores());
}

std::size_t Daemon::leases() const {
  return static_cast<std::size_t>(std::count_if(
      guests_.begin(), guests_.end(),
      [](const auto& guest) { return guest.second->lease().stage() != Lease::Stage::kFresh; }));
}

std::string Daemon::why_none_now() const {
  if (draining_) return "it is about to end";
  const std::size_t many = leases();
  if (many < settings_.leases) return {};
  return "it serves " + std::to_string(many) + (many == 1 ? " launch" : " launches") +
         " already (leases)";
}

Profile Daemon::profile() const {
  Profile profile;
  utsname about{};
  ::uname(&about);
  profile.version = PP_VERSION;
  profile.machine = about.machine;
  profile.workers = workers();
  profile.leases = static_cast<std::uint32_t>(leases());
  profile.memory = settings_.memory;
  profile.why = why_none_now();
  if (profile.why.empty()) {
    std::vector<unsigned> wants;
    for (const auto& [session, guest] : guests_) {
      if (guest->lease().wants_workers()) wants.push_back(guest->lease().wants());
    }
    wants.push_back(0);
    profile.share = fair_shares(workers(), wants).back();
  }
  for (const auto& [node, address] : others_) profile.others.push_back(address.to_string());
  return profile;
}

void Daemon::share_out() {
  std::vector<Lease*> leases;
  std::vector<unsigned> wants;
  for (const auto& [session, guest] : guests_) {
    if (!guest->lease().wants_workers()) continue;
    leases.push_back(&guest->lease());
    wants.push_back(guest->lease().wants());
  }
  const std::vector<unsigned> shares = fair_shares(workers(), wants);
  for (std::size_t i = 0; i < leases.size(); ++i) leases[i]->set_share(shares[i], now_);
}

void Daemon::look_after_guests() {
  for (auto entry = guests_.begin(); entry != guests_.end();) {
    Guest& guest = *entry->second;
    guest.read();
    Lease& lease = guest.lease();
    lease.step(now_);
    if (now_ >= stays_until(guest)) {
      if (lease.stage() == Lease::Stage::kFresh) {
        transport_->hang_up(guest.session(), "nothing was asked for");
      } else {
        log_.info(guest.who() + " has had its time (longest-lease)");
        lease.drain(now_);
      }
    }
    if (!lease.over()) {
      ++entry;
      continue;
    }
    transport_->hang_up(guest.session(), "the lease is over");
    entry = guests_.erase(entry);
    idle_since_ = now_;
    strays_due_ = true;
  }
  if (settings_.idle_exit.count() != 0 && guests_.empty() && !draining_ &&
      now_ >= idle_since_ + settings_.idle_exit) {
    drain("nobody has called for " + std::to_string(settings_.idle_exit.count()) +
          " s (idle-exit)");
  }
}

// ---- what the system says

void Daemon::take_signals() {
  while (const std::optional<Signal> signal = signals_.take()) {
    switch (signal->number) {
      case SIGCHLD:
        reap_all();
        break;
      case SIGHUP:
        reload();
        break;
      case SIGUSR1:
        print_state();
        break;
      case SIGTERM:
      case SIGINT:
      case SIGQUIT:
        if (draining_) {
          log_.info(signal_name(signal->number) + " again: all processes are ended");
          for (const auto& [session, guest] : guests_) guest->lease().lost(now_);
        } else {
          drain(signal_name(signal->number));
        }
        break;
      case SIGTSTP:
        ::raise(SIGSTOP);
        break;
      default:
        break;
    }
  }
}

void Daemon::drain(const std::string& why) {
  draining_ = true;
  notify("STOPPING=1");
  const std::size_t many = leases();
  log_.info(why + ": no more launches are taken" +
            (many == 0 ? ""
                       : "; " + std::to_string(many) + " leave within " +
                             std::to_string(settings_.drain.count()) + " s"));
  if (source_) source_->leave();
  for (const auto& [session, guest] : guests_) guest->lease().drain(now_);
}

void Daemon::reap_all() {
  bool childless = false;
  while (const std::optional<pid_t> pid = ended_child()) {
    for (const auto& [session, guest] : guests_) guest->end_family(*pid);
    const std::optional<EndedChild> child = reap(childless, *pid);
    if (!child) break;
    for (const auto& [session, guest] : guests_) {
      if (guest->ended(*child, now_)) break;
    }
  }
  strays_due_ = true;
}

// What workers have started and left became our child when they ended. It goes with its lease.
void Daemon::end_strays() {
  for (const pid_t pid : living_children()) {
    const auto knows = [pid](const auto& guest) { return guest.second->knows(pid); };
    if (std::any_of(guests_.begin(), guests_.end(), knows)) continue;
    const std::string launch = launch_of(pid);
    const auto belongs = [&launch](const auto& guest) {
      return guest.second->lease().what().launch == launch && guest.second->lease().processes() > 0;
    };
    if (!std::any_of(guests_.begin(), guests_.end(), belongs)) ::kill(pid, SIGKILL);
  }
}

// A stray that is killed leaves us its own children, and so on.
void Daemon::end_all_children() {
  constexpr int kMostTries = 200;
  constexpr int kPauseMilliseconds = 10;
  for (int tries = 0; tries < kMostTries && !living_children().empty(); ++tries) {
    for (const pid_t pid : living_children()) ::kill(pid, SIGKILL);
    bool childless = false;
    while (reap(childless)) {
    }
    if (childless) return;
    pollfd child{signals_.descriptor(), POLLIN, 0};
    ::poll(&child, 1, kPauseMilliseconds);
    while (signals_.take()) {
    }
  }
}

void Daemon::reload() {
  DaemonSettings fresh;
  std::string fingerprint;
  try {
    fresh = read_();
    check(fresh);
    fingerprint = ClusterKey::load(fresh.key_file).fingerprint();
  } catch (const Error& error) {
    log_.error(std::string(error.what()) + "; the settings stay as they were");
    return;
  }
  if (fresh.cache != settings_.cache || fresh.pid_file != settings_.pid_file)
    log_.warning("cache and pid-file take effect when this daemon is started again");
  fresh.cache = settings_.cache;
  fresh.pid_file = settings_.pid_file;
  const bool other_network = !same_network(fresh, settings_) || fingerprint != key_fingerprint_;
  settings_ = std::move(fresh);
  log_.set(settings_.log_level, settings_.log_format);
  cache_->set_limit(settings_.cache_size);
  network_due_ = network_due_ || other_network;
  log_.info(std::string("the settings were read again") +
            (other_network && leases() > 0
                 ? "; key, addresses and discovery change when the last launch has ended"
                 : ""));
}

void Daemon::print_state() const {
  log_.info(std::to_string(leases()) + " launches of at most " + std::to_string(settings_.leases) +
            ", " + std::to_string(workers()) + " workers; " + std::to_string(served_) +
            " served; cache: " + std::to_string(cache_->index().programs()) + " programs, " +
            std::to_string(cache_->index().bytes() >> 20) + " of " +
            std::to_string(cache_->index().limit() >> 20) +
            " MiB; other daemons: " + std::to_string(others_.size()));
  for (const auto& [session, guest] : guests_) {
    const Lease& lease = guest->lease();
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(now_ - guest->since());
    log_.info("  " + guest->who() + ": " + printable(lease.what().program, 128) + ", " +
              std::to_string(lease.processes()) + " processes, " + std::to_string(lease.workers()) +
              " workers, for " + std::to_string(age.count()) + " s");
  }
}

}  // namespace pp::tools::daemon
