// Ledger: what this node has lent, to whom, how each loan ended, and who is to blame.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <pp/job.hpp>
#include <pp/node_id.hpp>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "numbered.hpp"

namespace pp::runtime {

// The one place that knows of a loan (protocol.md section 1). It holds a reference to every lent
// job until the loan ends in exactly one way: result, returned, or link over. A state machine: the
// courier's thread only; what is to be done with a job afterwards is the answer.
//
// Attempts and blame (rules 5 and 6). A loan that ends with its link may have been begun: the job's
// next execution is another attempt. Jobs that may have been running when their borrower died are
// suspects: each is run again elsewhere, at once, and after a second such death, or one that only
// it can have caused, it is tried alone (no second suspect on the same node), so that the next
// death tells which of them it was. A death with one suspect is that job's; after more than
// `retries` of those it fails. A death with several is no proof against any of them, but who is
// there each time is not tried without end: each bears a share, two whole ones count as one death
// that is its alone. A node that is merely cut off blames nobody.
class Ledger {
 public:
  explicit Ledger(unsigned retries) : retries_(retries) {}
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  using Time = std::chrono::steady_clock::time_point;

  // A job in phase Lent goes to `borrower`; takes over one reference. `suspect`: it is one, and on
  // trial there if it is to be tried alone. `since`: now. Returns the loan's number.
  std::uint64_t lend(Job& job, const NodeId& borrower, bool suspect = false, Time since = {});

  // Whether it is the number of a loan, open or over.
  bool has_lent(std::uint64_t number) const { return number != 0 && number < loans_.next(); }

  // Whether a result of it from this borrower may still be wanted.
  bool expects(std::uint64_t number, const NodeId& borrower);

  // The loan is over; the caller takes over the reference. Null when `borrower` has no such loan:
  // late or false.
  Job* settle(std::uint64_t number, const NodeId& borrower);

  // What becomes of a job whose loan ended without a result.
  struct Verdict {
    enum class Then : std::uint8_t {
      kAgain,      // to be queued again
      kElsewhere,  // a suspect: on another node, on trial or not
      kFail,       // with `message`
    };
    Job* job = nullptr;  // phase Lent still; the caller takes over the reference
    Then then = Then::kAgain;
    bool lost = false;  // an execution may have been lost
    std::string message;
  };
  // `begun`: counts as another attempt, and blames nobody. `how` says what happened there: "worker
  // 3 (host:411) returned it: ...". A job of null: `borrower` has no such loan.
  Verdict give_back(std::uint64_t number, const NodeId& borrower, bool begun, std::string_view how);

  // These loans have been running for a while, says the borrower, which has so many workers.
  void named(const NodeId& borrower, const std::vector<std::uint64_t>& numbers, unsigned workers);

  // Its result is on its way: a part of it has come. Should its borrower die before the rest has,
  // then not of it.
  void has_ended(std::uint64_t number, const NodeId& borrower);

  // How a link ended.
  struct End {
    std::string how;    // "worker 3 (host:411) was lost: ..."
    bool died = false;  // the borrower itself is taken for dead
    bool gone = false;  // nobody is there any more who could still send a result
    // Exactly the loans that its workers were running, if that is known. True: on top of its
    // worker's stack; false: it waited for others there. Of the rest it had begun none, but
    // coroutines.
    std::optional<std::unordered_map<std::uint64_t, bool>> running{};
  };
  // The link is over: every loan of that borrower, in the order in which they were made.
  std::vector<Verdict> link_over(const NodeId& borrower, const End& end);

  // The job of a loan that was lost with its link, if this node had it and a result of it would
  // still be wanted as far as is known here; with a reference of the caller's own. The loan is
  // forgotten.
  Job* take_late(std::uint64_t number, const NodeId& borrower);
  // Lost loans whose job is done meanwhile: nobody there needs to go on with them. Forgets them.
  std::vector<std::pair<NodeId, std::uint64_t>> take_obsolete();
  void forget_late(const NodeId& borrower);

  // Every loan, to fail because this node ends.
  std::vector<Job*> close();

  // The open loans of these jobs.
  struct Open {
    std::uint64_t number;
    NodeId borrower;
  };
  std::vector<Open> find(const std::unordered_set<const Job*>& jobs) const;

  // Open loans of jobs for which wanted(job) holds, at most so many; for people.
  struct Lent {
    const Job* job;
    NodeId borrower;
    std::uint64_t number;
    Time since;
    bool trial;
  };
  std::vector<Lent> lent(const std::function<bool(const Job&)>& wanted, std::size_t most) const;

  // The loan that this borrower has had for the longest, if it has any.
  struct Oldest {
    const Job* job;
    Time since;
  };
  std::optional<Oldest> oldest(const NodeId& borrower) const;

  std::size_t open() const { return loans_.size(); }
  std::size_t open(const NodeId& borrower) const;
  std::size_t late() const { return late_.size(); }
  // Until when no other suspect is to go there: one is on trial. Not for ever, since it may be
  // waiting for a job that is a suspect too; but the longer, the more attempts it has had, so that
  // in the end each is alone for long enough to be found out. Time{}: none is.
  Time on_trial_until(const NodeId& borrower) const;

 private:
  // What is known of a borrower for as long as it has a loan.
  struct Account {
    NodeId borrower;
    std::size_t loans = 0;
    std::size_t trials = 0;  // of these loans
    Time trial_ends{};
    bool busy = false;  // all its workers run loans that were named
  };
  struct Loan {
    Job* job = nullptr;
    Account* account = nullptr;  // stands as long as the loan does
    Time since{};
    bool suspect = false;
    bool trial = false;
    bool named = false;
    bool ended = false;  // its result is on its way
  };
  struct Late {
    Job* job;  // with a reference
    NodeId borrower;
  };

  Account& account_of(const NodeId& borrower);
  Loan* find(std::uint64_t number, const NodeId& borrower);
  Job* end(std::uint64_t number, const Loan& loan);
  unsigned retries_of(const Job& job) const;
  Verdict lost(Job* job, const End& end, bool suspect, bool to_blame);

  const unsigned retries_;
  Numbered<Loan> loans_;
  std::map<NodeId, Account> accounts_;
  // The one that was asked for last: most loans are made many at a time with one borrower. Null
  // when it has been closed.
  Account* last_ = nullptr;
  std::map<std::uint64_t, Late> late_;
};

}  // namespace pp::runtime
