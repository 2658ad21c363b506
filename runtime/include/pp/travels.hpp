// Travels: which types may go to another node as a job's argument or result, decided from the type
// alone.
#pragma once

#include <array>
#include <boost/pfr/core.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <pp/archive.hpp>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace pp::codec {

template <class... Ts>
struct Types {};

// How the codec treats a type. A type has exactly one kind; standard containers come before a
// `serialize` that happens to match them, a user's `serialize` before reflection.
enum class Kind {
  kNone,       // does not travel
  kScalar,     // arithmetic
  kEnum,       // as its underlying type
  kArray,      // std::array
  kProduct,    // std::pair, std::tuple: member after member
  kTime,       // std::chrono durations and time points (a steady_clock's says nothing elsewhere)
  kSequence,   // vector, string, deque, list: number of elements, elements
  kSet,        // the same for sets, ordered or not ...
  kMap,        // ... and maps
  kOptional,   // one byte, then perhaps the value
  kBox,        // std::unique_ptr, written like an optional
  kVariant,    // index of the alternative in one byte, then its value
  kUser,       // the type's own cereal functions: serialize, save/load, save_minimal/load_minimal
  kAggregate,  // plain struct: field after field, by Boost.PFR
};

// --- standard types ---

// `node` is what one element costs on the heap besides itself, `hidden` what an empty one allocates
// (both rounded up, for the bound on memory: wire.hpp).
template <Kind k, class P, std::size_t node_bytes = 0, std::size_t hidden_bytes = 0>
struct ShapeOf {
  static constexpr Kind kind = k;
  using Parts = P;
  static constexpr std::size_t node = node_bytes;
  static constexpr std::size_t hidden = hidden_bytes;
};

template <class T>
struct StandardShape : ShapeOf<Kind::kNone, Types<>> {};
template <>
struct StandardShape<std::monostate> : ShapeOf<Kind::kProduct, Types<>> {};
template <class A, class B>
struct StandardShape<std::pair<A, B>> : ShapeOf<Kind::kProduct, Types<A, B>> {};
template <class... Ts>
struct StandardShape<std::tuple<Ts...>> : ShapeOf<Kind::kProduct, Types<Ts...>> {};
template <class T, std::size_t n>
struct StandardShape<std::array<T, n>> : ShapeOf<Kind::kArray, Types<T>> {};
template <class Rep, class Period>
struct StandardShape<std::chrono::duration<Rep, Period>> : ShapeOf<Kind::kTime, Types<Rep>> {};
template <class Clock, class Duration>
struct StandardShape<std::chrono::time_point<Clock, Duration>>
    : ShapeOf<Kind::kTime, Types<Duration>> {};
template <class T>
struct StandardShape<std::optional<T>> : ShapeOf<Kind::kOptional, Types<T>> {};
template <class T>
struct StandardShape<std::unique_ptr<T>> : ShapeOf<Kind::kBox, Types<T>, 16> {};
template <class... Ts>
struct StandardShape<std::variant<Ts...>> : ShapeOf<Kind::kVariant, Types<Ts...>> {};

template <class C, class Traits, class A>
struct StandardShape<std::basic_string<C, Traits, A>> : ShapeOf<Kind::kSequence, Types<C>> {};
template <class T, class A>
struct StandardShape<std::vector<T, A>> : ShapeOf<Kind::kSequence, Types<T>> {};
template <class T, class A>
struct StandardShape<std::deque<T, A>> : ShapeOf<Kind::kSequence, Types<T>, 32, 640> {};
template <class T, class A>
struct StandardShape<std::list<T, A>> : ShapeOf<Kind::kSequence, Types<T>, 32> {};
template <class T, class C, class A>
struct StandardShape<std::set<T, C, A>> : ShapeOf<Kind::kSet, Types<T>, 48> {};
template <class T, class C, class A>
struct StandardShape<std::multiset<T, C, A>> : ShapeOf<Kind::kSet, Types<T>, 48> {};
template <class T, class H, class E, class A>
struct StandardShape<std::unordered_set<T, H, E, A>> : ShapeOf<Kind::kSet, Types<T>, 64> {};
template <class T, class H, class E, class A>
struct StandardShape<std::unordered_multiset<T, H, E, A>> : ShapeOf<Kind::kSet, Types<T>, 64> {};
template <class K, class V, class C, class A>
struct StandardShape<std::map<K, V, C, A>> : ShapeOf<Kind::kMap, Types<K, V>, 48> {};
template <class K, class V, class C, class A>
struct StandardShape<std::multimap<K, V, C, A>> : ShapeOf<Kind::kMap, Types<K, V>, 48> {};
template <class K, class V, class H, class E, class A>
struct StandardShape<std::unordered_map<K, V, H, E, A>> : ShapeOf<Kind::kMap, Types<K, V>, 64> {};
template <class K, class V, class H, class E, class A>
struct StandardShape<std::unordered_multimap<K, V, H, E, A>>
    : ShapeOf<Kind::kMap, Types<K, V>, 64> {};

