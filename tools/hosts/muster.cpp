// Muster: stages, limits and the words for both.
#include "muster.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <utility>

#include "obituary.hpp"

namespace pp::tools {
namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;

std::string in_seconds(milliseconds time) {
  return std::to_string(ceil<std::chrono::seconds>(time).count()) + " s";
}

// Beyond this, times of two hosts side by side mislead who reads them. (Nothing in pp hangs on it.)
constexpr double kClockLimit = 1000;  // ms

std::string clock_in_words(double ahead) {
  char text[48];
  const bool long_ago = std::abs(ahead) >= 10'000;
  std::snprintf(text, sizeof text, long_ago ? "%+.1f s" : "%+.1f ms",
                long_ago ? ahead / 1000 : ahead);
  return text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::optional<HostFacts> parse_facts(std::string_view words) {
  std::istringstream in{std::string(words)};
  HostFacts facts;
  unsigned long user = 0;
  if (!(in >> facts.system >> facts.machine >> facts.cores >> user >> facts.clock))
    return std::nullopt;
  std::uint64_t kibibytes = 0;
  if (in >> kibibytes && kibibytes < UINT64_MAX >> 10) facts.memory = kibibytes << 10;
  facts.system = printable(facts.system, 32);
  facts.machine = printable(facts.machine, 32);
  facts.root = user == 0;
  return facts;
}

Muster::Muster(unsigned enough, unsigned workers, Limits limits, Time start)
    : enough_(enough), limits_(limits), start_(start) {
  Row driver;
  driver.name = "(driver)";
  driver.workers = workers;
  rows_.push_back(std::move(driver));
}

unsigned Muster::add(std::string name, std::optional<unsigned> workers, Time now) {
  Row row;
  row.name = std::move(name);
  row.workers = workers;
  row.begun = now;
  rows_.push_back(std::move(row));
  return hosts();
}

void Muster::reaching(unsigned host, Time now) {
  rows_.at(host).stage = Stage::kReaching;
  rows_.at(host).begun = now;
}

void Muster::reached(unsigned host, const HostFacts& facts, Time now) {
  Row& row = rows_.at(host);
  row.stage = Stage::kReached;
  row.reached_after = ceil<milliseconds>(now - row.begun);
  row.begun = now;
  row.facts = facts;
  if (row.workers && facts.cores != 0 && *row.workers > facts.cores) {
    news_.push_back(
        {News::Kind::kWarning, "warning: " + row.name + " has " + std::to_string(facts.cores) +
                                   " cores and is asked for " + std::to_string(*row.workers) +
                                   " workers; they will share them"});
  }
  if (facts.root && !warned_of_root_) {
    warned_of_root_ = true;
    news_.push_back({News::Kind::kWarning, "warning: the program runs as root on " + row.name +
                                               " and wherever else ssh logs in as root"});
  }
}

void Muster::starting(unsigned host, Time now) {
  Row& row = rows_.at(host);
  Row fresh;  // it may replace one that has ended; what that one said is forgotten
  fresh.name = row.name;
  fresh.workers = row.workers;
  fresh.facts = row.facts;
  fresh.reached_after = row.reached_after;
  fresh.ahead = row.ahead;
  fresh.round_trip = row.round_trip;
  fresh.told = row.told;
  fresh.stage = Stage::kStarting;
  fresh.begun = now;
  row = std::move(fresh);
}

void Muster::started(unsigned host, int pid, Time now) {
  Row& row = rows_.at(host);
  row.pid = pid;
  row.begun = now;
  row.stage = std::max(row.stage, Stage::kStarted);
}

void Muster::said(unsigned host, const Report& report, Time now) {
  Row& row = rows_.at(host);
  if (row.stage == Stage::kFailed || row.stage == Stage::kGone) return;
  switch (report.kind) {
    case Report::Kind::kListening:
      row.address = printable(report.address, 128);
      row.stage = std::max(row.stage, Stage::kListening);
      break;
    case Report::Kind::kJoined:
      if (host == 0) {
        meet(report);
      } else if (row.provider.empty() && report.provider != "-") {
        row.provider = printable(report.provider, 32);
      }
      break;
    case Report::Kind::kReady:
      if (host == 0) driver_ready_ = true;
      row.stage = Stage::kJoined;
      row.joined = now;
      break;
    case Report::Kind::kUnreachable:
      // It may know other ways to the driver, too, of which nobody has promised anything.
      if (row.unreachable.empty() || report.address == driver_address())
        row.unreachable = printable(report.address + ": " + report.text);
      break;
    case Report::Kind::kRefused:
      row.refusal = printable(report.text);
      break;
    case Report::Kind::kError:
      row.error = printable(report.text);
      break;
    case Report::Kind::kVersion:
      row.version = printable(report.text.substr(0, report.text.find(' ')), 32);
      break;
    case Report::Kind::kDrains:
    case Report::Kind::kMissing:
    case Report::Kind::kLeft:
    case Report::Kind::kHttp:  // the launch says it
    case Report::Kind::kUnknown:
      break;
  }
  check_limits(now);
}

// The driver's words about a host: what it really runs, and at which address it is found.
void Muster::meet(const Report& joined) {
  for (Row& row : rows_) {
    if (row.name != joined.name || row.stage >= Stage::kFailed) continue;
    row.workers = joined.workers;
    row.address = printable(joined.address, 128);
    if (joined.provider != "-") row.provider = printable(joined.provider, 32);
  }
}

void Muster::failed(unsigned host, std::string_view stage, std::string_view words, Time now) {
  Row& row = rows_.at(host);
  if (row.stage == Stage::kFailed || row.stage == Stage::kGone) return;
  row.stage = Stage::kFailed;
  row.failure = std::string(stage) + ": " + printable(words, 1024);
  last_failure_ = now;
  if (run_ends_) return;
  news_.push_back({News::Kind::kFailure, row.name + " is not there: " + row.failure});
}

void Muster::ended(unsigned host, const ExitStatus& status, std::string_view words, Time now) {
  Row& row = rows_.at(host);
  if (row.stage == Stage::kJoined) {
    row.stage = Stage::kGone;
    return;
  }
  if (row.stage == Stage::kFailed || row.stage == Stage::kGone) return;
  Reason reason = why_not_joined(row);
  if (reason.stage != "key" && reason.stage != "version") {
    reason.stage = "ended";
    reason.words = "it " + status.sentence() +
                   (row.stage == Stage::kListening ? " before it joined the driver"
                                                   : " before it opened its port");
    if (!row.error.empty()) {
      reason.words += "; it said: " + row.error;
    } else if (!words.empty()) {
      reason.words += "; it said: " + std::string(words);
    }
  }
  failed(host, reason.stage, reason.words, now);
}

Muster::Reason Muster::why_not_joined(const Row& row) const {
  if (contains(row.refusal, "cluster keys differ")) return {"key", row.refusal};
  if (contains(row.refusal, "versions differ") || contains(row.refusal, "tables differ"))
    return {"version", row.refusal};
  const std::string late = " within " + in_seconds(limits_.join);
  if (row.stage == Stage::kStarting) return {"shell", "it has not started the program" + late};
  if (row.stage == Stage::kStarted)
    return {"listening",
            "the program runs but has not opened its port" + late + " (does it call pp::run?)"};
  if (!row.unreachable.empty()) {
    return {"connect", "it could not reach " + row.unreachable +
                           " (does a firewall let it come to this host's port? --listen fixes it)"};
  }
  if (!row.refusal.empty()) return {"refused", row.refusal};
  return {"connect", "it listens at " + row.address + " but has not met the driver at " +
                         driver_address() + late};
}

Time Muster::limit_of(const Row& row) const {
  switch (row.stage) {
    case Stage::kReaching:
      return row.begun + limits_.reach;
    case Stage::kStarting:
    case Stage::kStarted:
    case Stage::kListening:
      return row.begun + limits_.join;
    case Stage::kWaiting:
    case Stage::kReached:
    case Stage::kJoined:
    case Stage::kFailed:
    case Stage::kGone:
      break;
  }
  return Time::max();
}

bool Muster::may_be_told(const Row& row, Time now) const {
  return row.stage == Stage::kJoined && !row.told &&
         (!row.provider.empty() || now >= *row.joined + limits_.stragglers);
}

void Muster::timed(unsigned host, double ahead, double round_trip) {
  Row& row = rows_.at(host);
  if (row.ahead && row.round_trip <= round_trip) return;
  row.ahead = ahead;
  row.round_trip = round_trip;
}

bool Muster::driver_is_awaited() const {
  return limits_.driver != std::chrono::milliseconds::max() &&
         rows_.front().stage < Stage::kListening;
}

void Muster::check_limits(Time now) {
  if (driver_is_awaited() && now >= start_ + limits_.driver) driver_late_ = true;
  for (unsigned host = 1; host < rows_.size(); ++host) {
    Row& row = rows_[host];
    if (may_be_told(row, now)) tell(host);
    if (now < limit_of(row)) continue;
    if (row.stage == Stage::kReaching) {
      failed(host, "ssh", "no answer within " + in_seconds(limits_.reach), now);
    } else {
      const Reason reason = why_not_joined(row);
      failed(host, reason.stage, reason.words, now);
    }
  }
}

bool Muster::settled(const Row& row) {
  return row.stage >= Stage::kJoined && (row.stage != Stage::kJoined || row.told);
}

std::size_t Muster::possible() const {
  return static_cast<std::size_t>(std::count_if(
      rows_.begin(), rows_.end(), [](const Row& row) { return row.stage < Stage::kFailed; }));
}

Muster::Verdict Muster::verdict(Time now) const {
  const bool all_settled = std::all_of(rows_.begin() + 1, rows_.end(), settled);
  if (driver_ready_) return all_settled ? Verdict::kComplete : Verdict::kGathering;
  if (driver_ended_ || driver_late_) return Verdict::kIncomplete;
  if (possible() >= needed() || limits_.check) return Verdict::kGathering;
  const bool nobody_speaks_any_more = !last_failure_ || now >= *last_failure_ + limits_.settle;
  return all_settled || nobody_speaks_any_more ? Verdict::kIncomplete : Verdict::kGathering;
}

Time Muster::due() const {
  Time due = driver_is_awaited() ? start_ + limits_.driver : Time::max();
  for (auto row = rows_.begin() + 1; row != rows_.end(); ++row) {
    due = std::min(due, limit_of(*row));
    if (row->stage == Stage::kJoined && !row->told)
      due = std::min(due, *row->joined + limits_.stragglers);
  }
  if (last_failure_ && !driver_ready_ && possible() < needed() && !limits_.check)
    due = std::min(due, *last_failure_ + limits_.settle);
  return due;
}

unsigned Muster::present() const {
  return static_cast<unsigned>(std::count_if(rows_.begin(), rows_.end(), [&](const Row& row) {
    return row.stage == Stage::kJoined ||
           (&row == &rows_.front() && row.stage == Stage::kListening);
  }));
}

std::string Muster::awaited() const {
  std::string names;
  for (auto row = rows_.begin() + 1; row != rows_.end(); ++row) {
    if (row->stage < Stage::kJoined) names += (names.empty() ? "" : ", ") + row->name;
  }
  return names;
}

// The table's columns are as wide as what is known when its first row is printed asks for.
void Muster::tell(unsigned host) {
  std::size_t wide = 8;
  for (const Row& row : rows_) wide = std::max(wide, row.name.size());
  const auto line = [&](const auto& node, const std::string& name, const auto& pid,
                        const std::string& address, const std::string& workers,
                        const std::string& provider, const std::string& joined) {
    std::ostringstream out;
    out << "  " << std::right << std::setw(4) << node << "  " << std::left
        << std::setw(static_cast<int>(wide)) << name << "  " << std::right << std::setw(7) << pid
        << "  " << std::left << std::setw(21) << address << "  " << std::right << std::setw(7)
        << workers << "  " << std::left << std::setw(12) << provider << "  " << joined;
    news_.push_back({News::Kind::kRow, out.str()});
  };
  const auto row_of = [&](unsigned node) {
    Row& row = rows_[node];
    row.told = true;
    line(node, row.name, row.pid, row.address, row.workers ? std::to_string(*row.workers) : "-",
         row.provider.empty() ? "-" : row.provider,
         row.joined && node != 0
             ? std::to_string(ceil<milliseconds>(*row.joined - start_).count()) + " ms"
             : "-");
  };
  if (!rows_.front().told) {
    line("node", "host", "pid", "address", "workers", "provider", "joined");
    row_of(0);
  }
  row_of(host);
}

std::vector<std::string> Muster::findings() const {
  std::vector<std::array<std::string, 9>> cells{
      {"host", "ssh", "machine", "cores", "memory", "clock", "pp", "address", "finding"}};
  for (const Row& row : rows_) {
    const bool driver = &row == &rows_.front();
    auto& line = cells.emplace_back();
    line.fill("-");
    line[0] = row.name;
    if (row.reached_after) line[1] = std::to_string(row.reached_after->count()) + " ms";
    if (row.facts) {
      line[2] = row.facts->system + " " + row.facts->machine;
      if (row.facts->cores != 0) line[3] = std::to_string(row.facts->cores);
      if (row.facts->memory != 0) line[4] = memory_in_words(row.facts->memory);
    }
    if (row.ahead) line[5] = clock_in_words(*row.ahead);
    if (!row.version.empty()) line[6] = row.version;
    if (!row.address.empty()) line[7] = row.address;
    if (!row.failure.empty()) {
      line[8] = row.failure;
    } else if (driver) {
      line[8] = row.address.empty() ? "listening: it has not opened its port" : "ok";
    } else if (row.stage == Stage::kJoined) {
      line[8] = "ok, joined after " +
                std::to_string(ceil<milliseconds>(*row.joined - start_).count()) + " ms" +
                (row.provider.empty() ? "" : " (" + row.provider + ")");
      if (row.ahead && std::abs(*row.ahead) - row.round_trip / 2 > kClockLimit)
        line[8] += "; its clock is wrong, or ours: times in logs and traces will not fit";
    } else {
      line[8] = "it was not waited for";
    }
  }
  std::array<std::size_t, 9> wide{};
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < line.size(); ++i) wide[i] = std::max(wide[i], line[i].size());
  }
  std::vector<std::string> lines;
  for (const auto& line : cells) {
    std::string& text = lines.emplace_back(" ");
    for (std::size_t i = 0; i + 1 < line.size(); ++i)
      text += " " + line[i] + std::string(wide[i] - line[i].size() + 1, ' ');
    text += " " + line.back();
  }
  return lines;
}

std::string Muster::check_verdict() const {
  const auto good = static_cast<unsigned>(std::count_if(
      rows_.begin() + 1, rows_.end(), [](const Row& row) { return row.stage == Stage::kJoined; }));
  const std::string of_all = std::to_string(good) + " of " + std::to_string(hosts()) + " hosts ";
  if (rows_.front().address.empty())
    return "the program has not opened its port here (does it call pp::run?): no host was tested";
  if (good == hosts()) return hosts() == 1 ? "the host can be used" : "all hosts can be used";
  return of_all + "can be used: " +
         (present() >= needed()
              ? "enough"
              : "with the driver, " + std::to_string(needed()) + " nodes are needed");
}

std::vector<Muster::News> Muster::take_news() { return std::exchange(news_, {}); }

}  // namespace pp::tools
