// RollCall: stages, verdict and the words for both.
#include "roll_call.hpp"

#include <algorithm>
#include <cassert>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <utility>

namespace pp::tools {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

}  // namespace

RollCall::RollCall(unsigned nodes, unsigned workers, Limits limits, Time start)
    : limits_(limits), start_(start), rows_(nodes) {
  assert(nodes > 0);
  for (Row& row : rows_) row.workers = workers;
}

void RollCall::started(unsigned node, int pid, Time now) {
  Row& row = rows_.at(node);
  const unsigned workers = row.workers;
  row = Row{};  // it may replace one that has ended
  row.workers = workers;
  row.pid = pid;
  row.started = now;
  row.stage = Stage::kStarted;
}

void RollCall::not_started(unsigned node, std::string why, Time now) {
  rows_.at(node).not_started = std::move(why);
  failed(now);
}

void RollCall::failed(Time now) {
  if (!first_failure_) first_failure_ = now;
}

// What a node has to say to people it prints itself; its reports only move it from stage to stage.
void RollCall::said(unsigned node, const Report& report, Time now) {
  Row& row = rows_.at(node);
  switch (report.kind) {
    case Report::Kind::kListening:
      row.address = printable(report.address, 128);
      row.stage = std::max(row.stage, Stage::kListening);
      break;
    case Report::Kind::kJoined:
      meet(node, report);
      break;
    case Report::Kind::kReady:
      if (row.stage != Stage::kJoined)
        row.joined_after = duration_cast<milliseconds>(now - row.started);
      row.stage = Stage::kJoined;
      if (node == 0 && !driver_ready_) driver_ready_ = now;
      break;
    case Report::Kind::kMissing:
      if (node == 0) driver_gave_up_ = true;
      break;
    case Report::Kind::kUnreachable:
      row.unreachable = printable(report.address + ": " + report.text);
      break;
    case Report::Kind::kRefused:
      row.refusal = printable(report.text);
      break;
    case Report::Kind::kError:
      row.error = printable(report.text);
      break;
    case Report::Kind::kDrains:   // the launch's business
    case Report::Kind::kVersion:  // one file for all of them here
    case Report::Kind::kLeft:     // the process's end says it better, and a goodbye needs no word
    case Report::Kind::kHttp:     // the launch says it
    case Report::Kind::kUnknown:  // of a later version
      break;
  }
}

// `node` has met somebody. A worker's words about the driver tell what carries its session;
// anybody's words about a node at an address that we know, or whose name ends with one of our
// process ids, tell how many workers that one really has.
void RollCall::meet(unsigned node, const Report& joined) {
  if (node != 0 && rows_[node].provider.empty())
    rows_[node].provider = printable(joined.provider, 32);
  for (Row& row : rows_) {
    if (!row.address.empty() && row.address == joined.address) row.workers = joined.workers;
  }
  const std::size_t colon = joined.name.rfind(':');
  if (colon == std::string::npos) return;
  const std::string_view pid = std::string_view(joined.name).substr(colon + 1);
  for (Row& row : rows_) {
    if (row.pid != 0 && pid == std::to_string(row.pid)) row.workers = joined.workers;
  }
}

void RollCall::ended(unsigned node, const ExitStatus& status, Time now) {
  rows_.at(node).exit = status;
  failed(now);
}

RollCall::Verdict RollCall::verdict(Time now) const {
  if (driver_ready_) {
    const bool all_spoke = std::all_of(rows_.begin() + 1, rows_.end(), [](const Row& row) {
      return row.exit || (row.stage == Stage::kJoined && !row.provider.empty());
    });
    const bool wait_no_longer = now >= *driver_ready_ + limits_.stragglers;
    return all_spoke || wait_no_longer ? Verdict::kComplete : Verdict::kGathering;
  }
  const bool hopeless = driver_ended() || driver_gave_up_ || !rows_.front().not_started.empty() ||
                        (first_failure_ && now >= *first_failure_ + limits_.settle);
  const bool late = now >= start_ + limits_.join;
  return hopeless || late ? Verdict::kIncomplete : Verdict::kGathering;
}

