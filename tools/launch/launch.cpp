// Launch: the event loop around the roll call and the farewell.
#include "launch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <pp/error.hpp>
#include <variant>

#include "obituary.hpp"

extern char** environ;

namespace pp::tools {
namespace {

using std::chrono::milliseconds;

// A driver that ended in order has said goodbye and the workers go by themselves.
constexpr Farewell::Limits kAfterTheDriver{};
// A driver that was killed has said nothing; all is over within 5 s whatever the workers do.
constexpr Farewell::Limits kAfterACrash{milliseconds{1500}, milliseconds{1500}, milliseconds{5000}};
// The nodes did not come together: nobody has anything to finish.
constexpr Farewell::Limits kAtOnce{milliseconds{0}, milliseconds{2000}, milliseconds{5000}};
// Processes left behind by nodes that have ended.
constexpr Farewell::Limits kStrays{milliseconds{0}, milliseconds{1000}, milliseconds{5000}};

// Slots of the black box beside one for each node: for programs with more than one runtime, and for
// replacements, whose predecessors others still ask about.
constexpr unsigned kSpareSlots = 16;

// "[3] a worker's line"
std::string behind_number(unsigned node, std::string_view line) {
  std::string text =
      "[";  // appended to, because g++ 12 warns wrongly about "[" + std::to_string(node)
  return text.append(std::to_string(node)).append("] ").append(line);
}

std::string path_variable() {
  const char* path = std::getenv("PATH");
  return path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
}

}  // namespace

Launch::Launch(LaunchPlan plan)
    : plan_(std::move(plan)),
      launch_id_(fresh_launch_id()),
      roll_(plan_.nodes, plan_.workers, {.join = plan_.join_limit}, Clock::now()),
      respawn_(plan_.respawn),
      nodes_(plan_.nodes) {
  assert(plan_.nodes > 0 && plan_.workers > 0 && !plan_.command.empty());
  for (char** variable = environ; *variable != nullptr; ++variable)
    environment_.emplace_back(*variable);
  nothing_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing_.open()) throw Error("/dev/null cannot be opened");
}

int Launch::run() {
  const auto found = find_program(plan_.command.front(), path_variable());
  if (const auto* failure = std::get_if<ExecFailure>(&found)) {
    say("exec: " + failure->why);
    err_.write_some();
    return failure->shell_code;
  }
  file_ = std::get<std::string>(found);
  if (plan_.nodes > 1 && plan_.key_file.empty()) {
    key_ = std::make_unique<TemporaryKey>();
    plan_.key_file = key_->file();
  }
  make_black_box();
  adopt_orphans();
  start(0);
  while (!finished() && !gave_up_) {
    step();
    if (!finished() && !gave_up_) wait(next_due(), [this](Watch& watch) { add_sources(watch); });
  }
  return exit_code_;
}

void Launch::say_lines(std::string_view text) {
  LineSplitter lines;
  const auto sink = [this](std::string_view line) { err_.line(std::string(line)); };
  lines.feed(text, sink);
  lines.finish(sink);
}

// ---- beginning

void Launch::make_black_box() {
  try {
    black_box_ = runtime::BlackBox::make(plan_.nodes + kSpareSlots, plan_.workers);
  } catch (const Error& refusal) {
    say(std::string(refusal.what()) + "; what a node was running when it died will not be told");
  }
}

std::optional<std::string> Launch::start(unsigned node) {
  std::optional<std::string> why;
  try {
    why = start_process(node);
  } catch (const Error& refusal) {  // of the system; those that run already must be ended in order
    why = refusal.what();
    if (node == 0) exit_code_ = 1;
  }
  if (why) roll_.not_started(node, *why, now());
  return why;
}

