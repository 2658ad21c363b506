// BorrowedJob: decode, run, encode.
#include "borrowed_job.hpp"

#include <utility>

#include "particulars.hpp"

namespace pp::runtime {

const JobKind BorrowedJob::kKind{&BorrowedJob::run_borrowed,
                                 nullptr,
                                 nullptr,
                                 &BorrowedJob::store_failure,
                                 nullptr,
                                 nullptr,
                                 &BorrowedJob::deliver_home,
                                 &BorrowedJob::destroy};

namespace {

// Where results are encoded, one after the other. Who uses it takes it away meanwhile: a user's
// `save` may wait for a job that runs on top of it.
thread_local codec::Bytes scratch;

}  // namespace

Ran BorrowedJob::run_borrowed(Job& job) noexcept {
  auto& self = static_cast<BorrowedJob&>(job);
  if (self.task_ == nullptr) self.desk_.begun();
  codec::Bytes result = std::move(scratch);
  result.clear();
  std::unique_ptr<Failure> failure;
  try {
    if (self.function->begin_encoded == nullptr) {
      self.function->run_encoded(self.arguments(), result);
    } else {
      if (self.task_ == nullptr) self.task_ = self.function->begin_encoded(self.arguments());
      if (!self.task_->strand().run(job)) return Ran::kSuspended;
      self.task_->encode_result(result);
    }
    if (result.size() > kMostEncoded) {
      throw Error("pp: the result takes " + std::to_string(result.size()) +
                  " bytes encoded; at most " + std::to_string(kMostEncoded) + " can travel");
    }
  } catch (...) {
    failure = std::make_unique<Failure>(describe_current_exception());
    if (failure->node.empty()) {  // not what a child threw and its parent passed on
      failure->node = self.desk_.node_name();
      failure->function = title_of(self);
      failure->attempt = self.attempt;
    }
  }
  self.task_.reset();
  if (!self.settle()) return Ran::kTooLate;
  if (failure != nullptr) {
    self.failure_ = std::move(failure);
  } else {
    self.parcel_.take(result);
    scratch = std::move(result);
  }
  return Ran::kSettled;
}

void BorrowedJob::store_failure(Job& job, Failure&& failure) {
  static_cast<BorrowedJob&>(job).store(std::move(failure));
}

void BorrowedJob::deliver_home(Job& job) noexcept {
  auto& self = static_cast<BorrowedJob&>(job);
  self.retain();
  self.desk_.completed(self);
}

void BorrowedJob::destroy(Job* job) noexcept { delete static_cast<BorrowedJob*>(job); }

}  // namespace pp::runtime
