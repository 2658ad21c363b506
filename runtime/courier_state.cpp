// Courier: what this node has open with others, told to people.
#include <algorithm>

#include "courier.hpp"
#include "in_seconds.hpp"
#include "particulars.hpp"

namespace pp::runtime {

namespace {

// Nobody reads more lines about one function.
constexpr std::size_t kMostLoansTold = 50;

bool is_meant(const Job& job, std::string_view wanted) {
  return job.function != nullptr && (title_of(job).find(wanted) != std::string::npos ||
                                     std::to_string(job.id).starts_with(wanted));
}

}  // namespace

std::string Courier::describe(Clock::time_point deadline, std::string_view job) {
  std::uint64_t before = 0;
  {
    auto board = board_.lock();
    before = board->described;
    board->asked_about = job;
  }
  description_due_.store(true, std::memory_order_relaxed);
  wake();
  auto board = board_.lock();
  const bool told =
      board.wait_until(board_changed_, deadline, [&] { return board->described != before; });
  return told ? board->description : "  the network thread does not answer\n";
}

void Courier::describe_if_asked() {
  if (!description_due_.load(std::memory_order_relaxed)) return;
  description_due_.store(false, std::memory_order_relaxed);
  std::string job = board_.lock()->asked_about;
  std::string description = this->description(job);
  auto board = board_.lock();
  board->description = std::move(description);
  ++board->described;
  board_changed_.notify_all();
}

std::string Courier::description(std::string_view job) const {
  const auto count = [](std::size_t n, const char* what) {
    return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
  };
  std::string lines;
  if (!job.empty()) {
    const auto wanted = [job](const Job& one) { return is_meant(one, job); };
    for (const Ledger::Lent& loan : ledger_.lent(wanted, kMostLoansTold)) {
      const auto link = links_.find(loan.borrower);
      lines += "  " + title_of(*loan.job) + " (number " + std::to_string(loan.job->id) +
               ", attempt " + std::to_string(loan.job->attempt) + ") is lent to " +
               (link == links_.end() ? loan.borrower.short_name() : link->second.name) + " since " +
               in_seconds(now_ - loan.since) +
               (loan.trial ? ", alone there: nodes have died with it" : "") + '\n';
    }
    for (const BorrowedJob* one : borrowed_open_) {
      if (!is_meant(*one, job)) continue;
      const auto link = links_.find(one->owner);
      lines += "  " + title_of(*one) + " (number " + std::to_string(one->id) + ", attempt " +
               std::to_string(one->attempt) + ") is borrowed from " +
               (link == links_.end() ? one->owner.short_name() : link->second.name) + " and " +
               (one->queued() ? "waits to be begun" : "has begun") + " here\n";
    }
  }
  for (const auto& [node, link] : links_) {
    std::string line;
    const auto add = [&](const std::string& part) { line += (line.empty() ? "" : "; ") + part; };
    if (const auto oldest = ledger_.oldest(node)) {
      add(count(ledger_.open(node), "job") + " lent to it, the oldest " + title_of(*oldest->job) +
          " (attempt " + std::to_string(oldest->job->attempt) + ") since " +
          in_seconds(now_ - oldest->since));
    }
    if (link.borrowed > 0) {
      std::size_t running = 0;
      for (const BorrowedJob* job : borrowed_open_)
        running += job->owner == node && !job->queued() ? 1u : 0u;
      add(count(link.borrowed, "job") + " borrowed from it, " + std::to_string(running) + " begun");
    }
    if (!link.link.kept().empty()) {
      add(count(link.link.kept().size(), "message") + " (" +
          std::to_string(link.link.kept_bytes()) + " bytes) not acknowledged by it");
    }
    const PeerRecord* record = nullptr;
    if (link.session) {
      const auto entry = peers_.find(*link.session);
      record = entry == peers_.end() ? nullptr : &entry->second;
    }
    if (!link.attached) add("no session with it since " + in_seconds(now_ - link.apart));
    if (record != nullptr) {
      if (record->asked)
        add("asked for work " + in_seconds(now_ - *record->asked) + " ago, no answer yet");
      if (const std::size_t backlog = transport_->backlog(*link.session); backlog > 0)
        add(std::to_string(backlog) + " bytes wait for its network");
      if (record->left) add("it has said goodbye");
    }
    if (!line.empty()) lines += "  " + link.name + ": " + line + '\n';
  }
  for (const Suspect& suspect : suspects_) {
    lines += "  " + title_of(*suspect.job) + " waits since " + in_seconds(now_ - suspect.since) +
             " for a node to be tried on alone: " + find_particulars(*suspect.job)->losses + '\n';
  }
  for (const auto& [node, since] : awaited_)
    lines += "  jobs wait for the node " + node.short_name() + ", which has never been here\n";
  lines += "  " + count(neighbourhood_.present(), "other member") + ", " +
           count(peers_.size(), "session") + ", " + count(victim_.parked().size(), "request") +
           " for work waiting here\n";
  if (stage_ != Stage::kHere) lines += "  this node is leaving\n";
  return lines;
}

}  // namespace pp::runtime