std::optional<std::string> Launch::start_process(unsigned node) {
  Node& self = nodes_[node];
  Pipe report = make_pipe();
  // A node must not stand still because we do: a report that does not fit is lost.
  ::fcntl(report.writing.get(), F_SETFL, O_NONBLOCK);
  Pipe output, error;
  ChildPlan child;
  const bool deputy = plan_.is_deputy(node);
  child.file = deputy ? "/proc/self/exe" : file_;
  child.arguments =
      deputy ? plan_.deputies[node + plan_.deputies.size() - plan_.nodes] : plan_.command;
  const bool noting = black_box_ && !deputy;  // elsewhere there is no memory of ours
  const Inherited inherited{report.writing.get(), noting ? black_box_->descriptor() : -1};
  child.environment =
      node_environment(plan_, node, launch_id_, roll_.driver_address(), inherited, environment_);
  child.keep.push_back(inherited.report);
  if (noting) child.keep.push_back(inherited.black_box);
  if (key_) child.keep.push_back(key_->descriptor());
  child.signals = &signals_.before();
  if (node != 0) {
    output = make_pipe();
    error = make_pipe();
    child.own_group = true;
    child.input = nothing_.get();
    child.output = output.writing.get();
    child.error = error.writing.get();
  }
  const auto result = start_child(child);
  if (const auto* failure = std::get_if<ExecFailure>(&result)) {
    if (node == 0) exit_code_ = failure->shell_code;
    return failure->why;
  }
  self.rate = OutputRate(plan_.output_rate);
  self.pid = std::get<pid_t>(result);
  self.started = now();
  self.report = std::move(report.reading);
  self.output = std::move(output.reading);
  self.error = std::move(error.reading);
  roll_.started(node, self.pid, now());
  return std::nullopt;
}

void Launch::start_workers() {
  workers_started_ = true;
  for (unsigned node = 1; node < nodes_.size(); ++node) start(node);
}

// ---- one turn

void Launch::add_sources(Watch& watch) {
  for (unsigned node = 0; node < nodes_.size(); ++node) {
    Node& self = nodes_[node];
    if (self.report.open())
      watch.add(self.report.get(), POLLIN, [this, node] { read_reports_of(node); });
    if (self.output.open() && !out_.full()) {
      watch.add(self.output.get(), POLLIN,
                [this, node, &self] { read_output(node, self.output, self.output_lines, out_); });
    }
    if (self.error.open() && !err_.full()) {
      watch.add(self.error.get(), POLLIN,
                [this, node, &self] { read_output(node, self.error, self.error_lines, err_); });
    }
  }
}

Time Launch::next_due() const {
  if (phase_ == Phase::kGathering) return roll_.due();
  if (phase_ == Phase::kEnding) return childless_ ? Time::max() : farewell_->due();
  Time due = Time::max();
  for (const Node& node : nodes_) due = std::min(due, node.again.value_or(due));
  return due;
}

void Launch::read_reports() {
  for (unsigned node = 0; node < nodes_.size(); ++node) read_reports_of(node);
}

void Launch::read_reports_of(unsigned node) {
  Node& self = nodes_[node];
  char bytes[4096];
  while (self.report.open()) {
    const ssize_t count = ::read(self.report.get(), bytes, sizeof bytes);
    if (count < 0) return;  // nothing more for now
    if (count == 0) return self.report.close();
    self.report_lines.feed({bytes, static_cast<std::size_t>(count)}, [&](std::string_view line) {
      const Report report = parse_report(line);
      if (report.kind == Report::Kind::kHttp && node == 0)
        say("can be watched at " + printable(report.text));
      roll_.said(node, report, now());
      if (node == 0 && report.kind == Report::Kind::kDrains) let_workers_leave();
    });
  }
}

void Launch::forward(unsigned node, std::string_view line, Output& to) {
  say_dropped(node, false);
  if (nodes_[node].rate.pass(Clock::now(), line)) to.line(behind_number(node, line));
}

void Launch::say_dropped(unsigned node, bool end) {
  const std::string sentence = nodes_[node].rate.dropped(Clock::now(), end);
  if (!sentence.empty()) say("node " + std::to_string(node) + ": " + sentence);
}

