// Function table: sorts what registered itself before main, and gives it numbers.
#include <sodium.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <pp/function_table.hpp>

namespace pp::runtime {
namespace {

// The functions registered so far, linked through `next`; constant-initialised, because they come
// before main in any order. seal() puts the address of `sealed_mark` here: whoever finds it is
// late.
constinit std::atomic<Function*> registered{nullptr};
constinit Function sealed_mark{};

std::uint64_t first_8_bytes(const unsigned char* hash) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | hash[i];
  return value;
}

std::uint64_t id_of(std::string_view key) {
  unsigned char hash[crypto_generichash_BYTES];
  crypto_generichash(hash, sizeof hash, reinterpret_cast<const unsigned char*>(key.data()),
                     key.size(), nullptr, 0);
  return first_8_bytes(hash);
}

std::uint64_t fingerprint_of(const std::vector<Function*>& by_key) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, crypto_generichash_BYTES);
  for (const Function* function : by_key) {
    if (!function->travels) continue;
    codec::Bytes line;
    codec::encode(line, std::pair(std::string(function->key), function->signature));
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(line.data()),
                              line.size());
  }
  unsigned char hash[crypto_generichash_BYTES];
  crypto_generichash_final(&state, hash, sizeof hash);
  return first_8_bytes(hash);
}

}  // namespace

bool FunctionTable::add(Function& function, const char* key) {
  function.key = key;
  // 1. Link it in front of those seen. Release: pairs with the acquire of seal(); publishes
  // *function.
  Function* seen = registered.load(std::memory_order_relaxed);
  do {
    if (seen == &sealed_mark) {
      function.standing = Function::Standing::kLate;
      return false;
    }
    function.next = seen;
  } while (!registered.compare_exchange_weak(seen, &function, std::memory_order_release,
                                             std::memory_order_relaxed));
  return true;
}

const FunctionTable& FunctionTable::seal() {
  // Acquire: pairs with the release in add(), sees every function linked before.
  static const FunctionTable table(registered.exchange(&sealed_mark, std::memory_order_acquire));
  if (!table.clash_.empty()) throw Error(table.clash_);
  return table;
}

FunctionTable::FunctionTable(Function* head) {
  std::vector<Function*> by_key;
  for (Function* function = head; function != nullptr; function = function->next)
    by_key.push_back(function);
  std::sort(by_key.begin(), by_key.end(),
            [](const Function* a, const Function* b) { return a->key < b->key; });

  for (auto first = by_key.begin(); first != by_key.end();) {
    const auto next = std::find_if(first, by_key.end(), [first](const Function* other) {
      return other->key != (*first)->key;
    });
    const bool one = next - first == 1;
    for (; first != next; ++first) {
      (*first)->id = id_of((*first)->key);
      (*first)->travels = one;
      (*first)->standing = one ? Function::Standing::kTravels : Function::Standing::kAmbiguous;
      if (one) by_id_.push_back(*first);
    }
  }
  fingerprint_ = fingerprint_of(by_key);

  std::sort(by_id_.begin(), by_id_.end(),
            [](const Function* a, const Function* b) { return a->id < b->id; });
  clash_ = clash_among(by_id_);
}

std::string FunctionTable::clash_among(std::span<const Function* const> by_id) {
  const auto same =
      std::adjacent_find(by_id.begin(), by_id.end(),
                         [](const Function* a, const Function* b) { return a->id == b->id; });
  if (same == by_id.end()) return "";
  return "the functions " + std::string((*same)->name) + " and " +
         std::string((*std::next(same))->name) +
         " have the same 64-bit id by accident; rename one of them";
}

const Function* FunctionTable::find(std::uint64_t id) const {
  const auto at = std::lower_bound(
      by_id_.begin(), by_id_.end(), id,
      [](const Function* function, std::uint64_t wanted) { return function->id < wanted; });
  return at != by_id_.end() && (*at)->id == id ? *at : nullptr;
}

std::string why_it_stays(const Function& function) {
  const std::string name(function.name);
  switch (function.standing) {
    case Function::Standing::kTravels:
      return "";
    case Function::Standing::kRegistered:
      return name + " cannot travel yet: the function table is sealed by the first pp::Runtime";
    case Function::Standing::kAmbiguous:
      return name +
             " runs on this node only: two source files have a function of this name that is "
             "static, "
             "in an unnamed namespace or a lambda in such a function; rename it or put it into a "
             "named namespace";
    case Function::Standing::kLate:
      return name +
             " runs on this node only: it was registered after the first pp::Runtime started; load "
             "plug-ins before that, and link pp as a shared library to program and plug-in";
  }
  return "";
}

}  // namespace pp::runtime
