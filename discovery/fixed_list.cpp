// FixedList: addresses that somebody wrote down, told once.
#include <pp/discovery.hpp>
#include <utility>

namespace pp::discovery {

FixedList::FixedList(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}

std::vector<Address> FixedList::poll(Time) {
  if (std::exchange(told_, true)) return {};
  return addresses_;
}

Time FixedList::next_due(Time now) const { return told_ || addresses_.empty() ? Time::max() : now; }

}  // namespace pp::discovery
