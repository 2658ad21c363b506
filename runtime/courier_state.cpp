// Courier: what this node has open with others, told to people.
#include <algorithm>

#include "courier.hpp"
#include "in_seconds.hpp"
#include "particulars.hpp"

namespace pp::runtime {

std::string Courier::describe(Clock::time_point deadline) {
  const std::uint64_t before = board_.lock()->described;
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
  std::string description = this->description();
  auto board = board_.lock();
  board->description = std::move(description);
  ++board->described;
  board_changed_.notify_all();
}

std::string Courier::description() const {
  const auto count = [](std::size_t n, const char* what) {
    return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
  };
  std::string lines;
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
