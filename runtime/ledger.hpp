// Ledger: what this node has lent, to whom, and how each loan ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <pp/job.hpp>
#include <pp/transport.hpp>
#include <string>
#include <unordered_set>
#include <vector>

namespace pp::runtime {

using transport::SessionId;

// The one place that knows of a loan (protocol.md section 1). It holds a reference to every lent
// job until the loan ends in exactly one way: result, returned, or link over. A state machine: the
// courier's thread only; what is to be done with a job afterwards is the answer.
class Ledger {
 public:
  explicit Ledger(unsigned retries) : retries_(retries) {}
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // A job in phase Lent goes to `borrower`; takes over one reference. Returns the loan's number.
  std::uint64_t lend(Job& job, SessionId borrower);

  // The loan is over; the caller takes over the reference. Null when `borrower` has no such loan:
  // late or false, to be dropped.
  Job* settle(std::uint64_t number, SessionId borrower);

  // What becomes of a job whose loan ended without a result.
  struct Verdict {
    Job* job = nullptr;  // phase Lent still; the caller takes over the reference
    bool again = false;  // to be queued again; otherwise to fail with `message`
    std::string message;
  };
  // `begun`: counts as an execution that was lost. `how` says what happened there: "worker 3
  // (host:411) was lost: ...". A job of null: `borrower` has no such loan.
  Verdict give_back(std::uint64_t number, SessionId borrower, bool begun, std::string_view how);

  // The link is over: every loan of that borrower, in the order in which they were made.
  std::vector<Verdict> link_over(SessionId borrower, std::string_view how);

  // Every loan, to fail because this node ends.
  std::vector<Job*> close();

  // The open loans of these jobs.
  struct Open {
    std::uint64_t number;
    SessionId borrower;
  };
  std::vector<Open> find(const std::unordered_set<const Job*>& jobs) const;

  std::size_t open() const { return loans_.size(); }
  std::size_t open(SessionId borrower) const;

 private:
  struct Loan {
    Job* job;
    SessionId borrower;
  };
  Verdict lost(Job* job, std::string_view how);

  const unsigned retries_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Loan> loans_;
};

}  // namespace pp::runtime
