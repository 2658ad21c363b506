// HostLaunch: one turn of its loop; signals; the end.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include "host_launch.hpp"

namespace pp::tools {
namespace {

using std::chrono::milliseconds;

// A driver that ended in order has said goodbye and the nodes go by themselves.
constexpr Farewell::Limits kAfterTheDriver{milliseconds{5000}, milliseconds{2000},
                                           milliseconds{4000}};
// A driver that was killed has said nothing.
constexpr Farewell::Limits kAfterACrash{milliseconds{1500}, milliseconds{1500}, milliseconds{4000}};
// Nobody has anything to finish.
constexpr Farewell::Limits kAtOnce{milliseconds{0}, milliseconds{2000}, milliseconds{4000}};

// Of what ssh or a shell prints, so much is kept: whatever comes last explains best.
constexpr std::size_t kLongestWords = 400;

void remember(std::string& words, std::string_view line) {
  if (line.find_first_not_of(" \t\r@") == std::string_view::npos) return;
  std::string before = std::move(words);
  words = printable(line.substr(0, line.find_last_not_of("\r") + 1), kLongestWords);
  if (!before.empty() && before.size() + words.size() < kLongestWords)
    words = before + "; " + words;
}

}  // namespace

void HostLaunch::step() {
  muster_->check_limits(now());
  advance_hosts();
  tell_news();
  end_sessions_of_failed();
  if (phase_ != Phase::kEnding && plan_.run_limit.count() > 0 &&
      now() >= muster_->start() + plan_.run_limit) {
    say("the run is ended after " + std::to_string(plan_.run_limit.count()) + " s (--timeout)");
    exit_code_ = kTimedOut;
    return begin_ending(kAtOnce);
  }
  if (phase_ == Phase::kGathering) call_roll();
  if (phase_ == Phase::kRunning && driver_.exit)
    begin_ending(driver_.exit->signal != 0 ? kAfterACrash : kAfterTheDriver);
  if (phase_ == Phase::kEnding) say_goodbye();
}

// Everybody has joined or failed, or nobody can. That is all.
void HostLaunch::tell_findings() {
  for (std::string& line : muster_->findings()) say(std::move(line));
  say("check: " + muster_->check_verdict());
  const bool enough = !driver_.exit && muster_->present() >= muster_->needed();
  exit_code_ = interrupts_.any() ? 128 + SIGINT : enough ? 0 : kIncomplete;
  signal_driver(SIGTERM);  // it goes in order, and the nodes with it
  begin_ending(kAfterTheDriver);
}

void HostLaunch::call_roll() {
  const Muster::Verdict verdict = muster_->verdict(now());
  if (plan_.launch.check) {
    if (verdict != Muster::Verdict::kGathering || driver_.exit) tell_findings();
    return;
  }
  // It may end before the last host is settled: it needs no more than it asked for.
  const bool over = driver_.exit && muster_->stage(0) == Muster::Stage::kJoined;
  if (verdict == Muster::Verdict::kComplete || over) {
    phase_ = Phase::kRunning;
    const auto took = std::chrono::ceil<milliseconds>(now() - muster_->start());
    const bool all = muster_->present() == hosts_.size() + 1;
    if (!over && (!plan_.launch.quiet || !all)) {
      say(std::to_string(muster_->present()) +
          (all ? "" : " of " + std::to_string(hosts_.size() + 1)) + " nodes are there after " +
          std::to_string(took.count()) + " ms");
    }
    return;
  }
  if (verdict == Muster::Verdict::kGathering) return;
  const bool driver_never_opened = driver_.exit && muster_->driver_address().empty();
  if (interrupts_.any()) {
    say("interrupted before all nodes were there");
  } else if (driver_never_opened && exit_code_ == 0) {
    say("the program ended before it opened its port, so no host was given work");
  } else {
    const std::string awaited = muster_->awaited();
    say(std::to_string(muster_->present()) + " of " + std::to_string(hosts_.size() + 1) +
        " nodes are there" + (awaited.empty() ? "" : " (still awaited: " + awaited + ")") + "; " +
        std::to_string(muster_->needed()) + " are needed" +
        (plan_.min_nodes == 0 ? " (--min-nodes asks for less)" : ""));
  }
  if (exit_code_ == 0 && !driver_never_opened) exit_code_ = kIncomplete;
  begin_ending(kAtOnce);
}

void HostLaunch::tell_news() {
  for (Muster::News& news : muster_->take_news()) {
    using Kind = Muster::News::Kind;
    if (news.kind == Kind::kRow && plan_.launch.quiet) continue;
    if (news.kind != Kind::kWarning && plan_.launch.check) continue;  // the findings say it
    say(std::move(news.text));
  }
}

Time HostLaunch::next_due() const {
  Time due = Time::max();
  if (phase_ == Phase::kEnding) return childless_ ? due : farewell_->due();
  due = muster_->due();
  if (phase_ == Phase::kRunning && muster_->verdict(now()) == Muster::Verdict::kComplete)
    due = Time::max();
  for (const Host& host : hosts_) due = std::min(due, host.again.value_or(due));
  if (plan_.run_limit.count() > 0) due = std::min(due, muster_->start() + plan_.run_limit);
  return due;
}

void HostLaunch::add_sources(Watch& watch) {
  if (driver_.report.open()) watch.add(driver_.report.get(), POLLIN, [this] { read_reports(); });
  if (hostfile_watch_ && phase_ != Phase::kEnding) {
    watch.add(hostfile_watch_->descriptor(), POLLIN, [this] {
      if (hostfile_watch_->changed()) read_hostfile_again();
    });
  }
  for (unsigned host = 1; host <= hosts_.size(); ++host) {
    Host& self = hosts_[host - 1];
    for (SshSession* session : self.sessions()) {
      if (session == nullptr) continue;
      if (session->out.open() && !out_.full()) {
        watch.add(session->out.get(), POLLIN,
                  [this, host, session] { read_output(host, *session); });
      }
      if (session->err.open() && !err_.full())
        watch.add(session->err.get(), POLLIN,
                  [this, host, session] { read_error(host, *session); });
      if (session->wants_to_write())
        watch.add(session->input(), POLLOUT, [session] { session->write_some(); });
    }
  }
}

void HostLaunch::read_reports() {
  char bytes[4096];
  while (driver_.report.open()) {
    const ssize_t count = ::read(driver_.report.get(), bytes, sizeof bytes);
    if (count < 0) return;  // nothing more for now
    if (count == 0) return driver_.report.close();
    driver_.report_lines.feed({bytes, static_cast<std::size_t>(count)}, [&](std::string_view line) {
      const Report report = parse_report(line);
      if (report.kind == Report::Kind::kHttp) say("can be watched at " + printable(report.text));
      muster_->said(0, report, now());
      if (report.kind == Report::Kind::kDrains) let_nodes_leave();
    });
  }
}

// One piece at a time, so that nobody keeps us from the others. What login shells print on a visit
// is nobody's business.
void HostLaunch::read_output(unsigned host, SshSession& session) {
  const bool heard = &session == hosts_[host - 1].node.get();
  const auto forward = [&](std::string_view line) {
    if (heard) print_for(host, out_, line);
  };
  char bytes[65536];
  const ssize_t count = ::read(session.out.get(), bytes, sizeof bytes);
  if (count > 0) return session.out_lines.feed({bytes, static_cast<std::size_t>(count)}, forward);
  if (count < 0 && errno == EAGAIN) return;
  session.out_lines.finish(forward);
  session.out.close();
}

void HostLaunch::read_error(unsigned host, SshSession& session) {
  const bool of_node = &session == hosts_[host - 1].node.get();
  const auto printed = [&](std::string_view line) {
    remember(session.last_words, line);
    if (of_node) print_for(host, err_, line);
  };
  const auto said = [&](std::string_view words) { keeper_said(host, words); };
  char bytes[65536];
  const ssize_t count = ::read(session.err.get(), bytes, sizeof bytes);
  if (count > 0) return session.ear.feed({bytes, static_cast<std::size_t>(count)}, printed, said);
  if (count < 0 && errno == EAGAIN) return;
  session.ear.finish(printed, said);
  session.err.close();
}

// It has ended: what is in its pipes is all that will ever come. An end that some stranger keeps
// open is not waited for.
void HostLaunch::drain(unsigned host, SshSession& session) {
  const auto readable = [](const Descriptor& from) {
    pollfd waiting{from.get(), POLLIN, 0};
    return from.open() && ::poll(&waiting, 1, 0) > 0;
  };
  while (readable(session.err)) read_error(host, session);
  while (readable(session.out)) read_output(host, session);
}

void HostLaunch::reap_all() {
  read_reports();
  while (const std::optional<EndedChild> child = reap(childless_)) {
    if (child->pid == driver_.pid && driver_.living()) driver_ended(*child);
    for (unsigned host = 1; host <= hosts_.size(); ++host) {
      Host& self = hosts_[host - 1];
      for (SshSession* session : self.sessions()) {
        if (session != nullptr && session->pid() == child->pid && session->living())
          session_ended(host, *session, child->status);
      }
    }
  }
}

void HostLaunch::session_ended(unsigned host, SshSession& session, const ExitStatus& status) {
  drain(host, session);
  session.ended(status);
  Host& self = hosts_[host - 1];
  if (&session == self.node.get()) {
    if (!self.exit) node_lost(host, status);
    return;
  }
  if (&session == self.copy.get()) {
    const bool done =
        std::none_of(self.lacks.begin(), self.lacks.end(),
                     [&](const StagedFile* file) { return file->bytes == session.last(); });
    std::string words = session.last_words;
    if (words.empty()) words = "the connection ended (ssh " + status.sentence() + ")";
    if (!done) muster_->failed(host, "stage", words, now());
    return;
  }
  if (muster_->stage(host) != Muster::Stage::kReaching) return;
  // 255 is ssh's own; else the host was reached, and its shell is none that we know.
  std::string words = session.last_words;
  if (words.empty()) words = "ssh " + status.sentence();
  muster_->failed(host, status.code == 255 || status.signal != 0 ? "ssh" : "shell", words, now());
}

void HostLaunch::driver_ended(const EndedChild& child) {
  driver_.exit = child.status;
  muster_->driver_ended();
  if (phase_ == Phase::kEnding) return;
  exit_code_ = child.status.shell_code();
  if (plan_.launch.check)
    return muster_->failed(0, "ended", "it " + child.status.sentence(), now());
  if (child.status.signal != 0 && !interrupts_.any())
    say("the driver (pid " + std::to_string(child.pid) + ") " + child.status.sentence());
}

// ---- signals

void HostLaunch::signal_driver(int signal) {
  if (driver_.living()) ::kill(driver_.pid, signal);
}

void HostLaunch::order(unsigned host, std::string_view signal) {
  Host& self = hosts_[host - 1];
  if (!self.node || !self.node->living() || !self.speaks || self.exit) return;
  self.node->send("signal " + std::string(signal) + "\n");
  self.node->write_some();
}

void HostLaunch::order_all(std::string_view signal) {
  for (unsigned host = 1; host <= hosts_.size(); ++host) order(host, signal);
}

void HostLaunch::handle(const Signal& signal) {
  switch (signal.number) {
    case SIGCHLD:
      return reap_all();
    case SIGTSTP:
      return suspend(signal);
    case SIGCONT:
      return;  // what there is to do is done where we stopped
    case SIGUSR1:
      signal_driver(SIGUSR1);
      for (unsigned host = 1; host <= hosts_.size(); ++host) {
        if (muster_->stage(host) == Muster::Stage::kJoined) order(host, "USR1");
      }
      return;
    case SIGUSR2:
      return signal_driver(SIGUSR2);
    default:
      return interrupt(signal);
  }
}

// The first goes to the driver, whose program knows best how to end. The second ends all.
void HostLaunch::interrupt(const Signal& signal) {
  const Interrupts::Meaning meaning = interrupts_.heard(signal.number, now());
  if (meaning == Interrupts::Meaning::kSame) return;
  if (phase_ == Phase::kEnding) return hurry(*farewell_, childless_);
  if (meaning == Interrupts::Meaning::kWindUp) {
    if (!signal.from_terminal) signal_driver(signal.number);
    return say(signal_name(signal.number) +
               ": the driver is asked to end; once more ends everything");
  }
  if (exit_code_ == 0) exit_code_ = 128 + signal.number;
  begin_ending(kAtOnce);
}

// The driver winds up: what the nodes have not begun is not to be begun, what runs there comes to
// its end.
void HostLaunch::let_nodes_leave() {
  for (unsigned host = 1; host <= hosts_.size(); ++host) {
    hosts_[host - 1].leaving = true;
    hosts_[host - 1].again.reset();
    if (muster_->stage(host) == Muster::Stage::kJoined) order(host, "TERM");
  }
}

// The terminal stops us and the driver; the nodes would compute on.
void HostLaunch::suspend(const Signal& signal) {
  if (!signal.from_terminal) signal_driver(SIGTSTP);
  order_all("STOP");
  stop_ourselves();
  signal_driver(SIGCONT);
  order_all("CONT");
}

// ---- ending

void HostLaunch::begin_ending(Farewell::Limits limits) {
  const std::string awaited = muster_->awaited();
  if (phase_ == Phase::kRunning && !awaited.empty())
    say("the run ends before these had joined or failed: " + awaited);
  phase_ = Phase::kEnding;
  muster_->run_ends();
  farewell_.emplace(now(), limits);
  for (Host& host : hosts_) host.again.reset();
  reap_all();  // if nothing could be started, no SIGCHLD will ever tell that we have no children
}

void HostLaunch::say_goodbye() {
  for (unsigned host = 1; host <= hosts_.size(); ++host) {
    Host& self = hosts_[host - 1];
    if (self.copy) self.copy->kill();
    if (self.node && self.node->living() && !self.exit) continue;
    if (self.node) self.node->close_input();
    if (!self.visit) continue;
    if (muster_->facts(host)) {
      self.visit->close_input();
    } else {
      self.visit->kill();
    }
  }
  if (childless_) return;
  switch (farewell_->step(now())) {
    case Farewell::Step::kWait:
      break;
    case Farewell::Step::kAsk:
      signal_driver(SIGTERM);
      signal_driver(SIGCONT);
      order_all("TERM");
      order_all("CONT");
      break;
    case Farewell::Step::kKill:
      signal_driver(SIGKILL);
      for (Host& host : hosts_) {
        if (host.node) host.node->close_input();
      }
      break;
    case Farewell::Step::kGiveUp:
      for (Host& host : hosts_) {
        for (SshSession* session : host.sessions()) {
          if (session != nullptr) session->kill();
        }
      }
      for (const pid_t pid : living_children()) ::kill(pid, SIGKILL);
      while (!err_.empty()) err_.write_some();
      gave_up_ = true;
      break;
  }
}

}  // namespace pp::tools
