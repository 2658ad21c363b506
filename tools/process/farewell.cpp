// Farewell: the four rungs.
#include "farewell.hpp"

namespace pp::tools {

Farewell::Step Farewell::step(Time now) {
  if (now < due_) return Step::kWait;
  switch (reached_) {
    case Step::kWait:
      reached_ = Step::kAsk;
      due_ = now + limits_.asked;
      break;
    case Step::kAsk:
      reached_ = Step::kKill;
      due_ = now + limits_.killed;
      break;
    case Step::kKill:
    case Step::kGiveUp:
      reached_ = Step::kGiveUp;
      due_ = Time::max();
      break;
  }
  return reached_;
}

}  // namespace pp::tools
