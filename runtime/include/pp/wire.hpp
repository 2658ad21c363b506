// The wire form's sizes: what a type occupies in bytes, known at compile time.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <pp/travels.hpp>

#pragma GCC visibility push(default)

namespace pp::codec {

// Rules: little-endian, no alignment, fixed widths (`long` is 64 bits everywhere, `int` 32), bool
// is a byte of 0 or 1, numbers of elements are 64 bits, a struct is its fields in order. What has
// nothing to say (an empty struct, std::monostate) takes no byte, except as an element.
//
// The bound on memory: decoding never allocates more than kMaxGrowth times the bytes that arrived.
// It holds by construction: an element of a container occupies at least (its memory / kMaxGrowth)
// bytes on the wire, if need be by a constant number of zeros after it (`filler_of`). So a number
// of elements can be refused before anything is allocated, and what is accepted may be reserved at
// once.
inline constexpr std::size_t kMaxGrowth = 16;

inline constexpr std::size_t kVaries = std::numeric_limits<std::size_t>::max();

template <class T>
inline constexpr std::size_t kScalarWidth = std::is_same_v<T, long> ||
                                                    std::is_same_v<T, unsigned long>
                                                ? 8
                                                : sizeof(T);

template <class T>
struct ArrayLength : std::integral_constant<std::size_t, 1> {};
template <class T, std::size_t n>
struct ArrayLength<std::array<T, n>> : std::integral_constant<std::size_t, n> {};

constexpr std::size_t plus(std::size_t a, std::size_t b) {
  return a == kVaries || b == kVaries ? kVaries : a + b;
}

template <class T>
constexpr std::size_t fixed_size();

template <class... Parts>
constexpr std::size_t sum_of_fixed(Types<Parts...>) {
  std::size_t sum = 0;
  ((sum = plus(sum, fixed_size<Parts>())), ...);
  return sum;
}

// The wire size that every value of T has, or kVaries.
template <class T>
constexpr std::size_t fixed_size() {
  using Parts = typename Shape<T>::Parts;
  if constexpr (kKind<T> == Kind::kScalar) return kScalarWidth<T>;
  if constexpr (kKind<T> == Kind::kEnum || kKind<T> == Kind::kTime || kKind<T> == Kind::kProduct ||
                kKind<T> == Kind::kAggregate)
    return sum_of_fixed(Parts{});
  if constexpr (kKind<T> == Kind::kArray) {
    if constexpr (ArrayLength<T>::value == 0) return 0;
    return sum_of_fixed(Parts{}) == kVaries ? kVaries
                                            : ArrayLength<T>::value * sum_of_fixed(Parts{});
  }
  return kVaries;
}

template <class T>
constexpr std::size_t least_size();

template <class... Parts>
constexpr std::size_t sum_of_least(Types<Parts...>) {
  return (std::size_t{0} + ... + least_size<Parts>());
}
template <class... Parts>
constexpr std::size_t least_of_least(Types<Parts...>) {
  std::size_t least = kVaries;
  ((least = least_size<Parts>() < least ? least_size<Parts>() : least), ...);
  return least;
}

// No value of T is shorter than this on the wire.
template <class T>
constexpr std::size_t least_size() {
  using Parts = typename Shape<T>::Parts;
  switch (kKind<T>) {
    case Kind::kScalar:
      return kScalarWidth<T>;
    case Kind::kSequence:
    case Kind::kSet:
    case Kind::kMap:
      return 8;
    case Kind::kOptional:
    case Kind::kBox:
      return 1;
    case Kind::kNone:
    case Kind::kUser:
      return 0;
    case Kind::kArray:
      if constexpr (kKind<T> == Kind::kArray) return ArrayLength<T>::value * sum_of_least(Parts{});
      return 0;
    case Kind::kVariant:
      if constexpr (kKind<T> == Kind::kVariant) return 1 + least_of_least(Parts{});
      return 0;
    case Kind::kEnum:
    case Kind::kTime:
    case Kind::kProduct:
    case Kind::kAggregate:
      if constexpr (kKind<T> == Kind::kEnum || kKind<T> == Kind::kTime ||
                    kKind<T> == Kind::kProduct || kKind<T> == Kind::kAggregate)
        return sum_of_least(Parts{});
      return 0;
  }
  return 0;
}

template <class T>
constexpr std::size_t hidden_heap();

template <class... Parts>
constexpr std::size_t sum_of_hidden(Types<Parts...>) {
  return (std::size_t{0} + ... + hidden_heap<Parts>());
}

// What an object of T allocates when it is merely constructed (an empty std::deque does).
template <class T>
constexpr std::size_t hidden_heap() {
  using Parts = typename Shape<T>::Parts;
  if constexpr (kKind<T> == Kind::kArray)
    return ArrayLength<T>::value * sum_of_hidden(Parts{});
  else if constexpr (kKind<T> == Kind::kProduct || kKind<T> == Kind::kAggregate ||
                     kKind<T> == Kind::kOptional || kKind<T> == Kind::kVariant)
    return sum_of_hidden(Parts{});
  else
    return Shape<T>::hidden;
}

// How many zeros follow each element (of these parts) in a container or box with this `node`.
template <std::size_t node, class... Parts>
constexpr std::size_t filler_of(Types<Parts...>) {
  constexpr std::size_t memory = (node + ... + (sizeof(Parts) + hidden_heap<Parts>()));
  constexpr std::size_t needed = (memory + kMaxGrowth - 1) / kMaxGrowth;
  constexpr std::size_t least = (std::size_t{0} + ... + least_size<Parts>());
  return needed > least ? needed - least : 0;
}
template <class Container>
inline constexpr std::size_t kFiller =
    filler_of<Shape<Container>::node>(typename Shape<Container>::Parts{});

// The least an element of the container occupies: at least 1.
template <class Container>
inline constexpr std::size_t kElementLeast =
    sum_of_least(typename Shape<Container>::Parts{}) + kFiller<Container>;

template <class T>
constexpr bool same_in_memory(bool trust_bool);

template <class... Parts>
constexpr bool all_same_in_memory(Types<Parts...>, [[maybe_unused]] bool trust_bool) {
  return (same_in_memory<Parts>(trust_bool) && ...);
}

// True if the wire form is the object's own bytes: such values are copied in bulk. A bool that
// arrives must be looked at first, one that leaves can be trusted.
template <class T>
constexpr bool same_in_memory([[maybe_unused]] bool trust_bool) {
  if constexpr (std::endian::native != std::endian::little || !std::is_trivially_copyable_v<T>)
    return false;
  else if constexpr (kKind<T> == Kind::kScalar)
    return kScalarWidth<T> == sizeof(T) && (trust_bool || !std::is_same_v<T, bool>);
  else if constexpr (kKind<T> == Kind::kEnum || kKind<T> == Kind::kArray ||
                     kKind<T> == Kind::kAggregate)
    return fixed_size<T>() == sizeof(T) &&
           all_same_in_memory(typename Shape<T>::Parts{}, trust_bool);
  else
    return false;
}
template <class T>
inline constexpr bool kCopiesOut = same_in_memory<T>(true);
template <class T>
inline constexpr bool kCopiesIn = same_in_memory<T>(false);

// True if a user's own cereal function may be called somewhere inside a T.
template <class T, class... Path>
constexpr bool needs_archive();
template <class... Path, class... Parts>
constexpr bool any_needs_archive(Types<Parts...>) {
  return (needs_archive<Parts, Path...>() || ...);
}
template <class T, class... Path>
constexpr bool needs_archive() {
  if constexpr ((std::is_same_v<T, Path> || ...))
    return false;
  else if constexpr (kKind<T> == Kind::kUser)
    return true;
  else
    return any_needs_archive<T, Path...>(typename Shape<T>::Parts{});
}

}  // namespace pp::codec

#pragma GCC visibility pop
