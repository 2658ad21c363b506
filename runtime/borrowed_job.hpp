// BorrowedJob: a job that another node lent us; it knows its function by number and its arguments
// as bytes.
#pragma once

#include <cstdint>
#include <pp/job.hpp>
#include <pp/transport.hpp>
#include <string>
#include <variant>

namespace pp::runtime {

using transport::SessionId;

// A borrowed job that was run, on its way home.
struct Completed {
  SessionId lender{};
  std::uint64_t number = 0;
  std::variant<codec::Bytes, Failure> outcome;
};

// Decoded on the worker that runs it, so that no user code runs on the courier.
class BorrowedJob final : public Job {
 public:
  // Where results go. Any thread.
  class Desk {
   public:
    virtual ~Desk() = default;
    virtual void begun() = 0;
    virtual void completed(Completed completed) = 0;
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

  const SessionId lender;
  const std::uint64_t number;

 private:
  static void run_borrowed(Job& job) noexcept;
  static void deliver_home(Job& job) noexcept;
  static void destroy(Job* job) noexcept;
  static constexpr JobKind kKind{
      &BorrowedJob::run_borrowed, nullptr, nullptr, nullptr, &BorrowedJob::deliver_home,
      &BorrowedJob::destroy};

  const codec::Bytes arguments_;
  std::variant<codec::Bytes, Failure> outcome_;
  Desk& desk_;
};

}  // namespace pp::runtime
