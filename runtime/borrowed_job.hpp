// BorrowedJob: a job that another node lent us; it knows its function by number and its arguments
// as bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <pp/blob.hpp>
#include <pp/codec.hpp>
#include <pp/job.hpp>
#include <pp/node_id.hpp>
#include <pp/task.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "parcel.hpp"
#include "rules.hpp"

namespace pp::runtime {

// The most that a job's arguments or its result may take encoded. Arguments are encoded by the
// courier, and twice as much would keep it silent for so long that its peers take it for dead: what
// is larger stays at home. (What is shared may be larger: whoever shares it encodes it.)
inline constexpr std::size_t kMostEncoded = (std::size_t{1} << 30) + (std::size_t{64} << 20);

// Decoded on the worker that runs it, so that no user code runs on the courier.
class BorrowedJob final : public Job {
 public:
  // Where results go. Any thread.
  class Desk {
   public:
    virtual ~Desk() = default;
    virtual void begun() = 0;
    // Its outcome may be taken. Passes one reference.
    virtual void completed(BorrowedJob& job) = 0;
    virtual const std::string& node_name() const = 0;
    // Results that take more bytes than this travel as blobs.
    virtual std::size_t eager_bytes() const = 0;
    // What such a one is called, if it takes so many.
    virtual BlobId name_result(const BorrowedJob& job, std::size_t size) const = 0;
  };

  // `function` and `desk` must outlive it.
  BorrowedJob(const NodeId& owner_, std::uint64_t number_, std::uint32_t attempt_,
              const Function& function_, std::span<const std::byte> arguments, Desk& desk)
      : Job(kKind, &function_, 1), owner(owner_), number(number_), parcel_(arguments), desk_(desk) {
    attempt = attempt_;
  }

  static void* operator new(std::size_t bytes) { return allocate_job(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_job(memory, bytes); }

  // How it ended, after it was completed: with the failure if there is one, else with the value,
  // which is empty here if it is in blobs->result.
  const Failure* failure() const { return failure_.get(); }
  std::span<const std::byte> value() const { return parcel_.bytes(); }

  // What it is to be run with; and its end, for whoever runs it otherwise than by calling its
  // function: a simulation. REQUIRES: the caller holds the claim, and calls finish() and deliver()
  // afterwards.
  std::span<const std::byte> arguments() const;
  void store(codec::Bytes value);
  void store(Failure failure) { failure_ = std::make_unique<Failure>(std::move(failure)); }

  // What few jobs have. The courier's until the job is queued and once it is completed; the
  // execution's between.
  struct Blobs {
    // Not here yet: it is not to be begun.
    std::vector<std::pair<Luggage::Place, BlobId>> missing;
    std::vector<Luggage::Item> arrived;  // with the arguments
    std::vector<Luggage::Item> result;   // what belongs to the result
  };
  std::unique_ptr<Blobs> blobs;
  Blobs& make_blobs() {
    if (!blobs) blobs = std::make_unique<Blobs>();
    return *blobs;
  }

  const NodeId owner;
  const std::uint64_t number;     // of the loan
  std::uint64_t link = 0;         // by which it came; this and the next six are the courier's
  std::size_t bytes = 0;          // what it counts for, of what its owner may lend to this node
  void* owners_record = nullptr;  // what the courier knows of its link; while it is on its list
  std::size_t place_in_list = 0;
  bool given_up = false;      // it went back before its end
  bool orphan = false;        // nobody waits for its result any more
  bool seen_running = false;  // a period ago it ran already
  bool placed = false;        // here and nowhere else: it is not given back to be run by others

 private:
  void keep(codec::Bytes& value);
  static Ran run_borrowed(Job& job) noexcept;
  static void store_failure(Job& job, Failure&& failure);
  static const Failure* find_failure(const Job& job) {
    return static_cast<const BorrowedJob&>(job).failure();
  }
  static void deliver_home(Job& job) noexcept;
  static void destroy(Job* job) noexcept;
  static const JobKind kKind;

  Parcel parcel_;                      // its arguments until it has been run, its value afterwards
  std::unique_ptr<EncodedTask> task_;  // from its begin to its end, if it is a coroutine
  std::unique_ptr<Failure> failure_;
  Desk& desk_;
#ifdef PP_RULES_CAN_BREAK
  const Counted counted_{};
#endif
};

}  // namespace pp::runtime
