// promises: what every history is held to.
#include <algorithm>
#include <utility>

#include "particulars.hpp"
#include "readable.hpp"
#include "world.hpp"

namespace pp::simulation {

using runtime::Failure;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::size_t kMostBacklog = std::size_t{4} << 20;
constexpr std::uint64_t kMostDeaths = 16;  // by one job
// How long a suspect is tried alone: as the ledger has it.
constexpr milliseconds kTrial{125};
constexpr std::uint32_t kMostDoubled = 13;

}  // namespace

void World::fail(const std::string& sentence) {
  history_.say(agenda_.now(), "BROKEN", sentence);
  if (outcomes_.failure.empty()) outcomes_.failure = sentence;
}

std::string World::title(const Errand& errand) const {
  return "job " + std::to_string(errand.serial) + (errand.once ? " (once)" : "");
}

void World::forget_roots_of(const SimNode& node) {
  std::erase_if(roots_, [&](const Root& root) {
    if (root.owner != &node) return false;
    root.job->release();
    return true;
  });
}

void World::settle_roots() {
  for (const Root& root : roots_) root.job->release();
  roots_.clear();
}

void World::check_end() {
  if (runtime::Counted::alive != 0)
    fail(std::to_string(runtime::Counted::alive) + " borrowed jobs are left, and nobody has them");
  if (jobs_alive_ != 0) fail(std::to_string(jobs_alive_) + " jobs are left, and nobody has them");
  // What is said stays in proportion to the work: jobs are not handed round.
  const std::uint64_t messages = network_->counters().messages_sent;
  const auto lasted = static_cast<std::uint64_t>(
      std::chrono::duration_cast<seconds>(agenda_.now() - Time{} - std::chrono::hours(1)).count());
  // (A piece and a question for each; twice, since connections break.)
  const std::uint64_t pieces =
      profile_.most_result > 0 || profile_.large > 0.05 ? 4 * (100'000 / fetch_.piece + 2) : 0;
  const std::uint64_t fair =
      (60 + pieces) * outcomes_.jobs + 20 * machines_ * machines_ * (lasted + 2);
  if (messages > fair)
    fail(std::to_string(messages) + " messages were sent for " + std::to_string(outcomes_.jobs) +
         " jobs");
  if (network_->largest_backlog() > kMostBacklog)
    fail("a session had " + std::to_string(network_->largest_backlog()) + " bytes queued");
}

Errand World::submitted(SimNode& owner, std::uint64_t id, std::uint32_t depth, const Errand* parent,
                        bool once) {
  Record& record = records_.emplace_back();
  record.errand = {static_cast<std::uint32_t>(records_.size() - 1), id, depth, once};
  record.owner = &owner;
  ++outcomes_.jobs;
  note(3, owner, record.errand.serial, id);
  if (history_.readable()) {
    const Script its = script(record.errand);
    say(owner, "submits " + title(record.errand) + ": " +
                   std::to_string(its.duration.count() / 1000) + " us, " +
                   std::to_string(its.children) + " children" +
                   (parent == nullptr ? "" : ", child of " + std::to_string(parent->serial)));
  }
  return record.errand;
}

void World::begun(SimNode& where, const Errand& errand, std::uint32_t attempt, bool borrowed,
                  bool still_lent) {
  Record& record = records_[errand.serial];
  note(4, where, errand.serial, attempt);
  say(where, "begins " + title(errand) + ", attempt " + std::to_string(attempt) +
                 (borrowed ? ", borrowed" : ""));
  ++outcomes_.executions;
  if (attempt > 1) ++outcomes_.again;
  if (where.stopped()) fail(where.setting().name + " begins a job while it is stopped");
  if (record.begun.size() <= attempt) record.begun.resize(attempt + 1);
  if (record.begun[attempt])
    fail("attempt " + std::to_string(attempt) + " of " + title(errand) +
         " is begun twice, now on " + where.setting().name);
  record.begun[attempt] = true;
  if (plan_.scene == Scene::kPoison) {
    const SimNode* owner = record.owner;
    if (attempt > 1 && !borrowed && !nobody_left_) {
      for (const SimNode* other : at_) {
        if (other != nullptr && other != owner && other->workers() > 0 && !ending_ &&
            agenda_.now() > other->started() + kKnown)
          fail(title(errand) + " has killed and runs on its owner, though there are others");
      }
    }
    // After a second loss.
    if (attempt > 2 && borrowed && !nobody_left_) {
      for (const Record& other : records_) {
        // The first half of a trial, so that what was under way meanwhile does not count. (Who is
        // delivered already, by a late result, is on trial no more, though it may not have heard.)
        const Duration half = kTrial * (1 << std::min(other.attempt, kMostDoubled)) / 2;
        if (&other != &record && other.runs_on == &where && other.attempt > 2 && !other.delivered &&
            agenda_.now() < other.runs_since + half)
          fail(title(errand) + " and " + title(other.errand) + " are on trial together on " +
               where.setting().name);
      }
    }
    record.runs_on = &where;
    record.runs_since = agenda_.now();
    record.attempt = attempt;
    let_the_owner_work();
  }
  if (record.errand.id != errand.id) fail(title(errand) + " has come to somebody as another one");
  if (attempt > 1 && !troubled_) fail(title(errand) + " is begun again, and no node was lost");
  if (borrowed && !still_lent)
    fail(where.setting().name + " begins " + title(errand) + " though the link it came by is over");
  if (errand.once && attempt > 1) fail(title(errand) + " is begun a second time");
}

void World::ended(SimNode& where, const Errand& errand, const Outcome& outcome, bool settled) {
  note(5, where, errand.serial, settled);
  records_[errand.serial].runs_on = nullptr;
  if (!history_.readable()) return;
  const auto* failure = std::get_if<Failure>(&outcome);
  say(where, "ends " + title(errand) +
                 (failure == nullptr ? std::string(": a value") : ": " + name_of(failure->kind)) +
                 (settled ? "" : ", too late"));
}

void World::passed_on(const Errand& errand, const Failure& failure) {
  records_[errand.serial].allowed |= 1U << static_cast<unsigned>(failure.kind);
}

void World::delivered(SimJob& job) {
  const Errand& errand = job.errand();
  Record& record = records_[errand.serial];
  const Script& its = job.script();
  const auto* failure = std::get_if<Failure>(&job.outcome());
  note(6, job.owner(), errand.serial,
       failure == nullptr ? 99 : static_cast<std::uint64_t>(failure->kind));
  say(job.owner(),
      "has the outcome of " + title(errand) +
          (failure == nullptr ? std::string(": a value")
                              : ": " + name_of(failure->kind) + ", " + failure->message));
  const std::string what = title(errand) + " of " + job.owner().setting().name;
  if (std::exchange(record.delivered, true)) return fail(what + " is delivered twice");
  if (job.times_stored() != 1)
    return fail(what + " has " + std::to_string(job.times_stored()) + " outcomes");
  if (failure == nullptr) {
    ++outcomes_.values;
    if (const runtime::Particulars* particulars = runtime::find_particulars(job)) {
      const std::uint64_t fails_at = 2000 * (its.retries.value_or(options_.retries) + 1);
      outcomes_.most_shared =
          std::max(outcomes_.most_shared, 100 * particulars->shared_blame / fails_at);
    }
    if (its.overdue() || its.throws)
      return fail(what + " has a value though it " + (its.throws ? "throws" : "takes too long"));
    const std::uint64_t expected = value_of(profile_, errand.id, errand.depth, errand.once);
    if (std::get<std::uint64_t>(job.outcome()) != expected) fail(what + " has a wrong value");
    return;
  }
  ++outcomes_.failures;
  const auto refuse = [&](const char* why) {
    fail(what + " has failed (" + name_of(failure->kind) + ": " + failure->message + ") " + why);
  };
  if ((record.allowed >> static_cast<unsigned>(failure->kind) & 1) != 0) return;
  switch (failure->kind) {
    case Failure::Kind::kThrown:
      if (!its.throws || its.overdue()) refuse("and does not throw");
      return;
    case Failure::Kind::kTimeout:
      if (!its.overdue()) refuse("within its time");
      return;
    case Failure::Kind::kCancelled:
      if (!record.cancelled) refuse("and nobody has cancelled it");
      return;
    case Failure::Kind::kClosed:
      if (!job.owner().ending()) refuse("while its node lives");
      return;
    case Failure::Kind::kUndecodable:
      return refuse("though it can travel");
    case Failure::Kind::kNodeLost: {
      if (!troubled_) return refuse("and no node was lost");
      if (plan_.scene == Scene::kPoison && !its.poison) return refuse("and has killed nobody");
      if (job.place == Where::Kind::kNode) return;
      // Who leaves dials nobody: what may not run there fails when its last session is over.
      if (!job.runs_here() && (job.owner().ending() || job.owner().is_draining())) return;
      const unsigned retries = its.retries.value_or(options_.retries);
      // Two nodes died of it, or so it seems, and there is no third.
      if (job.attempt > 2 && failure->message.find("no other node is left") != std::string::npos)
        return;
      if (job.attempt <= retries) refuse("and had attempts left");
      return;
    }
  }
}

void World::dismissed(SimNode& where, runtime::Courier::Farewell why) {
  if (why == runtime::Courier::Farewell::kDrained || where.ending()) return;
  SimNode* node = &where;
  say(where, "is dismissed");
  // (Who hears of the goodbye from nobody takes the driver for silent.)
  const bool unheard = why == runtime::Courier::Farewell::kDriverGone &&
                       agenda_.now() >= dismissal_ + kSilentPatience;
  if (plan_.scene != Scene::kLaunch || agenda_.now() < dismissal_ || (why != reason_ && !unheard))
    return fail(where.setting().name + " leaves its driver, and has no reason to");
  agenda_.in(Duration(0), [this, node] {
    if (!node->alive()) return;
    forget_roots_of(*node);
    node->end();
  });
}

void World::poisoned(SimNode& where, const Errand& errand) {
  const std::uint64_t deaths = ++records_[errand.serial].deaths;
  outcomes_.most_deaths = std::max(outcomes_.most_deaths, deaths);
  if (deaths > kMostDeaths)
    fail(title(errand) + " has killed " + std::to_string(deaths) + " nodes");
  ++outcomes_.faults[static_cast<std::size_t>(Fault::kPoison)];
  SimNode* node = &where;
  agenda_.in(Duration(0), [this, node] {
    if (!node->alive()) return;
    const std::size_t machine = node->setting().machine;
    crash(*node, false);
    if (healed_ && !ending_) {
      start(machine);
    } else {
      start_again_perhaps(machine, plan_.scene == Scene::kPoison ? 1.0 : 0.9);
    }
  });
}

void World::courier_ended(SimNode& where) {
  note(7, where, 0, 0);
  say(where, "has ended");
  SimNode* node = &where;
  agenda_.in(dice_.between(Duration(0), milliseconds(5)), [this, node] {
    if (!node->alive()) return;
    const std::size_t machine = node->setting().machine;
    node->close();
    at_[machine] = nullptr;
    --living_;
    if (healed_ && !ending_ && machine < 2) {
      start(machine);
    } else {
      start_again_perhaps(machine, 0.5);
    }
  });
}

void World::said(SimNode& who, std::string_view level, std::string_view sentence) {
  // From then on a suspect may lie in its owner's queue as any other job does.
  nobody_left_ |= sentence.find("no other node is left, so it runs here") != std::string_view::npos;
  if (level == "report" || !history_.readable()) return;
  say(who, std::string(level) + ": " + std::string(sentence));
}

void World::heard(std::size_t from, std::size_t to, std::span<const std::byte> message, bool word) {
  history_.count(agenda_.now(), word ? 8 : 9, from << 32 | to, message.size());
  if (history_.readable() && !word)
    told(to, "hears of m" + std::to_string(from) + ": " + line_of(message));
}

}  // namespace pp::simulation
