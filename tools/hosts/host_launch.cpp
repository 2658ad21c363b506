// HostLaunch: the driver here, the nodes there, from the first word to a host to the last of it.
#include "host_launch.hpp"

#include <fcntl.h>
#include <string.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <pp/error.hpp>
#include <set>
#include <sstream>
#include <variant>

#include "obituary.hpp"

extern char** environ;

namespace pp::tools {
namespace {

using std::chrono::milliseconds;

// So many hosts are reached at a time: each is a process that computes keys.
constexpr std::size_t kMostReaching = 48;

// Lines that are held until it is known whose they are.
constexpr std::size_t kMostHeld = 1000;

// The host has this much longer than ssh gives itself for the connection: for the exchange of keys
// and its shell's start.
constexpr milliseconds kShellLimit{5000};

// One answer may be late by chance.
constexpr int kClockQuestions = 3;

std::string path_variable() {
  const char* path = std::getenv("PATH");
  return path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
}

std::string contents(const std::filesystem::path& file, const char* what) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw Error(std::string(what) + " " + file.string() + " cannot be read");
  return text.str();
}

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

ExitStatus from_shell_code(int code) {
  ExitStatus status;
  if (code > 128 && code < 128 + 65) {
    status.signal = code - 128;
  } else {
    status.code = code;
  }
  return status;
}

std::string_view first_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

std::vector<std::string> host_environment(const HostPlan& plan, const HostEntry& host,
                                          std::string_view name, std::string_view launch,
                                          const std::vector<std::string>& inherited) {
  std::vector<std::string> environment;
  for (const std::string& variable : inherited) {
    const std::string_view its_name = std::string_view(variable).substr(0, variable.find('='));
    const bool for_us = its_name.starts_with("PP_LAUNCH") || its_name == "PP_NAME";
    if (its_name.starts_with("PP_") && is_name(its_name) && !for_us && !is_set_by_launch(variable))
      environment.push_back(variable);
  }
  environment.push_back("PP_ROLE=worker");
  if (plan.launch.check) environment.push_back("PP_CHECK=on");
  environment.push_back("PP_LISTEN=:0");
  environment.push_back("PP_NAME=" + std::string(name.substr(0, 64)));
  environment.push_back("PP_LAUNCH=" + std::string(launch));
  const std::optional<unsigned> workers = host.workers ? host.workers : plan.workers;
  if (workers) environment.push_back("PP_WORKERS=" + std::to_string(*workers));
  environment.insert(environment.end(), plan.environment.begin(), plan.environment.end());
  return environment;
}

std::string rehearsal(const HostPlan& plan) {
  std::vector<HostEntry> hosts = plan.hosts;
  if (!plan.hostfile.empty()) {
    const std::string file = plan.hostfile.string();
    for (HostEntry& host : parse_hostfile(contents(file, "the hostfile"), file))
      hosts.push_back(std::move(host));
  }
  std::vector<std::string> inherited;
  for (char** variable = environ; *variable != nullptr; ++variable)
    inherited.emplace_back(*variable);
  std::string text =
      "here, as the driver of " + std::to_string(plan.launch.workers) + " workers:\n ";
  for (const std::string& word : plan.launch.command) text += " " + tools::quoted(word);
  text += "\n";
  const StagePlan* const stage = plan.stage ? &*plan.stage : nullptr;
  if (stage != nullptr) {
    text += "copied to hosts that lack it:\n";
    for (const StagedFile* file : stage->files()) {
      text += "  " + file->hash + "/" + file->name + " (" + std::to_string(file->bytes->size()) +
              " bytes)\n";
    }
  }
  const auto command_line = [&](const HostEntry& host, bool opens, const std::string& script) {
    SshCommand command;
    command.program = plan.ssh;
    command.target = host.target;
    command.control = "FOLDER/HOST";
    command.opens_it = opens;
    command.connect_limit = static_cast<unsigned>(plan.connect_limit.count());
    std::string line = " ";
    for (const std::string& word : command.words(script)) {
      const bool plain = word.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789-_=./:@,+%") == std::string::npos;
      line += " " + (plain && !word.empty() ? word : tools::quoted(word));
    }
    return line + "\n";
  };
  std::string example;
  for (const HostEntry& host : hosts) {
    NodeOrder order;
    order.token = "TOKEN";
    order.tag = "TOKEN.HOST";
    order.workdir = plan.workdir;
    order.usual_workdir = plan.here;
    order.command = plan.launch.command;
    order.environment = host_environment(plan, host, host.name(), "TOKEN", inherited);
    order.driver = "DRIVER:PORT";
    order.key_file = plan.key_on_hosts;
    order.key_bytes = plan.key_on_hosts.empty() ? 65 : 0;
    order.stage = stage;
    const std::string script = node_script(order);
    text += host.name() + ", first to reach it, then for the node:\n" +
            command_line(host, true, visit_script({"TOKEN", stage})) +
            command_line(host, false, script);
    if (example.empty()) {
      example = "what the node's shell on " + host.name() + " reads from standard input" +
                (plan.key_on_hosts.empty() ? ", before the key:\n" : ":\n") + script;
    }
  }
  return text + example;
}

HostLaunch::HostLaunch(HostPlan plan)
    : plan_(std::move(plan)), launch_id_(fresh_launch_id()), respawn_(plan_.launch.respawn) {
  assert(!plan_.launch.command.empty() && !plan_.ssh.empty());
  for (char** variable = environ; *variable != nullptr; ++variable)
    inherited_.emplace_back(*variable);
}

int HostLaunch::run() {
  if (const std::optional<ExecFailure> failure = find_programs()) {
    say("exec: " + failure->why);
    err_.write_some();
    return failure->shell_code;
  }
  take_key();
  adopt_orphans();
  muster_.emplace(
      plan_.min_nodes, plan_.launch.workers,
      Muster::Limits{.reach = plan_.connect_limit + kShellLimit,
                     .join = plan_.launch.join_limit,
                     .driver = plan_.launch.check ? plan_.launch.join_limit : milliseconds::max(),
                     .check = plan_.launch.check},
      now());
  for (HostEntry& host : plan_.hosts) add_host(std::move(host));
  if (!plan_.hostfile.empty()) {
    hostfile_watch_.emplace(plan_.hostfile);
    from_file_ = parse_hostfile(contents(plan_.hostfile, "the hostfile"), plan_.hostfile.string());
    for (const HostEntry& host : from_file_) add_host(host);
  }
  if (hosts_.empty()) throw Error(plan_.hostfile.string() + " names no host");
  if (plan_.min_nodes > hosts_.size() + 1) {
    throw Error("--min-nodes " + std::to_string(plan_.min_nodes) + ": " +
                std::to_string(hosts_.size()) + " hosts and the driver are not so many");
  }
  advance_hosts();  // first: it takes longest
  start_driver();
  while (!finished()) {
    step();
    if (!finished()) wait(next_due(), [this](Watch& watch) { add_sources(watch); });
  }
  ::explicit_bzero(key_.data(), key_.size());
  return exit_code_;
}

// ---- beginning

std::optional<ExecFailure> HostLaunch::find_programs() {
  for (const auto& [name, file] : {std::pair{&plan_.launch.command.front(), &program_},
                                   std::pair{&plan_.ssh.front(), &ssh_}}) {
    const auto found = find_program(*name, path_variable());
    if (const auto* failure = std::get_if<ExecFailure>(&found)) return *failure;
    *file = std::get<std::string>(found);
  }
  return std::nullopt;
}

void HostLaunch::take_key() {
  if (plan_.launch.key_file.empty()) {
    own_key_ = std::make_unique<TemporaryKey>();
    plan_.launch.key_file = own_key_->file();
  }
  if (plan_.key_on_hosts.empty()) key_ = contents(plan_.launch.key_file, "the key");
}

void HostLaunch::add_host(HostEntry entry) {
  const std::optional<unsigned> workers = entry.workers ? entry.workers : plan_.workers;
  muster_->add(new_name(entry), workers, now());
  Host& host = hosts_.emplace_back();
  host.entry = std::move(entry);
}

// By which no other living node is called.
std::string HostLaunch::new_name(const HostEntry& entry) const {
  const auto taken = [this](const std::string& name) {
    for (unsigned host = 1; host <= muster_->hosts(); ++host) {
      if (muster_->name(host) == name && muster_->stage(host) < Muster::Stage::kFailed) return true;
    }
    return false;
  };
  std::string name = entry.name();
  for (unsigned next = 2; taken(name); ++next) name = entry.name() + "/" + std::to_string(next);
  return name;
}

void HostLaunch::start_driver() {
  Pipe report = make_pipe();
  ::fcntl(report.writing.get(), F_SETFL, O_NONBLOCK);  // it must not stand still because we do
  LaunchPlan plan = plan_.launch;
  plan.nodes = std::max(2u, static_cast<unsigned>(hosts_.size()) + 1);
  plan.begin_with = plan_.launch.check ? 1 : plan_.min_nodes;  // a check waits for the last one
  plan.join_limit = std::chrono::hours(24);                    // who is missing is found out here
  ChildPlan child;
  child.file = program_;
  child.arguments = plan.command;
  child.environment =
      node_environment(plan, 0, launch_id_, "", {report.writing.get(), -1}, inherited_);
  child.keep.push_back(report.writing.get());
  if (own_key_) child.keep.push_back(own_key_->descriptor());
  child.signals = &signals_.before();
  driver_.started = now();
  const auto result = start_child(child);
  if (const auto* failure = std::get_if<ExecFailure>(&result)) {
    say("exec: " + failure->why);
    exit_code_ = failure->shell_code;
    driver_.exit = ExitStatus{failure->shell_code};
    muster_->driver_ended();
    return;
  }
  driver_.pid = std::get<pid_t>(result);
  driver_.report = std::move(report.reading);
  muster_->started(0, driver_.pid, now());
}

// ---- hosts

// Whatever a host can do next, it does.
void HostLaunch::advance_hosts() {
  if (phase_ == Phase::kEnding) return;
  std::size_t reaching = 0;
  for (unsigned host = 1; host <= hosts_.size(); ++host)
    reaching += muster_->stage(host) == Muster::Stage::kReaching ? 1 : 0;
  for (unsigned host = 1; host <= hosts_.size(); ++host) {
    if (hosts_[host - 1].leaving) continue;
    try {
      if (muster_->stage(host) == Muster::Stage::kWaiting && reaching < kMostReaching) {
        reach(host);
        ++reaching;
      }
      const bool awaits = muster_->stage(host) == Muster::Stage::kReached;
      Host& self = hosts_[host - 1];
      if (awaits && !self.lacks.empty()) {
        copy_next(host);
      } else if (awaits && !muster_->driver_address().empty() && driver_.living()) {
        start_node(host);
      }
      if (self.again && *self.again <= now()) {
        self.again.reset();
        start_node(host);
        say("a node on " + muster_->name(host) + " is started again");
      }
    } catch (const Error& refusal) {  // of this system
      muster_->failed(host, "ssh", refusal.what(), now());
    }
  }
}

SshCommand HostLaunch::ssh_to(unsigned host, bool opens) const {
  SshCommand command;
  command.program = plan_.ssh;
  command.target = hosts_[host - 1].entry.target;
  command.control = folder_.path() + "/" + std::to_string(host);
  command.opens_it = opens;
  command.connect_limit = static_cast<unsigned>(plan_.connect_limit.count());
  return command;
}

void HostLaunch::reach(unsigned host) {
  muster_->reaching(host, now());
  hosts_[host - 1].visit =
      std::make_unique<SshSession>(ssh_to(host, true), ssh_, inherited_, signals_.before(),
                                   launch_id_, visit_script({launch_id_, stage()}), "", now());
}

// One file after the other, each by a session of its own, whose standard input it is.
void HostLaunch::copy_next(unsigned host) {
  Host& self = hosts_[host - 1];
  if (self.copy && self.copy->living()) return;
  const StagedFile& file = *self.lacks.front();
  self.copy =
      std::make_unique<SshSession>(ssh_to(host, false), ssh_, inherited_, signals_.before(),
                                   launch_id_, copy_script({launch_id_, stage()}, file), "", now());
  self.copy->send_last(file.bytes);
}

void HostLaunch::start_node(unsigned host) {
  Host& self = hosts_[host - 1];
  muster_->starting(host, now());
  NodeOrder order;
  order.token = launch_id_;
  order.tag = launch_id_ + "." + std::to_string(host);
  order.workdir = plan_.workdir;
  order.usual_workdir = plan_.here;
  order.command = plan_.launch.command;
  order.environment =
      host_environment(plan_, self.entry, muster_->name(host), launch_id_, inherited_);
  order.driver = muster_->driver_address();
  order.key_file = plan_.key_on_hosts;
  order.key_bytes = key_.size();
  order.stage = stage();
  self.speaks = false;
  self.held.clear();
  self.exit.reset();
  self.box.clear();
  self.last_jobs.clear();
  if (self.node) drain(host, *self.node);
  self.node = std::make_unique<SshSession>(ssh_to(host, false), ssh_, inherited_, signals_.before(),
                                           launch_id_, node_script(order), key_, now());
}

// Standard output and error overtake each other.
void HostLaunch::print_for(unsigned host, Output& to, std::string_view line) {
  Host& self = hosts_[host - 1];
  if (self.speaks) return to.line("[" + muster_->name(host) + "] " + std::string(line));
  if (self.held.size() < kMostHeld) self.held.emplace_back(&to, line);
}

// A word of one of the host's scripts.
void HostLaunch::keeper_said(unsigned host, std::string_view words) {
  Host& self = hosts_[host - 1];
  const std::string_view verb = first_word(words);
  if (verb == "here") {
    const std::optional<HostFacts> facts = parse_facts(words);
    if (!facts)
      return muster_->failed(host, "shell", "it answers nonsense: " + std::string(words), now());
    if (muster_->stage(host) == Muster::Stage::kReaching) muster_->reached(host, *facts, now());
    if (plan_.launch.check) ask_clock(host);
  } else if (verb == "clock") {
    clock_said(host, words);
  } else if (verb == "lacks" && plan_.stage) {
    for (const StagedFile* file : plan_.stage->files()) {
      if (file->hash == words) self.lacks.push_back(file);
    }
  } else if (verb == "staged") {
    std::erase_if(self.lacks, [&](const StagedFile* file) { return file->hash == words; });
  } else if (verb == "started") {
    int pid = 0;
    std::from_chars(words.data(), words.data() + words.size(), pid);
    self.speaks = true;
    for (auto& [to, line] : std::exchange(self.held, {})) print_for(host, *to, line);
    muster_->started(host, pid, now());
  } else if (verb == "report") {
    muster_->said(host, parse_report(words), now());
  } else if (verb == "failed") {
    const std::string_view stage = first_word(words);
    muster_->failed(host, stage, words, now());
  } else if (verb == "box") {
    self.box.take(words);
  } else if (verb == "boxed") {
    int pid = 0;
    const std::string_view process = first_word(words);
    std::from_chars(process.data(), process.data() + process.size(), pid);
    const std::chrono::duration<double> now(
        std::clamp(std::strtod(std::string(words).c_str(), nullptr), 0.0, 1e9));
    self.last_jobs =
        self.box.last_jobs(pid, std::chrono::duration_cast<std::chrono::nanoseconds>(now));
  } else if (verb == "ended") {
    int code = 0;
    std::from_chars(words.data(), words.data() + words.size(), code);
    self.exit = from_shell_code(code);
    node_ended(host);
  }
}

void HostLaunch::ask_clock(unsigned host) {
  Host& self = hosts_[host - 1];
  self.clock_asked = std::chrono::system_clock::now();
  self.visit->send("clock\n");
  self.visit->write_some();
}

void HostLaunch::clock_said(unsigned host, std::string_view words) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  Host& self = hosts_[host - 1];
  const Milliseconds asked = self.clock_asked.time_since_epoch();
  const Milliseconds heard = std::chrono::system_clock::now().time_since_epoch();
  const double there = std::strtod(std::string(words).c_str(), nullptr) * 1000;
  if (there > 0) muster_->timed(host, there - (asked + heard).count() / 2, (heard - asked).count());
  if (++self.clock_answers < kClockQuestions) ask_clock(host);
}