// --- a user's own cereal functions ---

// Converts to any base class of T: finds out whether an aggregate has one.
template <class T>
struct AnyBase {
  template <class U>
  requires(std::is_base_of_v<U, T> && !std::is_same_v<U, T>) operator U() const;
};
template <class T>
concept AggregateWithBase = std::is_aggregate_v<T> && requires {
  T{AnyBase<T>{}};
};

// Converts to T and to no base of it: finds out whether a free function was written for T itself.
template <class T>
struct Exactly {
  template <class U>
  requires std::is_same_v<std::remove_const_t<U>, T>
  operator U&() const;
};
template <class T>
concept FreeFunctionsForItself = requires(OutArchive& out, Exactly<T> value) {
  serialize(out, value);
}
|| requires(OutArchive& out, Exactly<const T> value) { save(out, value); };

template <class Member>
struct OwnerOf {};
template <class R, class C, class... As>
struct OwnerOf<R (C::*)(As...)> : std::type_identity<C> {};
template <class R, class C, class... As>
struct OwnerOf<R (C::*)(As...) const> : std::type_identity<C> {};
template <class R, class C, class... As>
struct OwnerOf<R (C::*)(As...) noexcept> : std::type_identity<C> {};
template <class R, class C, class... As>
struct OwnerOf<R (C::*)(As...) const noexcept> : std::type_identity<C> {};

// A type that only inherited its `serialize` would lose its own fields on the way, in silence.
template <class T>
constexpr bool only_inherits_serialize() {
  if constexpr (requires { typename OwnerOf<decltype(&T::template serialize<OutArchive>)>::type; })
    return !std::is_same_v<typename OwnerOf<decltype(&T::template serialize<OutArchive>)>::type, T>;
  else if constexpr (requires { typename OwnerOf<decltype(&T::template save<OutArchive>)>::type; })
    return !std::is_same_v<typename OwnerOf<decltype(&T::template save<OutArchive>)>::type, T>;
  else
    return AggregateWithBase<T> && !FreeFunctionsForItself<T>;
}

template <class T>
constexpr bool serializes_itself() {
  if constexpr (std::is_class_v<T> && StandardShape<T>::kind == Kind::kNone)
    return cereal::traits::is_output_serializable<T, OutArchive>::value &&
           cereal::traits::is_input_serializable<T, InArchive>::value;
  else
    return false;
}

// --- plain aggregates ---

struct AnyField {
  template <class U>
  operator U() const;
};

template <class T, std::size_t... I>
constexpr bool takes_each_field(std::index_sequence<I...>) {
  return requires { T((void(I), AnyField{})...); };
}

// PFR counts a C array as that many fields and then cannot name them. In parentheses, unlike in
// braces, an array does not take several values, nor one: then not all that was counted fits.
template <class T>
constexpr bool has_c_array() {
  return !takes_each_field<T>(std::make_index_sequence<boost::pfr::tuple_size_v<T>>{});
}

// Move-assignable: neither const nor reference members, which no decoder can set.
template <class T>
constexpr bool reflects() {
  if constexpr (std::is_class_v<T> && std::is_aggregate_v<T> && std::is_move_assignable_v<T> &&
                std::is_destructible_v<T> && StandardShape<T>::kind == Kind::kNone) {
    if constexpr (AggregateWithBase<T>)
      return false;
    else
      return !has_c_array<T>();
  } else {
    return false;
  }
}

template <class T, std::size_t... I>
Types<std::remove_cv_t<boost::pfr::tuple_element_t<I, T>>...> fields_of(std::index_sequence<I...>);

template <class T>
struct AggregateShape
    : ShapeOf<Kind::kAggregate,
              decltype(fields_of<T>(std::make_index_sequence<boost::pfr::tuple_size_v<T>>{}))> {};

