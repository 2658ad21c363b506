// BorrowedJob: a job that another node lent us; it knows its function by number and its arguments
// as bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <pp/codec.hpp>
#include <pp/job.hpp>
#include <pp/task.hpp>
#include <pp/transport.hpp>
#include <span>
#include <string>
#include <variant>

namespace pp::runtime {

using transport::SessionId;

// The most that a job's arguments or its result may take encoded. A message could hold twice as
// much, but copying that keeps a courier silent for so long that its peers take it for dead: what
// is larger stays at home.
inline constexpr std::size_t kMostEncoded = std::size_t{1} << 29;
static_assert(kMostEncoded < transport::kMaxMessage / 2);

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
  };

  // `function` and `desk` must outlive it.
  BorrowedJob(SessionId lender_, std::uint64_t number_, std::uint32_t attempt_,
              const Function& function_, std::span<const std::byte> arguments, Desk& desk)
      : Job(kKind, &function_, 1),
        lender(lender_),
        number(number_),
        arguments_(arguments.begin(), arguments.end()),
        desk_(desk) {
    attempt = attempt_;
  }

  using Outcome = std::variant<codec::Bytes, Failure>;

  // After it was completed.
  Outcome& outcome() { return outcome_; }

  const SessionId lender;
  const std::uint64_t number;
  std::size_t place_in_list = 0;  // the courier's
  bool given_up = false;          // the courier's: it went back before its end
  bool placed = false;            // here and nowhere else: it is not given back to be run by others

 private:
  static Ran run_borrowed(Job& job) noexcept;
  static void store_failure(Job& job, Failure&& failure);
  static void deliver_home(Job& job) noexcept;
  static void destroy(Job* job) noexcept;
  static const JobKind kKind;

  const codec::Bytes arguments_;
  std::unique_ptr<EncodedTask> task_;  // from its begin to its end, if it is a coroutine
  Outcome outcome_;
  Desk& desk_;
};

}  // namespace pp::runtime