// One piece at a time: a worker that never stops talking must not keep us from everybody else.
void Launch::read_output(unsigned node, Descriptor& from, LineSplitter& lines, Output& to) {
  const auto forward = [&](std::string_view line) { this->forward(node, line, to); };
  char bytes[65536];
  const ssize_t count = ::read(from.get(), bytes, sizeof bytes);
  if (count > 0) return lines.feed({bytes, static_cast<std::size_t>(count)}, forward);
  if (count < 0 && errno == EAGAIN) return;
  lines.finish(forward);
  from.close();
}

// Everything has ended: what is still in the pipes is all that will ever come.
void Launch::drain() {
  read_reports();
  for (unsigned node = 1; node < nodes_.size(); ++node) drain(node);
}

void Launch::drain(unsigned node) {
  const auto drain_one = [this, node](Descriptor& from, LineSplitter& lines, Output& to) {
    while (from.open()) {  // an end that some stranger keeps open is not waited for
      pollfd readable{from.get(), POLLIN, 0};
      if (::poll(&readable, 1, 0) <= 0) break;
      read_output(node, from, lines, to);
    }
    lines.finish([&](std::string_view line) { forward(node, line, to); });
    from.close();
  };
  drain_one(nodes_[node].output, nodes_[node].output_lines, out_);
  drain_one(nodes_[node].error, nodes_[node].error_lines, err_);
  say_dropped(node, true);
}

void Launch::reap_all() {
  read_reports();  // what a node said before it ended was said before it ended
  const bool had_children = !childless_;
  while (const std::optional<EndedChild> child = reap(childless_)) {
    const auto self = std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& node) {
      return node.living() && node.pid == child->pid;
    });
    if (self != nodes_.end()) ended(static_cast<unsigned>(self - nodes_.begin()), *child);
    if (!black_box_) continue;
    // Others want to know it too: who had lent it work.
    using Kind = runtime::Fate::Kind;
    const ExitStatus& status = child->status;
    black_box_->ended(child->pid, status.signal != 0 ? runtime::Fate{Kind::kSignal, status.signal}
                                                     : runtime::Fate{Kind::kExited, status.code});
  }
  if (childless_ && had_children) drain();
}

void Launch::ended(unsigned node, const EndedChild& child) {
  const ExitStatus& status = child.status;
  nodes_[node].exit = status;
  roll_.ended(node, status, now());
  if (node == 0) {
    if (phase_ == Phase::kEnding) return;
    exit_code_ = status.shell_code();
    if (status.signal != 0) last_words_ = obituary(node, child);
    return;
  }
  const bool by_us = farewell_ && farewell_->reached() != Farewell::Step::kWait;
  const bool left_alone =
      nodes_[0].exit && nodes_[0].exit->signal != 0;  // workers of a dead driver end
  const bool told_to = drains_ && status.signal == SIGTERM;
  if (phase_ == Phase::kGathering || status.clean() || by_us || left_alone || told_to) return;
  const bool goes_on = nodes_[0].living();
  say(obituary(node, child) + (goes_on ? "; the run goes on" : ""));
  if (!goes_on || phase_ != Phase::kRunning || drains_) return;
  const Respawn::Answer answer = respawn_.ended(node, now() - nodes_[node].started, now());
  nodes_[node].again = answer.start;
  if (!answer.why_not.empty()) say("node " + std::to_string(node) + " " + answer.why_not);
}

// REQUIRES: the black box does not know of its end yet.
std::string Launch::obituary(unsigned node, const EndedChild& child) const {
  Obituary obituary{.node = node,
                    .pid = child.pid,
                    .status = child.status,
                    .lived = now() - nodes_[node].started,
                    .peak_bytes = child.peak_bytes,
                    .name = std::nullopt,
                    .jobs = {}};
  if (black_box_) {
    if (const auto sighting = black_box_->sighting(child.pid))
      add_last_jobs(obituary, *black_box_, *sighting, Clock::now().time_since_epoch());
  }
  return obituary.sentence();
}

