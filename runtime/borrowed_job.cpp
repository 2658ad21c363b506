// BorrowedJob: decode, run, encode.
#include "borrowed_job.hpp"

#include <optional>
#include <utility>

#include "particulars.hpp"

namespace pp::runtime {

const JobKind BorrowedJob::kKind{&BorrowedJob::run_borrowed,
                                 nullptr,
                                 nullptr,
                                 &BorrowedJob::store_failure,
                                 nullptr,
                                 &BorrowedJob::find_failure,
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
  // Laid out for the call between decoding and encoding too; what runs meanwhile on this thread for
  // other nodes has its own.
  std::optional<Luggage> luggage;
  if (!self.function->plain) {
    luggage.emplace(self.desk_.eager_bytes(),
                    self.blobs ? self.blobs->arrived : std::vector<Luggage::Item>());
    luggage->leave_loose(codec::kLarge);
  }
  const Luggage::Scope scope(luggage ? &*luggage : nullptr);
  try {
    if (self.function->begin_encoded == nullptr) {
      self.function->run_encoded(self.arguments(), result);
    } else {
      if (self.task_ == nullptr) self.task_ = self.function->begin_encoded(self.arguments());
      if (!self.task_->strand().run(job)) return Ran::kSuspended;
      self.task_->encode_result(result);
    }
    std::size_t size = result.size();
    if (luggage)
      for (const Luggage::Loose& loose : luggage->loose()) size += loose.bytes.size();
    if (size > kMostEncoded) {
      throw Error("pp: the result takes " + std::to_string(size) + " bytes encoded; at most " +
                  std::to_string(kMostEncoded) + " can travel");
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
    // Not before: until then the end of its time may hand it to the courier.
    if (luggage && !luggage->packed().empty()) self.make_blobs().result = luggage->take_packed();
    if (luggage) {
      for (Luggage::Loose& loose : luggage->loose()) {  // one: all of the result
        const BlobId id = self.desk_.name_result(self, loose.bytes.size());
        self.make_blobs().result.push_back(
            {loose.place, std::make_shared<const Blob>(id, std::move(loose.bytes))});
      }
    }
    self.keep(result);
    scratch = std::move(result);
  }
  return Ran::kSettled;
}

std::span<const std::byte> BorrowedJob::arguments() const {
  if (blobs) {
    for (const Luggage::Item& item : blobs->arrived)
      if (item.place == Luggage::kWhole) return item.blob->bytes();
  }
  return parcel_.bytes();
}

void BorrowedJob::store(codec::Bytes value) { keep(value); }

// Leaves the memory of few bytes with the caller.
void BorrowedJob::keep(codec::Bytes& value) {
  if (value.size() > Parcel::kFew && value.size() > desk_.eager_bytes()) {
    const BlobId name = desk_.name_result(*this, value.size());
    make_blobs().result.push_back(
        {Luggage::kWhole, std::make_shared<const Blob>(name, std::exchange(value, {}))});
  }
  parcel_.take(value);
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