void HostLaunch::node_ended(unsigned host) {
  Host& self = hosts_[host - 1];
  const bool was_there = muster_->stage(host) == Muster::Stage::kJoined;
  const Clock::duration lived = now() - muster_->started_at(host);
  muster_->ended(host, *self.exit, self.node->last_words, now());
  const bool left_alone = driver_.exit.has_value();  // it said goodbye, or they ended with it
  if (!was_there || self.exit->clean() || self.leaving || left_alone || phase_ == Phase::kEnding)
    return;
  mourn(host, self.exit->sentence(), lived);
}

// Its ssh has ended, and the script over there has not said how the node did.
void HostLaunch::node_lost(unsigned host, const ExitStatus& status) {
  Host& self = hosts_[host - 1];
  std::string words = self.node->last_words;
  if (words.empty()) words = "the connection ended (ssh " + status.sentence() + ")";
  if (muster_->stage(host) != Muster::Stage::kJoined) {
    muster_->failed(host, "ssh", words, now());
    return;
  }
  const Clock::duration lived = now() - muster_->started_at(host);
  muster_->ended(host, status, words, now());
  if (self.leaving || phase_ == Phase::kEnding || driver_.exit) return;
  mourn(host, "is out of reach: " + words, lived);
}

void HostLaunch::mourn(unsigned host, const std::string& sentence, Clock::duration lived) {
  Host& self = hosts_[host - 1];
  std::string text = muster_->name(host);
  if (muster_->pid(host) != 0) text += " (pid " + std::to_string(muster_->pid(host)) + ")";
  const std::string jobs = self.last_jobs.empty() ? "" : "; " + self.last_jobs;
  say(text + " " + sentence + " after " + time_in_words(lived) + jobs + "; the run goes on");
  if (phase_ == Phase::kEnding) return;
  const Respawn::Answer answer = respawn_.ended(host, lived, now());
  self.again = answer.start;
  if (!answer.why_not.empty()) say(muster_->name(host) + " " + answer.why_not);
}

