// Recent: a table of limited size that forgets what was longest unused.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

namespace pp::discovery {

// Strangers choose the keys, so the table must not grow with them.
template <class Key, class Value>
class Recent {
 public:
  explicit Recent(std::size_t limit) : limit_(limit) {}

  // Null if it is not known. Looking is no use: a replayed beacon keeps nothing alive.
  Value* find(const Key& key) {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }

  // The value of `key`, made if it is new; from now on the most recently used.
  Value& use(const Key& key) {
    const auto found = places_.find(key);
    if (found != places_.end()) {
      order_.splice(order_.begin(), order_, found->second);
    } else {
      if (places_.size() >= limit_) {
        places_.erase(order_.back().first);
        order_.pop_back();
      }
      order_.emplace_front(key, Value{});
      places_.emplace(key, order_.begin());
    }
    return order_.front().second;
  }

  std::size_t size() const { return places_.size(); }

 private:
  using Order = std::list<std::pair<Key, Value>>;

  const std::size_t limit_;
  Order order_;  // the most recently used first
  std::unordered_map<Key, typename Order::iterator> places_;
};

}  // namespace pp::discovery
