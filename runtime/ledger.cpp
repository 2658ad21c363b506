// Ledger: a loan ends once.
#include "ledger.hpp"

#include <algorithm>
#include <utility>

#include "particulars.hpp"
#include "rules.hpp"

namespace pp::runtime {

namespace {

// A trial that ends by itself lasts a second after two losses (kills that are nobody's fault are
// the commonest, and the others wait), twice as long after each further one, and at most about 17
// minutes.
constexpr std::chrono::milliseconds kTrial{125};
constexpr std::uint32_t kMostDoubled = 13;

// Of a suspect. Most nodes die of something else: what ran there runs on at once when it has seen
// one death, in which others may have been to blame as well.
bool is_tried_alone(const Job& job) {
  const Particulars* particulars = find_particulars(job);
  return particulars != nullptr && (particulars->suspected > 1 || particulars->blamed > 0);
}

// A death that nobody is to blame for alone is divided among those who can have caused it, as the
// squares of how many each has seen by now: who comes from death to death carries almost all of it,
// with however many others that were there for the first time.
constexpr std::uint64_t kDeath = 1000;
// Where none of our loans was running that one is divided among those that waited there for others:
// what they have spawned may kill its node each time they are tried. Most of these deaths come from
// outside, though, and who waits may do so for hours.
constexpr std::uint64_t kDeathOfWaiting = kDeath / 4;

std::uint64_t likelihood(const Particulars& particulars) {
  return std::uint64_t{particulars.deaths_seen} * particulars.deaths_seen;
}

}  // namespace

Ledger::~Ledger() {
  for (Job* job : close()) job->release();
  for (const auto& [number, loan] : late_) loan.job->release();
}

Ledger::Account& Ledger::account_of(const NodeId& borrower) {
  if (last_ == nullptr || last_->borrower != borrower) {
    last_ = &accounts_[borrower];
    last_->borrower = borrower;
  }
  return *last_;
}

// Null when this borrower has no such loan.
Ledger::Loan* Ledger::find(std::uint64_t number, const NodeId& borrower) {
  Loan* loan = loans_.find(number);
  return loan == nullptr || loan->account->borrower != borrower ? nullptr : loan;
}

std::uint64_t Ledger::lend(Job& job, const NodeId& borrower, bool suspect, Time since) {
  Account& account = account_of(borrower);
  ++account.loans;
  const bool trial = suspect && is_tried_alone(job);
  if (trial) {
    ++account.trials;
    account.trial_ends =
        std::max(account.trial_ends, since + kTrial * (1 << std::min(job.attempt, kMostDoubled)));
  }
  return loans_.add({&job, &account, since, suspect, trial});
}

// The loan is off the books; its job with the reference.
Job* Ledger::end(std::uint64_t number, const Loan& loan) {
  Job* job = loan.job;
  Account& account = *loan.account;
  if (loan.trial && --account.trials == 0) account.trial_ends = {};
  if (loan.named) account.busy = false;  // its worker may begin another
  loans_.remove(number);
  if (--account.loans == 0) {
    if (last_ == &account) last_ = nullptr;
    accounts_.erase(NodeId(account.borrower));
  }
  return job;
}

bool Ledger::expects(std::uint64_t number, const NodeId& borrower) {
  if (find(number, borrower) != nullptr) return true;
  const auto late = late_.find(number);
  return late != late_.end() && late->second.borrower == borrower;
}

Job* Ledger::settle(std::uint64_t number, const NodeId& borrower) {
  const Loan* loan = find(number, borrower);
  return loan == nullptr ? nullptr : end(number, *loan);
}

Ledger::Verdict Ledger::give_back(std::uint64_t number, const NodeId& borrower, bool begun,
                                  std::string_view how) {
  const Loan* loan = find(number, borrower);
  if (loan == nullptr) return {};
  const bool suspect = loan->suspect;
  Job* job = end(number, *loan);
  if (begun) return lost(job, {.how = std::string(how)}, suspect, false);
  return {job, suspect ? Verdict::Then::kElsewhere : Verdict::Then::kAgain, false, {}};
}

void Ledger::named(const NodeId& borrower, const std::vector<std::uint64_t>& numbers,
                   unsigned workers) {
  std::size_t named = 0;
  for (const std::uint64_t number : numbers) {
    Loan* loan = find(number, borrower);
    if (loan == nullptr) continue;
    loan->named = true;
    ++named;
  }
  if (const auto account = accounts_.find(borrower); account != accounts_.end())
    account->second.busy = named > 0 && named >= workers;
}

void Ledger::has_ended(std::uint64_t number, const NodeId& borrower) {
  Loan* loan = find(number, borrower);
  if (loan == nullptr) return;
  loan->ended = true;
  if (std::exchange(loan->named, false)) loan->account->busy = false;
}

std::vector<Ledger::Verdict> Ledger::link_over(const NodeId& borrower, const End& how) {
  std::vector<Verdict> verdicts;
  const auto account = accounts_.find(borrower);
  if (account == accounts_.end()) return verdicts;
  const bool busy = account->second.busy;
  // What it was doing when its link ended, as far as is known here.
  enum class Was : std::uint8_t { kUnbegun, kWaiting, kPerhapsRunning, kEnded };
  const auto was = [&](std::uint64_t number, const Loan& loan) {
    if (loan.ended) return Was::kEnded;
    if (how.running) {
      const auto entry = how.running->find(number);
      if (entry != how.running->end()) return entry->second ? Was::kPerhapsRunning : Was::kWaiting;
      return loan.job->function->begin_encoded != nullptr ? Was::kWaiting : Was::kUnbegun;
    }
    if (!how.died || !busy || loan.named) return Was::kPerhapsRunning;
    // That all workers were busy is a good guess (one whose job waits for others may have begun
    // another since), but no proof that a job which may run once only has not.
    return retries_of(*loan.job) == 0 ? Was::kWaiting : Was::kUnbegun;
  };
  struct Over {
    std::uint64_t number;
    Loan loan;
    Was what;
  };
  std::vector<Over> over;
  loans_.for_each([&](std::uint64_t number, const Loan& loan) {
    if (loan.account == &account->second) over.push_back({number, loan, was(number, loan)});
  });
  const auto suspects = std::count_if(
      over.begin(), over.end(), [](const Over& each) { return each.what == Was::kPerhapsRunning; });
  const bool to_blame = how.died && (suspects == 1 || !holds(Rule::kOnlyOneIsBlamed));
  const Was sharing = suspects > 0 ? Was::kPerhapsRunning : Was::kWaiting;
  std::uint64_t likelihoods = 0;
  for (const Over& each : over) {
    if (!how.died || to_blame || each.what != sharing) continue;
    Particulars& its = particulars_of(*each.loan.job);
    ++its.deaths_seen;
    likelihoods += likelihood(its);
  }
  const std::uint64_t death = suspects > 0 ? kDeath : kDeathOfWaiting;
  for (const auto& [number, loan, what] : over) {
    if (what != Was::kUnbegun && !how.gone) {
      loan.job->retain();
      late_.emplace(number, Late{loan.job, borrower});
    }
    Job* job = end(number, loan);
    const bool suspect = how.died && what == Was::kPerhapsRunning;
    if (suspect) ++particulars_of(*job).suspected;
    if (likelihoods > 0 && what == sharing && holds(Rule::kEndlessIsBlamed)) {
      Particulars& its = particulars_of(*job);
      its.shared_blame += static_cast<unsigned>(death * likelihood(its) / likelihoods);
    }
    if (what != Was::kUnbegun) {
      verdicts.push_back(lost(job, how, loan.suspect || suspect, suspect && to_blame));
    } else {
      verdicts.push_back(
          {job, loan.suspect ? Verdict::Then::kElsewhere : Verdict::Then::kAgain, false, {}});
    }
  }
  return verdicts;
}

unsigned Ledger::retries_of(const Job& job) const {
  const Particulars* particulars = find_particulars(job);
  return particulars == nullptr ? retries_ : particulars->options.retries.value_or(retries_);
}

Ledger::Verdict Ledger::lost(Job* job, const End& end, bool suspect, bool to_blame) {
  Particulars& particulars = particulars_of(*job);
  std::string& losses = particulars.losses;
  // Somebody who is lost again and again by no fault of its own does not fill the memory with it.
  constexpr std::size_t kMostTold = 4096;
  if (losses.size() < kMostTold) {
    losses += (losses.empty() ? "attempt " : "; attempt ") + std::to_string(job->attempt) + ": ";
    losses += end.how;
  }
  const unsigned retries = retries_of(*job);
  if (to_blame && holds(Rule::kBlameIsCounted)) ++particulars.blamed;
  ++job->attempt;
  if ((retries == 0 && holds(Rule::kOnceIsOnce)) || particulars.blame() > retries)
    return {job, Verdict::Then::kFail, true, losses};
  return {job,
          suspect && holds(Rule::kTriedAlone) ? Verdict::Then::kElsewhere : Verdict::Then::kAgain,
          true, losses};
}

Job* Ledger::take_late(std::uint64_t number, const NodeId& borrower) {
  const auto loan = late_.find(number);
  if (loan == late_.end() || loan->second.borrower != borrower) return nullptr;
  Job* job = loan->second.job;
  late_.erase(loan);
  return job;
}

std::vector<std::pair<NodeId, std::uint64_t>> Ledger::take_obsolete() {
  std::vector<std::pair<NodeId, std::uint64_t>> obsolete;
  std::erase_if(late_, [&](const auto& entry) {
    const Late& loan = entry.second;
    if (!loan.job->done()) return false;
    obsolete.emplace_back(loan.borrower, entry.first);
    loan.job->release();
    return true;
  });
  return obsolete;
}

void Ledger::forget_late(const NodeId& borrower) {
  std::erase_if(late_, [&](const auto& entry) {
    if (entry.second.borrower != borrower) return false;
    entry.second.job->release();
    return true;
  });
}

std::vector<Job*> Ledger::close() {
  std::vector<Job*> jobs;
  loans_.for_each([&](std::uint64_t, const Loan& loan) { jobs.push_back(loan.job); });
  loans_.clear();
  accounts_.clear();
  last_ = nullptr;
  return jobs;
}

std::vector<Ledger::Open> Ledger::find(const std::unordered_set<const Job*>& jobs) const {
  std::vector<Open> found;
  loans_.for_each([&](std::uint64_t number, const Loan& loan) {
    if (jobs.contains(loan.job)) found.push_back({number, loan.account->borrower});
  });
  return found;
}

std::vector<Ledger::Lent> Ledger::lent(const std::function<bool(const Job&)>& wanted,
                                       std::size_t most) const {
  std::vector<Lent> found;
  loans_.for_each([&](std::uint64_t number, const Loan& loan) {
    if (found.size() < most && wanted(*loan.job))
      found.push_back({loan.job, loan.account->borrower, number, loan.since, loan.trial});
  });
  return found;
}

std::optional<Ledger::Oldest> Ledger::oldest(const NodeId& borrower) const {
  std::optional<Oldest> first;
  loans_.for_each([&](std::uint64_t, const Loan& loan) {
    if (!first && loan.account->borrower == borrower) first = Oldest{loan.job, loan.since};
  });
  return first;
}

std::size_t Ledger::open(const NodeId& borrower) const {
  const auto account = accounts_.find(borrower);
  return account == accounts_.end() ? 0 : account->second.loans;
}

Ledger::Time Ledger::on_trial_until(const NodeId& borrower) const {
  const auto account = accounts_.find(borrower);
  return account == accounts_.end() ? Time{} : account->second.trial_ends;
}

}  // namespace pp::runtime