void Launch::replace_the_dead() {
  for (unsigned node = 1; node < nodes_.size(); ++node) {
    if (nodes_[node].again && *nodes_[node].again <= now()) replace(node);
  }
}

// A process of its own in the dead one's place; nobody waits for it to join.
void Launch::replace(unsigned node) {
  drain(node);
  Node fresh;
  nodes_[node] = std::move(fresh);
  if (black_box_) black_box_->make_room();
  const std::string who = "node " + std::to_string(node);
  if (const std::optional<std::string> why = start(node)) {
    say(who + " cannot be started again: " + *why);
  } else {
    say(who + " is started again (pid " + std::to_string(nodes_[node].pid) + ")");
  }
}

void Launch::step() {
  if (phase_ == Phase::kGathering) call_roll();
  if (phase_ == Phase::kRunning && nodes_[0].exit) {
    const ExitStatus& status = *nodes_[0].exit;
    if (status.signal != 0 && !interrupts_.any()) say(last_words_);
    begin_ending(status.signal != 0 ? kAfterACrash : kAfterTheDriver);
  }
  if (phase_ == Phase::kRunning) replace_the_dead();
  if (phase_ == Phase::kEnding) say_goodbye();
}

void Launch::call_roll() {
  if (plan_.nodes == 1) {  // alone: nobody to wait for
    phase_ = Phase::kRunning;
    if (nodes_[0].pid == 0) {
      say_lines("pp-launch: the program could not be started\n" + roll_.missing());
      begin_ending(kAtOnce);
    }
    return;
  }
  if (!workers_started_ && !roll_.driver_address().empty() && nodes_[0].living()) start_workers();
  switch (roll_.verdict(now())) {
    case RollCall::Verdict::kGathering:
      return;
    case RollCall::Verdict::kComplete:
      phase_ = Phase::kRunning;
      if (!plan_.quiet || plan_.check) {
        const auto took = std::chrono::ceil<milliseconds>(now() - roll_.start());
        say(std::to_string(plan_.nodes) + " nodes are there after " + std::to_string(took.count()) +
            " ms");
        say_lines(roll_.table());
      }
      if (plan_.check) {
        say("check: all nodes can be used");
        signal_node(0, SIGTERM);  // it goes in order, and nothing was run
        begin_ending(kAfterTheDriver);
      }
      return;
    case RollCall::Verdict::kIncomplete:
      break;
  }
  const bool driver_never_opened = roll_.driver_ended() && roll_.driver_address().empty();
  if (interrupts_.any()) {
    say("interrupted before all nodes were there");
  } else if (driver_never_opened && exit_code_ == 0) {
    // Perhaps it only printed its help: its own business, but nobody should think that nodes were
    // at work.
    say("the program ended before it opened its port, so no worker was started");
  } else {
    say(std::to_string(roll_.present()) + " of " + std::to_string(plan_.nodes) +
        " nodes are there; missing:");
    say_lines(roll_.missing());
  }
  if (exit_code_ == 0 && !driver_never_opened) exit_code_ = kIncomplete;
  begin_ending(kAtOnce);
}

// ---- signals

void Launch::handle(const Signal& signal) {
  switch (signal.number) {
    case SIGCHLD:
      return reap_all();
    case SIGTSTP:
      return suspend(signal);
    case SIGCONT:
      return;  // what there is to do is done where we stopped
    case SIGUSR1:
      return ask_for_state(signal.number);
    case SIGUSR2:
      return signal_node(0, signal.number);
    default:
      return interrupt(signal);
  }
}

// A node prints its state; one that is not prepared to (it has only just started, say) would die of
// the signal. The driver gets it in any case, as if it had been started alone. Not to groups: what
// nodes have started is not asked.
void Launch::ask_for_state(int signal) {
  for (unsigned node = 0; node < nodes_.size(); ++node) {
    const Node& self = nodes_[node];
    if (self.living() && (node == 0 || is_prepared(self.pid, signal))) ::kill(self.pid, signal);
  }
}

