// BorrowedJob: decode, run, encode.
#include "borrowed_job.hpp"

#include <utility>

namespace pp::runtime {

void BorrowedJob::run_borrowed(Job& job) noexcept {
  auto& self = static_cast<BorrowedJob&>(job);
  self.desk_.begun();
  codec::Bytes& result = std::get<codec::Bytes>(self.outcome_);
  try {
    self.function->run_encoded(self.arguments_, result);
    if (result.size() > transport::kMaxMessage / 2) {
      throw Error("pp: the result takes " + std::to_string(result.size()) +
                  " bytes encoded; at most " + std::to_string(transport::kMaxMessage / 2) +
                  " can travel");
    }
  } catch (...) {
    Failure failure = describe_current_exception();
    if (failure.node.empty()) {  // not what a child threw and its parent passed on
      failure.node = self.desk_.node_name();
      failure.function = self.function->name;
      failure.attempt = self.attempt;
    }
    self.outcome_ = std::move(failure);
  }
}

void BorrowedJob::deliver_home(Job& job) noexcept {
  auto& self = static_cast<BorrowedJob&>(job);
  self.desk_.completed({self.lender, self.number, std::move(self.outcome_)});
}

void BorrowedJob::destroy(Job* job) noexcept { delete static_cast<BorrowedJob*>(job); }

}  // namespace pp::runtime
