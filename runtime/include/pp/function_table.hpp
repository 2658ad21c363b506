// Function table: every function that may run on another node, and the number by which nodes name
// it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <pp/blob.hpp>
#include <pp/callable.hpp>
#include <pp/codec.hpp>
#include <pp/fingerprint.hpp>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::runtime {

class EncodedTask;

// Whether what the function returns must be run to its end before there is a result: a pp::Task.
template <class Callable>
inline constexpr bool kIsCoroutine =
    !std::is_same_v<result_of<Callable>, std::decay_t<typename SignatureOf<Callable>::Returned>>;

// In task.hpp, which whoever returns a task has included.
template <class Callable>
std::unique_ptr<EncodedTask> begin_task(std::span<const std::byte> arguments);

// One function that may travel. It lives as long as the program, has one address, and is complete
// once the table is sealed; after that nobody changes it.
struct Function {
  std::string_view name;    // for people
  std::string_view key;     // its identity: the mangled name
  std::uint64_t id;         // what travels: the first 8 bytes of BLAKE2b(key); 0 before seal()
  std::uint64_t signature;  // fingerprint of argument and result types

  // Decodes the arguments, calls, appends the encoded result (nothing for void). What the function
  // throws passes through; DecodeError if the bytes are not arguments of this function. Any thread.
  void (*run_encoded)(std::span<const std::byte> arguments, codec::Bytes& result);

  bool travels;  // false: it runs on this node only; why_it_stays() says why

  enum class Standing {
    kRegistered,  // not sealed yet
    kTravels,
    kAmbiguous,  // another function has the same key: internal linkage in two files
    kLate,       // registered after the table was sealed: a plug-in
  } standing;
  Function* next;  // the table's, until it is sealed

  // Of a function that returns a pp::Task, in place of run_encoded, which is null then: decodes the
  // arguments and makes the coroutine, which has not begun. Null for other functions.
  std::unique_ptr<EncodedTask> (*begin_encoded)(std::span<const std::byte> arguments) = nullptr;

  // Arguments and result have a fixed size: nothing belongs to them beside their bytes.
  bool plain = false;
};

// All functions of this program, in an order that every build of the same sources agrees on. Filled
// before main by the function_of<...>() that appear in the program, called or not; read-only once
// sealed. Any thread.
class FunctionTable {
 public:
  // Fixes the table; the first call computes, every other returns the same. Throws pp::Error if two
  // functions have the same id, naming both.
  static const FunctionTable& seal();

  // The function another node means by `id`; null if there is none or it does not travel.
  const Function* find(std::uint64_t id) const;

  // BLAKE2b over the keys and signatures of all that travel: nodes with equal tables understand
  // each other's jobs.
  std::uint64_t fingerprint() const { return fingerprint_; }

  // Those that travel, by id.
  std::span<const Function* const> all() const { return by_id_; }

  // How many.
  std::size_t size() const { return by_id_.size(); }

  // The sentence about two functions with one id among functions sorted by id; empty if there are
  // none. Public for its test: nobody can make two names that collide.
  static std::string clash_among(std::span<const Function* const> by_id);

  // Called by function_of's registrar only.
  static bool add(Function& function, const char* key);

 private:
  explicit FunctionTable(Function* registered);

  std::vector<const Function*> by_id_;  // sorted
  std::uint64_t fingerprint_ = 0;
  std::string clash_;  // not empty: what seal() throws
};

// The sentence for a function that runs on this node only: what is wrong and what to do. Empty if
// it travels.
std::string why_it_stays(const Function& function);

template <class Callable>
struct Entry {
  using RunEncoded = decltype(Function::run_encoded);
  using BeginEncoded = decltype(Function::begin_encoded);

  static void run_encoded(std::span<const std::byte> arguments, codec::Bytes& result) {
    auto values = decode_arguments<arguments_of<Callable>>(arguments);
    if constexpr (std::is_void_v<result_of<Callable>>)
      std::apply(Callable{}, std::move(values));
    else
      encode_result(result, std::apply(Callable{}, std::move(values)));
  }

  static constexpr RunEncoded how_to_run() {
    if constexpr (kIsCoroutine<Callable>)
      return nullptr;
    else
      return &run_encoded;
  }
  static constexpr BeginEncoded how_to_begin() {
    if constexpr (kIsCoroutine<Callable>)
      return &begin_task<Callable>;
    else
      return nullptr;
  }

  static constexpr bool is_plain() {
    if constexpr (std::is_void_v<result_of<Callable>>)
      return codec::fixed_size<arguments_of<Callable>>() != codec::kVaries;
    else
      return codec::fixed_size<arguments_of<Callable>>() != codec::kVaries &&
             codec::fixed_size<result_of<Callable>>() != codec::kVaries;
  }

  static inline constinit Function function{NameOf<Callable>::value,
                                            {},
                                            0,
                                            codec::mix(codec::fingerprint<arguments_of<Callable>>(),
                                                       codec::fingerprint<result_of<Callable>>()),
                                            how_to_run(),
                                            false,
                                            Function::Standing::kRegistered,
                                            nullptr,
                                            how_to_begin(),
                                            is_plain()};

  // Before main; `function` is constant-initialised, so the order among files does not matter.
  static inline const bool registered = FunctionTable::add(function, typeid(Callable).name());
};

// The table's entry for a function (`Constant<f>`) or a captureless lambda or stateless functor.
// That the call is compiled is what registers it; it need not be reached.
template <class Callable>
const Function& function_of() {
  if constexpr (must_be_callable<Callable>()) {
    [[maybe_unused]] const bool* pin = &Entry<Callable>::registered;
    return Entry<Callable>::function;
  } else {
    std::abort();  // never compiled to the end
  }
}

}  // namespace pp::runtime

#pragma GCC visibility pop
