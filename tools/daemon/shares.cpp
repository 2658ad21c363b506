// Fair shares, by filling up whoever wants least first.
#include "shares.hpp"

#include <algorithm>
#include <numeric>

namespace pp::tools::daemon {

std::vector<unsigned> fair_shares(unsigned workers, std::span<const unsigned> wants) {
  std::vector<unsigned> shares(wants.size(), 0);
  const auto want = [&](std::size_t i) {
    return wants[i] == 0 ? workers : std::min(workers, wants[i]);
  };
  std::vector<std::size_t> order(wants.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return want(a) != want(b) ? want(a) < want(b) : a < b;
  });
  unsigned left = workers;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto others = static_cast<unsigned>(order.size() - i);
    const unsigned even = (left + others - 1) / others;  // the first of equals get what is over
    shares[order[i]] = std::max(1u, std::min(want(order[i]), even));
    left -= std::min(left, shares[order[i]]);
  }
  return shares;
}

}  // namespace pp::tools::daemon
