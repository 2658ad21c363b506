// readable: failures and messages in a line each.
#include "readable.hpp"

#include "messages.hpp"
#include "sim_job.hpp"

namespace pp::simulation {

using runtime::Failure;

std::string name_of(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kThrown:
      return "thrown";
    case Failure::Kind::kNodeLost:
      return "node lost";
    case Failure::Kind::kClosed:
      return "closed";
    case Failure::Kind::kUndecodable:
      return "undecodable";
    case Failure::Kind::kCancelled:
      return "cancelled";
    case Failure::Kind::kTimeout:
      return "timeout";
  }
  return "?";
}

namespace {

class Reader final : private runtime::messages::Listener {
 public:
  static std::string line(std::span<const std::byte> message) {
    Reader reader;
    runtime::messages::decode(message, reader);
    const runtime::messages::Header header = runtime::messages::header_of(message);
    return '[' + std::to_string(header.sequence) + '/' + std::to_string(header.applied) + "] " +
           reader.line_;
  }

 private:
  void on(const runtime::messages::Steal& steal) override {
    line_ = "steal, " + std::to_string(steal.idle) + " idle";
  }
  void on(const runtime::messages::Grant& grant) override {
    line_ = grant.unasked ? "unasked grant of" : "grant of";
    for (const runtime::messages::LentJob& job : grant.jobs) {
      line_ += " #" + std::to_string(job.number) + " (job " +
               std::to_string(errand_of(job.arguments).serial) + ", attempt " +
               std::to_string(job.attempt) + ")";
    }
  }
  void on(const runtime::messages::Redirect& redirect) override {
    line_ = "redirect to " + redirect.owner.short_name();
  }
  void on(const runtime::messages::None& none) override {
    line_ = "none, " + std::to_string(none.queued) + " queued";
  }
  void on(std::span<const runtime::messages::Returned> returned) override {
    line_ = "returned";
    for (const runtime::messages::Returned& one : returned)
      line_ += " #" + std::to_string(one.number) + (one.begun ? " begun" : "") + " " +
               std::string(runtime::messages::to_string(one.reason));
  }
  void on(std::span<const runtime::messages::Result> results) override {
    line_ = "results of";
    for (const runtime::messages::Result& one : results) line_ += " #" + std::to_string(one.number);
  }
  void on(const runtime::messages::Load& load) override {
    line_ = "load: " + std::to_string(load.queued) + " queued, " + std::to_string(load.idle) +
            " of " + std::to_string(load.workers) + " idle";
  }
  void on_leave(std::string_view why) override { line_ = "leave: " + std::string(why); }
  void on_understood() override { line_ = "understood"; }
  void on_cancel(std::span<const std::uint64_t> numbers) override {
    line_ = "cancel";
    for (const std::uint64_t number : numbers) line_ += " #" + std::to_string(number);
  }
  void on(const runtime::messages::Attach& attach) override {
    line_ = "attach " + std::to_string(attach.mine) + " to " + std::to_string(attach.yours) +
            ", applied " + std::to_string(attach.applied);
  }
  void on_begun(std::span<const std::uint64_t> numbers) override {
    line_ = "begun";
    for (const std::uint64_t number : numbers) line_ += " #" + std::to_string(number);
  }
  void on(std::span<const runtime::messages::Want> wants) override {
    line_ = "want";
    for (const runtime::messages::Want& want : wants)
      line_ += ' ' + name(want.id) + '@' + std::to_string(want.at) + '+' +
               std::to_string(want.length) + (want.insist ? "!" : "");
  }
  void on(const runtime::messages::Piece& piece) override {
    line_ = "piece " + name(piece.id) + '@' + std::to_string(piece.at) + '+' +
            std::to_string(piece.bytes.size());
  }
  void on_not_here(const runtime::BlobId& id) override { line_ = "not here: " + name(id); }
  void on(const runtime::messages::Instead& instead) override {
    line_ = "instead: " + name(instead.id) + " from " + instead.node.short_name();
  }
  void on_taken(std::span<const std::uint64_t> numbers) override {
    line_ = "taken";
    for (const std::uint64_t number : numbers) line_ += " #" + std::to_string(number);
  }
  void on(const runtime::messages::Observe&) override { line_ = "observe"; }
  void on(const runtime::messages::Records& records) override {
    line_ = std::to_string(records.records.size()) + " bytes of records";
  }

  static std::string name(const runtime::BlobId& id) {
    unsigned first = 0;
    for (std::size_t i = 0; i < 3; ++i) first = first << 8 | id.hash.bytes[i];
    return std::to_string(first) + '(' + std::to_string(id.size) + ')';
  }

  std::string line_ = "acknowledgement";
};

}  // namespace

std::string line_of(std::span<const std::byte> message) { return Reader::line(message); }

}  // namespace pp::simulation
