// Rules: what each of them says.
#include "rules.hpp"

namespace pp::runtime {

std::string_view to_string(Rule rule) {
  switch (rule) {
    case Rule::kNone:
      return "none";
    case Rule::kAppliedOnce:
      return "what was applied is not applied again";
    case Rule::kKeptUntilApplied:
      return "what may not have been applied is said again on the next session";
    case Rule::kResume:
      return "the end of a session does not end the link";
    case Rule::kBothEndTheLink:
      return "when one side has given the link up, so does the other";
    case Rule::kLinkOverRequeues:
      return "what was lent over a link that is over is queued again";
    case Rule::kVoidWithLink:
      return "what has not begun when its link ends is not begun";
    case Rule::kLateResultDropped:
      return "a result for a loan that has ended delivers nothing a second time";
    case Rule::kApartEndsLink:
      return "a link that cannot be restored in time is over";
    case Rule::kReturnedRequeues:
      return "a returned job is queued again";
    case Rule::kNothingInSilence:
      return "what a node does not run it returns";
    case Rule::kOnceIsOnce:
      return "a job with retries = 0 is not run again after its grant was written";
    case Rule::kTriedAlone:
      return "a suspect is tried alone";
    case Rule::kOnlyOneIsBlamed:
      return "a death with several suspects blames nobody";
    case Rule::kNotOnItsOwner:
      return "a suspect does not run on its owner while there are others";
    case Rule::kCancelFollows:
      return "a cancel follows the loan";
    case Rule::kLifelineServed:
      return "a refused request is served when there is work";
    case Rule::kRequestsEndWithSessions:
      return "a parked request is void when its session ends";
    case Rule::kLostRequestsAreForgotten:
      return "a request to a lost peer is not waited for";
    case Rule::kBlameIsCounted:
      return "what is to blame for too many deaths fails";
    case Rule::kDriverGoneEnds:
      return "a worker whose driver is gone ends";
    case Rule::kResultsBounded:
      return "an owner that does not take its results gets no more of them";
    case Rule::kAcknowledged:
      return "what has been applied is acknowledged";
    case Rule::kLeaverReturns:
      return "who leaves returns what it has not begun";
    case Rule::kUsedSessionsStay:
      return "what is begun on a session that is about to be closed is not lost with it";
    case Rule::kBlobsAskedAgain:
      return "pieces asked for on a session that has ended are asked for again";
    case Rule::kResultsTaken:
      return "whoever has fetched a result says so";
    case Rule::kOverdueNotWaitedFor:
      return "a request without an answer does not keep a thief from asking others";
    case Rule::kEndlessIsBlamed:
      return "what sees death after death fails, though it was never alone with them";
    case Rule::kLoansBounded:
      return "an owner that has lent a node very much lends it no more";
  }
  return "?";
}

}  // namespace pp::runtime
