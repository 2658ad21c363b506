// Lease's stages.
#include "lease.hpp"

#include <algorithm>
#include <cassert>
#include <csignal>
#include <utility>

namespace pp::tools::daemon {

Lease::Lease(Hands& hands, std::string machine, Limits limits)
    : hands_(hands), machine_(std::move(machine)), limits_(limits) {}

void Lease::take(const Message& message, Time now) {
  assert(stage_ != Stage::kOver);
  if (const auto* asked = std::get_if<Open>(&message)) return open(*asked, now);
  if (const auto* part = std::get_if<Piece>(&message)) return piece(*part, now);
  if (const auto* wanted = std::get_if<SignalFor>(&message)) return signal(wanted->number, now);
  if (const auto* heard = std::get_if<Heard>(&message)) {
    heard_ = std::clamp(heard->bytes, heard_, written_);  // a launcher that counts wrongly
    return;
  }
  refuse("a message that only a daemon sends", now);
}

void Lease::open(const Open& asked, Time now) {
  if (stage_ == Stage::kEnding) return;  // it is told soon
  if (stage_ != Stage::kFresh) return refuse("a session has one lease, and this one has it", now);
  open_ = asked;
  if (asked.protocol != kProtocol) {
    return refuse("pp-launch speaks version " + std::to_string(asked.protocol) +
                      " of the daemons' protocol, this ppd version " + std::to_string(kProtocol) +
                      ": install the same version of pp on both",
                  now);
  }
  if (!asked.machine.empty() && asked.machine != machine_) {
    return refuse("the program is for " + asked.machine + ", this machine is " + machine_, now);
  }
  if (asked.size == 0 || asked.size > limits_.program) {
    return refuse("a program of " + std::to_string(asked.size) + " bytes: expected at most " +
                      std::to_string(limits_.program) + " (max-program)",
                  now);
  }
  // What else is in a process's environment is this machine's business.
  const auto foreign =
      std::find_if(asked.environment.begin(), asked.environment.end(), [](const std::string& one) {
        return !one.starts_with("PP_") || one.find('=') == std::string::npos;
      });
  if (foreign != asked.environment.end()) {
    return refuse("a variable '" +
                      foreign->substr(0, std::min<std::size_t>(foreign->find('='), 64)) +
                      "': expected those whose names begin with PP_",
                  now);
  }
  if (asked.launch.empty() || asked.driver.empty() || asked.key.empty())
    return refuse("a launch without a name, a driver's address or a key", now);
  if (const auto why = hands_.why_none_now()) return refuse(*why, now);
  if (hands_.has_program(asked)) return run(now);
  if (const auto why = hands_.begin_program(asked)) return refuse(*why, now);
  stage_ = Stage::kReceiving;
  piece_by_ = now + limits_.piece;
  hands_.say(Wanted{});
}

void Lease::piece(const Piece& part, Time now) {
  if (stage_ == Stage::kEnding) return;  // on its way when we refused
  if (stage_ != Stage::kReceiving) return refuse("a piece of a program that nobody wanted", now);
  if (part.bytes.empty() || part.bytes.size() > open_.size - received_)
    return refuse("more of the program than was announced", now);
  received_ += part.bytes.size();
  piece_by_ = now + limits_.piece;
  if (const auto why = hands_.add_piece(part.bytes)) return refuse(*why, now);
  if (received_ < open_.size) return;
  if (const auto why = hands_.finish_program()) return refuse(*why, now);
  run(now);
}

void Lease::signal(int number, Time now) {
  if (number == SIGKILL || number == SIGTERM) {
    if (stage_ != Stage::kEnding) end(limits_.after_a_loss, now);
    if (number == SIGTERM) farewell_->hurry(now);
    if (number == SIGKILL) signal_all(SIGKILL);
    return finish_if_empty();
  }
  signal_all(number);
}

void Lease::run(Time now) {
  stage_ = Stage::kRunning;
  adjust(now);
}

void Lease::set_share(unsigned workers, Time now) {
  share_ = workers;
  adjust(now);
}

unsigned Lease::workers() const {
  unsigned sum = 0;
  for (const auto& [number, process] : processes_) {
    if (!process.leaves_by) sum += process.workers;
  }
  return sum;
}

void Lease::adjust(Time now) {
  if (stage_ != Stage::kRunning || share_ == 0) return;
  const unsigned have = workers();
  if (have > share_) shrink(have - share_, now);
  if (workers() >= share_ || processes_.size() >= limits_.processes || now < not_before_) return;
  start(share_ - workers(), now);
}

// The youngest go first: what they were given is the least begun.
void Lease::shrink(unsigned by, Time now) {
  unsigned gone = 0;
  for (auto process = processes_.rbegin(); process != processes_.rend() && gone < by; ++process) {
    if (process->second.leaves_by) continue;
    gone += process->second.workers;
    process->second.leaves_by = now + limits_.drain;
    hands_.signal(process->first, SIGTERM);
    hands_.signal(process->first, SIGCONT);
    // It leaves as the last of all; whoever takes its place stands for the node.
    if (process->first == speaker_) speaker_ = next_process_;
  }
}

void Lease::start(unsigned workers, Time now) {
  const unsigned number = next_process_;
  const auto started = hands_.start(open_, number, workers);
  if (const auto* why = std::get_if<std::string>(&started)) {
    if (processes_.empty()) return refuse(*why, now);
    not_before_ = now + limits_.again;  // those that run go on
    return;
  }
  not_before_ = {};
  ++next_process_;
  processes_[number] = {workers, now, std::nullopt, false};
  hands_.say(Started{number, static_cast<std::uint32_t>(std::get<pid_t>(started)), workers});
}

void Lease::ended(unsigned number, const ExitStatus& status, std::uint64_t peak_bytes, Time now) {
  const auto found = processes_.find(number);
  if (found == processes_.end()) return;
  const Process process = found->second;
  processes_.erase(found);
  const bool replaced = process.leaves_by && stage_ == Stage::kRunning;
  const auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(now - process.started);
  if (!lost_) {
    hands_.say(
        Ended{number, status, static_cast<std::uint64_t>(lived.count()), peak_bytes, replaced});
  }
  if (replaced) return;
  // One that ends by itself ends all: its launch is over, or what has killed it is the launcher's
  // to judge.
  if (stage_ == Stage::kRunning) end(limits_.after_the_launch, now);
  finish_if_empty();
}

void Lease::output(unsigned process, bool error, std::string bytes) {
  if (lost_) return;
  written_ += bytes.size();
  hands_.say(Output{process, error, std::move(bytes)});
}

// Of one alone: it stands for the node that the launcher waits for.
void Lease::report(unsigned process, std::string_view line) {
  if (process != speaker_ || lost_ || line.size() > kMaxLine) return;
  written_ += line.size();
  hands_.say(ReportLine{std::string(line)});
}

void Lease::refuse(const std::string& why, Time now) {
  if (!lost_) hands_.say(Refused{why});
  end(limits_.after_a_loss, now);
  finish_if_empty();
}

void Lease::drain(Time now) {
  if (stage_ == Stage::kOver) return;
  const bool fresh = stage_ != Stage::kRunning;
  if (stage_ != Stage::kEnding) {
    end({std::chrono::milliseconds{0}, limits_.drain, limits_.after_a_loss.killed}, now);
  }
  if (fresh && processes_.empty() && !lost_) hands_.say(Refused{"this ppd is about to end"});
  finish_if_empty();
}

void Lease::lost(Time now) {
  if (std::exchange(lost_, true) || stage_ == Stage::kOver) return;
  end(limits_.after_a_loss, now);
  finish_if_empty();
}

void Lease::end(Farewell::Limits limits, Time now) {
  stage_ = Stage::kEnding;
  farewell_.emplace(now, limits);
}

void Lease::step(Time now) {
  if (stage_ == Stage::kReceiving && now >= piece_by_) {
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(limits_.piece);
    return refuse("nothing of the program has come for " + std::to_string(limit.count()) + " s",
                  now);
  }
  for (auto& [number, process] : processes_) {
    if (!process.leaves_by || now < *process.leaves_by || process.killed) continue;
    process.killed = true;
    hands_.signal(number, SIGKILL);
  }
  if (stage_ != Stage::kEnding) return;
  switch (farewell_->step(now)) {
    case Farewell::Step::kWait:
      break;
    case Farewell::Step::kAsk:
      signal_all(SIGTERM);
      signal_all(SIGCONT);  // a stopped process hears nothing
      break;
    case Farewell::Step::kKill:
      signal_all(SIGKILL);
      break;
    case Farewell::Step::kGiveUp:  // stuck in the kernel
      processes_.clear();
      break;
  }
  finish_if_empty();
}

Time Lease::due() const {
  Time due = stage_ == Stage::kEnding && farewell_ ? farewell_->due() : Time::max();
  if (stage_ == Stage::kReceiving) due = piece_by_;
  if (stage_ == Stage::kRunning && not_before_ != Time{} && workers() < share_) due = not_before_;
  for (const auto& [number, process] : processes_) {
    if (process.leaves_by && !process.killed) due = std::min(due, *process.leaves_by);
  }
  return due;
}

void Lease::signal_all(int number) {
  for (const auto& [process, about] : processes_) hands_.signal(process, number);
}

void Lease::finish_if_empty() {
  if (stage_ != Stage::kEnding || !processes_.empty()) return;
  stage_ = Stage::kOver;
  if (!lost_) hands_.say(Over{});
}

}  // namespace pp::tools::daemon
