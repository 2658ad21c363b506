// Rules: those of the protocol that a simulation switches off, one at a time, to see that it would
// notice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pp::runtime {

// Each guards against loss, repetition, blame, a hang or growth, and has its number in the
// protocol. Where one is kept, the code asks holds(); in what ships that is true, known when it is
// compiled, and costs nothing. Whoever adds one adds it to tests/simulation/mutation_test.cpp too.
enum class Rule : std::uint8_t {
  kNone,
  kAppliedOnce,        // 14: what was applied is not applied again
  kKeptUntilApplied,   // 14: what may not have been applied is said again on the next session
  kResume,             // 14: a session's end does not end the link
  kBothEndTheLink,     // 14: when one side has given the link up, so does the other
  kLinkOverRequeues,   // 15: what was lent over a link that is over is queued again
  kVoidWithLink,       // 15: what has not begun when its link ends is not begun
  kLateResultDropped,  // 2, 4: a result for a loan that has ended delivers nothing a second time
  kApartEndsLink,      // 20: a link that cannot be restored in time is over
  kReturnedRequeues,   // 4: a returned job is queued again
  kNothingInSilence,   // 4: what a node will not run it returns
  kOnceIsOnce,         // 7: retries = 0 is not run again after its grant was written
  kTriedAlone,         // 6: a suspect is retried alone
  kOnlyOneIsBlamed,    // 6: a death with several suspects blames nobody
  kNotOnItsOwner,      // 6: a suspect does not run on its owner while there are others
  kCancelFollows,      // 8: a cancel follows the loan
  kLifelineServed,     // 11: a refused request is served when there is work
  kRequestsEndWithSessions,   // 11, 14: a parked request is void when its session ends
  kLostRequestsAreForgotten,  // 14: a request to a lost peer is not waited for
  kBlameIsCounted,            // 5, 6: what is to blame for too many deaths fails
  kDriverGoneEnds,            // 21: a worker whose driver is gone ends
  kResultsBounded,    // 25: past a limit of unacknowledged results no more is begun for an owner
  kAcknowledged,      // 14: what has been applied is acknowledged, so that it need not be kept
  kLeaverReturns,     // 23: who leaves returns what it has not begun
  kUsedSessionsStay,  // 17: what is begun on a session that is about to be closed is not lost with
                      // it
  kBlobsAskedAgain,   // 24: pieces that were asked for on a session that has ended are asked for
                      // again
  kResultsTaken,      // 24, 25: whoever has fetched a result says so, and it is kept no longer
  kOverdueNotWaitedFor,  // 11: a request without an answer does not keep a thief from asking others
  kEndlessIsBlamed,      // 5, 6: what sees death after death fails, though never alone with them
  kLoansBounded,         // 25: past a limit of borrowed jobs no more are taken from their owner
  kLast = kLoansBounded,
};

inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::kLast) + 1;

// A statement of the rule, for people.
std::string_view to_string(Rule rule);

#ifdef PP_RULES_CAN_BREAK
// Per thread, since each simulates a cluster of its own.
inline thread_local Rule broken_rule = Rule::kNone;
inline bool holds(Rule rule) { return rule != broken_rule; }

// So many of whatever has a member of this type are alive, made on this thread.
struct Counted {
  static inline thread_local std::int64_t alive = 0;
  Counted() { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
};
#else
constexpr bool holds(Rule) { return true; }
#endif

}  // namespace pp::runtime