Time RollCall::due() const {
  Time due = start_ + limits_.join;
  if (first_failure_) due = std::min(due, *first_failure_ + limits_.settle);
  if (driver_ready_) due = *driver_ready_ + limits_.stragglers;
  return due;
}

bool RollCall::is_there(unsigned node) const {
  const Row& row = rows_[node];
  return !row.exit && row.stage >= (node == 0 ? Stage::kListening : Stage::kJoined);
}

unsigned RollCall::present() const {
  unsigned count = 0;
  for (unsigned node = 0; node < rows_.size(); ++node) count += is_there(node) ? 1 : 0;
  return count;
}

std::string RollCall::table() const {
  std::size_t address_width = 7;
  std::size_t provider_width = 8;
  for (const Row& row : rows_) {
    address_width = std::max(address_width, row.address.size());
    provider_width = std::max(provider_width, row.provider.size());
  }
  std::ostringstream out;
  const auto line = [&](const auto& node, const auto& pid, const std::string& address,
                        const auto& workers, const std::string& provider,
                        const std::string& joined) {
    out << "  " << std::right << std::setw(4) << node << "  " << std::setw(7) << pid << "  "
        << std::left << std::setw(static_cast<int>(address_width)) << address << "  " << std::right
        << std::setw(7) << workers << "  " << std::left
        << std::setw(static_cast<int>(provider_width)) << provider << "  " << std::right
        << std::setw(8) << joined << '\n';
  };
  line("node", "pid", "address", "workers", "provider", "joined");
  for (unsigned node = 0; node < rows_.size(); ++node) {
    const Row& row = rows_[node];
    std::string joined = "-";
    if (row.joined_after) joined = std::to_string(row.joined_after->count()) + " ms";
    line(node, row.pid, row.address.empty() ? "-" : row.address, row.workers,
         node == 0              ? "(driver)"
         : row.provider.empty() ? "-"
                                : row.provider,
         node == 0 ? "-" : joined);
  }
  return out.str();
}

std::string RollCall::missing() const {
  std::string out;
  for (unsigned node = 0; node < rows_.size(); ++node) {
    if (is_there(node)) continue;
    out += "  node " + std::to_string(node);
    if (node == 0) out += " (driver)";
    if (rows_[node].pid != 0) out += " (pid " + std::to_string(rows_[node].pid) + ")";
    out += ": " + why_missing(node) + "\n";
  }
  const std::string& refused = rows_.front().refusal;
  if (!refused.empty()) out += "  the driver's last refusal: " + refused + "\n";
  return out;
}

// Begins with the stage that failed, in one word: exec, ended, listening, connect, refused.
std::string RollCall::why_missing(unsigned node) const {
  const Row& row = rows_[node];
  if (!row.not_started.empty()) return "exec: " + row.not_started;
  const std::string tried = !row.error.empty()         ? "; it said: " + row.error
                            : !row.refusal.empty()     ? "; it was refused: " + row.refusal
                            : !row.unreachable.empty() ? "; it could not reach " + row.unreachable
                                                       : "";
  if (row.exit) {
    const std::string how = "ended: it " + row.exit->sentence();
    switch (row.stage) {
      case Stage::kWaiting:
      case Stage::kStarted:
        return how + " before it opened its port" + tried;
      case Stage::kListening:
        return how +
               (node == 0 ? " before all workers had joined" : " before it joined the driver") +
               tried;
      case Stage::kJoined:
        return how + " after it had joined, before all others had";
    }
  }
  switch (row.stage) {
    case Stage::kWaiting:
      return "not started: the driver has not opened its port";
    case Stage::kStarted:
      return "listening: it runs but has not opened its port (does the program call pp::run?)" +
             tried;
    case Stage::kListening:
    case Stage::kJoined:
      break;
  }
  if (!row.refusal.empty()) return "refused: " + row.refusal;
  if (!row.unreachable.empty()) return "connect: it could not reach " + row.unreachable;
  return "connect: it listens at " + row.address + " but has not met the driver" + tried;
}

}  // namespace pp::tools
