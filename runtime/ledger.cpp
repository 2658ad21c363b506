// Ledger: a loan ends once.
#include "ledger.hpp"

#include <algorithm>

#include "particulars.hpp"

namespace pp::runtime {

Ledger::~Ledger() {
  for (Job* job : close()) job->release();
}

std::uint64_t Ledger::lend(Job& job, SessionId borrower) {
  const std::uint64_t number = next_++;
  loans_.emplace(number, Loan{&job, borrower});
  return number;
}

Job* Ledger::settle(std::uint64_t number, SessionId borrower) {
  const auto loan = loans_.find(number);
  if (loan == loans_.end() || loan->second.borrower != borrower) return nullptr;
  Job* job = loan->second.job;
  loans_.erase(loan);
  return job;
}

Ledger::Verdict Ledger::give_back(std::uint64_t number, SessionId borrower, bool begun,
                                  std::string_view how) {
  const auto loan = loans_.find(number);
  if (loan == loans_.end() || loan->second.borrower != borrower) return {};
  Job* job = loan->second.job;
  loans_.erase(loan);
  if (!begun) return {job, true, {}};
  return lost(job, how);
}

std::vector<Ledger::Verdict> Ledger::link_over(SessionId borrower, std::string_view how) {
  std::vector<Verdict> verdicts;
  for (auto loan = loans_.begin(); loan != loans_.end();) {
    if (loan->second.borrower != borrower) {
      ++loan;
      continue;
    }
    verdicts.push_back(lost(loan->second.job, how));
    loan = loans_.erase(loan);
  }
  return verdicts;
}

Ledger::Verdict Ledger::lost(Job* job, std::string_view how) {
  Particulars& particulars = particulars_of(*job);
  std::string& losses = particulars.losses;
  losses += (losses.empty() ? "attempt " : "; attempt ") + std::to_string(job->attempt) + ": ";
  losses += how;
  if (job->attempt <= particulars.options.retries.value_or(retries_)) {
    ++job->attempt;
    return {job, true, {}};
  }
  return {job, false, losses};
}

std::vector<Job*> Ledger::close() {
  std::vector<Job*> jobs;
  for (const auto& [number, loan] : loans_) jobs.push_back(loan.job);
  loans_.clear();
  return jobs;
}

std::vector<Ledger::Open> Ledger::find(const std::unordered_set<const Job*>& jobs) const {
  std::vector<Open> found;
  for (const auto& [number, loan] : loans_) {
    if (jobs.contains(loan.job)) found.push_back({number, loan.borrower});
  }
  return found;
}

std::size_t Ledger::open(SessionId borrower) const {
  return static_cast<std::size_t>(
      std::count_if(loans_.begin(), loans_.end(),
                    [&](const auto& entry) { return entry.second.borrower == borrower; }));
}

}  // namespace pp::runtime