// --- the verdict ---

template <class T>
constexpr auto choose_shape() {
  if constexpr (std::is_const_v<T> || std::is_volatile_v<T> || std::is_reference_v<T>)
    return ShapeOf<Kind::kNone, Types<>>{};
  else if constexpr (std::is_arithmetic_v<T>)
    return ShapeOf < sizeof(T) <= 8 ? Kind::kScalar : Kind::kNone, Types < >> {};
  else if constexpr (std::is_enum_v<T>)
    return ShapeOf<Kind::kEnum, Types<std::underlying_type_t<T>>>{};
  else if constexpr (StandardShape<T>::kind != Kind::kNone)
    return StandardShape<T>{};
  else if constexpr (serializes_itself<T>())
    return ShapeOf < only_inherits_serialize<T>() ? Kind::kNone : Kind::kUser, Types < >> {};
  else if constexpr (reflects<T>())
    return AggregateShape<T>{};
  else
    return ShapeOf<Kind::kNone, Types<>>{};
}

template <class T>
using Shape = decltype(choose_shape<T>());

template <class T>
inline constexpr Kind kKind = Shape<T>::kind;

// What an element of each kind must be able to do besides travelling itself.
template <class T>
struct Constructible : std::true_type {};
template <class T, std::size_t n>  // long arrays are filled, short ones are listed
struct Constructible<std::array<T, n>>
    : std::bool_constant<n <= 32 || std::is_default_constructible_v<T>> {};
template <class T>  // a derived object would be cut down to its base
struct Constructible<std::unique_ptr<T>>
    : std::bool_constant<!std::is_array_v<T> && (!std::is_polymorphic_v<T> || std::is_final_v<T>)> {
};
template <class... Ts>
struct Constructible<std::variant<Ts...>> : std::bool_constant<sizeof...(Ts) < 256> {};

// `Path`: the types being decided further up; a type that contains itself (a tree) meets itself
// here.
template <class T, class... Path>
constexpr bool travels();

template <class... Path, class... Parts>
constexpr bool all_travel(Types<Parts...>) {
  return (travels<Parts, Path...>() && ...);
}

template <class T, class... Path>
constexpr bool travels() {
  if constexpr ((std::is_same_v<T, Path> || ...))
    return true;
  else if constexpr (kKind<T> == Kind::kNone || !Constructible<T>::value)
    return false;
  else if constexpr (kKind<T> == Kind::kUser)
    return std::is_default_constructible_v<T> && std::is_move_constructible_v<T>;
  else
    return all_travel<T, Path...>(typename Shape<T>::Parts{});
}

}  // namespace pp::codec

namespace pp {

// True for what the codec can carry to another node and back: arithmetic types up to 64 bits,
// enums, standard containers, strings, optional, variant, tuple, pair, chrono, unique_ptr, plain
// aggregates of these, and classes with cereal-style functions. Move-only types travel, too.
template <class T>
concept Travels = codec::travels<T>();

// Instantiated where a user's type meets the codec: says why a type does not travel and what to do.
template <class T>
struct MustTravel {
  static_assert(
      !std::is_pointer_v<T> && !std::is_member_pointer_v<T>,
      "pp: a pointer means nothing on another node. Pass the value itself, a std::vector, "
      "a std::string (for const char*) or a std::unique_ptr.");
  static_assert(!std::is_reference_v<T>,
                "pp: a reference means nothing on another node. Pass or return a value.");
  static_assert(!std::is_same_v<T, long double>,
                "pp: long double differs between machines. Use double.");
  static_assert(
      std::is_pointer_v<T> || std::is_member_pointer_v<T> || std::is_reference_v<T> ||
          std::is_same_v<T, long double> || Travels<T>,
      "pp: this type cannot travel to another node. What can: numbers, enums, standard "
      "containers and strings, optional, variant, tuple, pair, chrono, unique_ptr, plain "
      "structs of these. Not: pointers, references, views, C arrays, const members, "
      "structs with a base class, a `serialize` that is only inherited, classes with "
      "constructors. Cure: use values and std::array, or give the class a member "
      "`template <class Archive> void serialize(Archive& ar) { ar(a, b, c); }` that names "
      "all its fields, those of its bases too, and a default constructor.");
};

}  // namespace pp
