// DaemonSearch: whom to dial, whom to take, and the table of both.
#include "daemon_search.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <utility>

#include "obituary.hpp"
#include "report_line.hpp"

namespace pp::tools::daemon {

DaemonSearch::DaemonSearch(unsigned wanted, std::string machine, Limits limits, Time start)
    : wanted_(wanted), machine_(std::move(machine)), limits_(limits), start_(start), news_(start) {}

void DaemonSearch::sighted(const std::vector<Address>& addresses,
                           const std::optional<NodeId>& node) {
  if (!node || !found_.contains(*node)) add(addresses, false);
}

void DaemonSearch::add(const std::vector<Address>& addresses, bool hearsay) {
  if (addresses.empty()) return;
  const Address& first = addresses.front();
  if (known_.size() >= limits_.most || !known_.insert(first).second) return;
  instead_[first] = {addresses.begin() + 1, addresses.end()};
  if (hearsay) hearsay_.insert(first);
  due_.push_back(first);
}

std::vector<Address> DaemonSearch::due(Time now) {
  for (const Address& address : due_) {
    under_way_[address] = wanted_ == 0 && hearsay_.contains(address) ? now + limits_.hearsay
                                                                     : start_ + limits_.longest;
  }
  return std::exchange(due_, {});
}

bool DaemonSearch::waits_for_answers(Time now) const {
  return !due_.empty() || std::any_of(under_way_.begin(), under_way_.end(),
                                      [now](const auto& one) { return now < one.second; });
}

void DaemonSearch::answered(const NodeId& node, const std::string& name, const Address& at,
                            const Profile& profile, Time now) {
  under_way_.erase(at);
  for (const std::string& other : profile.others) {
    try {
      add({Address::parse(other)}, true);
    } catch (const std::exception&) {  // no address: its loss
    }
  }
  if (found_.contains(node)) return;
  news_ = now;
  found_[node] = {node,
                  printable(name, 64),
                  at,
                  profile,
                  std::chrono::duration_cast<std::chrono::milliseconds>(now - start_),
                  judge(profile)};
}

std::string DaemonSearch::judge(const Profile& profile) const {
  if (profile.protocol != kProtocol)
    return "it is pp " + printable(profile.version, 32) + ", which speaks otherwise";
  if (profile.machine != machine_)
    return "it is for " + printable(profile.machine, 32) + " programs, this machine for " +
           machine_;
  if (profile.share == 0) return printable(profile.why);
  return {};
}

void DaemonSearch::failed(const Address& address, const std::string& why) {
  if (under_way_.erase(address) == 0) return;
  std::vector<Address> others = std::exchange(instead_[address], {});
  const auto fresh = std::find_if(others.begin(), others.end(),
                                  [this](const Address& other) { return !known_.contains(other); });
  if (fresh == others.end()) {
    failures_[address] = printable(why);
  } else {
    add({fresh, others.end()}, false);
  }
}

std::size_t DaemonSearch::usable() const {
  return static_cast<std::size_t>(std::count_if(
      found_.begin(), found_.end(), [](const auto& found) { return found.second.usable(); }));
}

bool DaemonSearch::finished(Time now) const {
  if (now >= start_ + limits_.longest) return true;
  if (!limits_.listens && !waits_for_answers(now)) return true;
  if (wanted_ != 0) return usable() >= wanted_;
  return usable() > 0 && !waits_for_answers(now) && now >= start_ + limits_.shortest &&
         now >= news_ + limits_.quiet;
}

Time DaemonSearch::next_due() const {
  const Time last = start_ + limits_.longest;
  if (!due_.empty()) return start_;
  if (limits_.listens && (wanted_ != 0 || usable() == 0)) return last;
  Time answers = std::max(start_ + limits_.shortest, news_ + limits_.quiet);
  for (const auto& [address, until] : under_way_) answers = std::max(answers, until);
  return std::min(last, answers);
}

std::vector<DaemonSearch::Found> DaemonSearch::chosen() const {
  std::vector<Found> chosen;
  for (const auto& [node, found] : found_) {
    if (found.usable()) chosen.push_back(found);
  }
  std::sort(chosen.begin(), chosen.end(), [](const Found& a, const Found& b) {
    if (a.profile.share != b.profile.share) return a.profile.share > b.profile.share;
    return std::tie(a.name, a.address) < std::tie(b.name, b.address);
  });
  if (wanted_ != 0 && chosen.size() > wanted_) chosen.resize(wanted_);
  return chosen;
}

std::string DaemonSearch::table() const {
  std::vector<const Found*> rows;
  for (const auto& [node, found] : found_) rows.push_back(&found);
  std::sort(rows.begin(), rows.end(), [](const Found* a, const Found* b) {
    return std::tie(a->name, a->address) < std::tie(b->name, b->address);
  });
  std::size_t name_width = 6, address_width = 7;
  for (const Found* row : rows) {
    name_width = std::max(name_width, row->name.size());
    address_width = std::max(address_width, row->address.to_string().size());
  }
  std::ostringstream out;
  const auto line = [&](const std::string& name, const std::string& address, const auto& workers,
                        const auto& share, const auto& launches, const std::string& memory,
                        const std::string& note) {
    out << "  " << std::left << std::setw(static_cast<int>(name_width)) << name << "  "
        << std::setw(static_cast<int>(address_width)) << address << "  " << std::right
        << std::setw(7) << workers << "  " << std::setw(5) << share << "  " << std::setw(8)
        << launches << "  " << std::setw(8) << memory << (note.empty() ? "" : "  ") << note << '\n';
  };
  line("daemon", "address", "workers", "share", "launches", "memory", "");
  for (const Found* row : rows) {
    line(row->name, row->address.to_string(), row->profile.workers, row->profile.share,
         row->profile.leases, row->profile.memory == 0 ? "-" : memory_in_words(row->profile.memory),
         row->why_not);
  }
  for (const auto& [address, why] : failures_)
    out << "  no answer from " << address.to_string() << ": " << why << '\n';
  return out.str();
}

}  // namespace pp::tools::daemon
