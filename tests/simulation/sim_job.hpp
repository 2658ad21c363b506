// SimJob: a job of a simulated node, with a script in place of code; it travels as any other.
#pragma once

#include <cstdint>
#include <memory>
#include <pp/codec.hpp>
#include <pp/job.hpp>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "borrowed_job.hpp"
#include "script.hpp"

namespace pp::simulation {

class SimNode;

// What a borrower has to know of it.
struct Errand {
  std::uint32_t serial =
      0;  // of the job in the history: one per owner's job, whatever its attempts
  std::uint64_t id = 0;
  std::uint32_t depth = 0;
  bool once = false;
};

using Outcome = std::variant<std::uint64_t, runtime::Failure>;

class SimJob final : public runtime::Job, private runtime::Watcher {
 public:
  using Job::done;
  // A job of `owner`; `parent` is the number of the execution there that waits for it, 0 for none.
  // One reference for the queue, one for whoever made it.
  SimJob(SimNode& owner, Errand errand, Script script, std::uint64_t parent);

  // From now on the owner is told when it is done.
  void watch() { runtime::watch(*this, *this); }

  SimNode& owner() const { return owner_; }
  const Errand& errand() const { return errand_; }
  const Script& script() const { return script_; }
  std::uint64_t parent() const { return parent_; }
  // REQUIRES: done().
  const Outcome& outcome() const { return outcome_; }
  unsigned times_stored() const { return times_stored_; }
  void store(Outcome outcome);
  // What was encoded last: a part of it may be sent from where it lies.
  void keep(std::shared_ptr<const void> arguments) const { arguments_ = std::move(arguments); }

 private:
  ~SimJob();
  void done(Job& job) noexcept override;

  static const runtime::JobKind kKind;

  SimNode& owner_;
  const Errand errand_;
  const Script script_;
  const std::uint64_t parent_;
  Outcome outcome_;
  unsigned times_stored_ = 0;
  mutable std::shared_ptr<const void> arguments_;
};

// The function that all of them name.
const runtime::Function& errand_function();
Errand errand_of(const runtime::BorrowedJob& job);
// What a message says of it, where its large arguments are not.
Errand errand_of(std::span<const std::byte> arguments);
// A value, with so many bytes that only travel.
codec::Bytes encoded(std::uint64_t value, std::size_t padding);

}  // namespace pp::simulation
