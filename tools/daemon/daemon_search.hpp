// DaemonSearch: which node daemons answer, and when enough have.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <pp/address.hpp>
#include <pp/node_id.hpp>
#include <set>
#include <string>
#include <vector>

#include "daemon_messages.hpp"
#include "farewell.hpp"

namespace pp::tools::daemon {

// Told what is sighted and what answers, it says whom to dial and when to stop looking: when as
// many as are wanted have answered; or, if any number will do, when nobody new has answered for a
// moment; or when nobody is left who could answer; or when the time is up. It opens nothing and
// reads no clock. One thread.
class DaemonSearch {
 public:
  struct Limits {
    std::chrono::milliseconds longest{3000};
    // Beacons go out at 0, 50 and 250 ms and are answered within 20.
    std::chrono::milliseconds shortest{300};
    std::chrono::milliseconds quiet{120};
    // An address that only another daemon told of is waited for so long, if any number will do: who
    // was there may be gone.
    std::chrono::milliseconds hearsay{1000};
    std::size_t most = 1024;  // addresses that are tried
    bool listens = true;      // those nobody has named may still make themselves known
  };

  // `wanted` 0: all that there are.
  DaemonSearch(unsigned wanted, std::string machine, Limits limits, Time start);

  // Ways to one daemon, the most promising first; or an address that somebody wrote down.
  void sighted(const std::vector<Address>& addresses, const std::optional<NodeId>& node);
  // To be dialled now.
  std::vector<Address> due(Time now);
  void answered(const NodeId& node, const std::string& name, const Address& at,
                const Profile& profile, Time now);
  // A dial to it came to nothing.
  void failed(const Address& address, const std::string& why);

  bool finished(Time now) const;
  // When finished() may change although nothing happens.
  Time next_due() const;

  struct Found {
    NodeId node;
    std::string name;
    Address address;
    Profile profile;
    std::chrono::milliseconds after{0};
    std::string why_not;  // empty: it can be used

    bool usable() const { return why_not.empty(); }
  };
  std::size_t usable() const;
  // Those to use, those with most to give first; as many as are wanted at most.
  std::vector<Found> chosen() const;
  // A line for each that was found, and those that could not be reached.
  std::string table() const;
  bool nobody() const { return found_.empty() && failures_.empty(); }

 private:
  void add(const std::vector<Address>& addresses, bool hearsay);
  bool waits_for_answers(Time now) const;
  std::string judge(const Profile& profile) const;

  const unsigned wanted_;
  const std::string machine_;
  const Limits limits_;
  const Time start_;
  Time news_;
  std::set<Address> known_;
  std::vector<Address> due_;
  std::set<Address> hearsay_;
  std::map<Address, Time> under_way_;                // waited for until then
  std::map<Address, std::vector<Address>> instead_;  // other ways, if the first one fails
  std::map<NodeId, Found> found_;
  std::map<Address, std::string> failures_;
};

}  // namespace pp::tools::daemon