// Its node drains: returns what it has not begun, finishes what it runs, says goodbye.
void HostLaunch::let_go(unsigned host) {
  Host& self = hosts_[host - 1];
  if (self.leaving) return;
  self.leaving = true;
  self.again.reset();
  const bool runs = muster_->stage(host) == Muster::Stage::kJoined && self.node;
  say(muster_->name(host) + " is no longer listed" + (runs ? " and drains" : ""));
  muster_->retired(host);
  if (runs) return order(host, "TERM");
  if (self.node) self.node->close_input();
  if (self.visit) self.visit->kill();
}

// Whoever failed has nothing more to do for us.
void HostLaunch::end_sessions_of_failed() {
  for (unsigned host = 1; host <= hosts_.size(); ++host) {
    Host& self = hosts_[host - 1];
    const Muster::Stage stage = muster_->stage(host);
    const bool over =
        stage == Muster::Stage::kFailed || (stage == Muster::Stage::kGone && !self.again);
    if (stage == Muster::Stage::kFailed && self.node) self.node->close_input();
    if (over && self.copy) self.copy->kill();
    if (!over || (self.node && self.node->living()) || !self.visit) continue;
    if (muster_->facts(host)) {
      self.visit->close_input();
    } else {
      self.visit->kill();
    }
  }
}

void HostLaunch::read_hostfile_again() {
  std::vector<HostEntry> wanted;
  try {
    wanted = parse_hostfile(contents(plan_.hostfile, "the hostfile"), plan_.hostfile.string());
  } catch (const Error& error) {  // half an edit, perhaps
    say(std::string(error.what()) + "; the hosts stay as they are");
    return;
  }
  std::vector<HostEntry> fresh = wanted;
  for (const HostEntry& before : from_file_) {
    const auto still = std::find(fresh.begin(), fresh.end(), before);
    if (still != fresh.end()) {
      fresh.erase(still);
      continue;
    }
    for (unsigned host = static_cast<unsigned>(hosts_.size()); host >= 1; --host) {
      if (hosts_[host - 1].entry != before || hosts_[host - 1].leaving) continue;
      let_go(host);
      break;
    }
  }
  for (HostEntry& host : fresh) add_host(std::move(host));
  from_file_ = std::move(wanted);
}

}  // namespace pp::tools