// The first goes to the driver, whose program knows best how to end; the second ends everything.
// While everything is ending anyway, each makes it one step faster.
void Launch::interrupt(const Signal& signal) {
  const Interrupts::Meaning meaning = interrupts_.heard(signal.number, now());
  if (meaning == Interrupts::Meaning::kSame) return;
  if (phase_ == Phase::kEnding) return hurry(*farewell_, childless_);
  if (meaning == Interrupts::Meaning::kWindUp) {
    if (!signal.from_terminal) signal_node(0, signal.number);
    return say(signal_name(signal.number) +
               ": the driver is asked to end; once more ends everything");
  }
  if (exit_code_ == 0) exit_code_ = 128 + signal.number;
  begin_ending(kAtOnce);
}

// The driver winds up: what the workers have not begun is not to be begun, what runs there comes to
// its end. (One that has only just started would die of the signal; it has nothing.)
void Launch::let_workers_leave() {
  drains_ = true;
  for (unsigned node = 1; node < nodes_.size(); ++node) {
    nodes_[node].again.reset();
    if (plan_.is_deputy(node) || (nodes_[node].living() && is_prepared(nodes_[node].pid, SIGTERM)))
      signal_node(node, SIGTERM);
  }
}

// The terminal stops us and the driver; the workers are in groups of their own and would compute
// on.
void Launch::suspend(const Signal& signal) {
  if (!signal.from_terminal) signal_node(0, SIGTSTP);
  // A deputy has its worker stopped, and goes on saying there that this launch lives.
  for (unsigned node = 1; node < nodes_.size(); ++node)
    signal_node(node, plan_.is_deputy(node) ? SIGTSTP : SIGSTOP);
  stop_ourselves();
  for (unsigned node = 0; node < nodes_.size(); ++node) signal_node(node, SIGCONT);
}

// ---- ending

void Launch::begin_ending(Farewell::Limits limits) {
  phase_ = Phase::kEnding;
  farewell_.emplace(now(), limits);
  reap_all();  // if nothing could be started, no SIGCHLD will ever tell that we have no children
}

void Launch::say_goodbye() {
  if (childless_) return;
  if (!strays_only_ && !any_node_living()) {
    strays_only_ = true;
    farewell_.emplace(now(), kStrays);
  }
  const Farewell::Step step = farewell_->step(now());
  switch (step) {
    case Farewell::Step::kWait:
      break;
    case Farewell::Step::kAsk:
      signal_everybody(SIGTERM);
      signal_everybody(SIGCONT);  // a stopped process hears nothing
      break;
    case Farewell::Step::kKill:
      for (unsigned node = 1; node < nodes_.size(); ++node) {
        if (nodes_[node].living()) {
          say("node " + std::to_string(node) + " (pid " + std::to_string(nodes_[node].pid) +
              ") did not end when asked and is killed");
        }
      }
      break;
    case Farewell::Step::kGiveUp:
      for (const pid_t pid : living_children()) {
        say("process " + std::to_string(pid) + " cannot be killed and is left behind");
      }
      drain();
      while (!err_.empty()) err_.write_some();
      gave_up_ = true;
      break;
  }
  // Killing a parent may bring its children to light: each turn kills whoever is there.
  if (farewell_->reached() == Farewell::Step::kKill) signal_everybody(SIGKILL);
}

bool Launch::any_node_living() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) { return node.living(); });
}

// A worker leads its group, so whatever it started hears it too; the driver's group is our own.
void Launch::signal_node(unsigned node, int signal) {
  if (nodes_[node].living()) ::kill(node == 0 ? nodes_[node].pid : -nodes_[node].pid, signal);
}

void Launch::signal_everybody(int signal) {
  for (unsigned node = 0; node < nodes_.size(); ++node) signal_node(node, signal);
  for (const pid_t pid : living_children()) {
    const bool known = std::any_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
      return node.living() && node.pid == pid;
    });
    if (!known) ::kill(pid, signal);
  }
}

}  // namespace pp::tools
