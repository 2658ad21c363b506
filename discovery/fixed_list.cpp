// FixedList: addresses that somebody wrote down, told once.
#include <pp/discovery.hpp>
#include <utility>

namespace pp::discovery {

FixedList::FixedList(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}

void FixedList::poll(Time, Listener& listener) {
  if (std::exchange(told_, true)) return;
  for (const Address& address : addresses_) listener.sighted({{address}, {}, true, false});
}

Time FixedList::next_due(Time now) const { return told_ || addresses_.empty() ? Time::max() : now; }

}  // namespace pp::discovery
