// Travels: which types may go to another node as a job's argument or result, decided from the type
// alone.
#pragma once

#include <array>
#include <boost/pfr/core.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <pp/archive.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)

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
  else if constexpr (std::is_enum_v<T>)  // also where its type is not fixed, and only peers that
                                         // hold the key could send a number it does not list
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

// Why a type that does not travel does not: each reason has its sentence in CannotTravel.
enum class Obstacle {
  kNone,
  kText,           // char*, std::string_view
  kPointer,        // also to members and functions
  kReference,      // also std::reference_wrapper
  kView,           // std::span
  kFunction,       // std::function
  kSharedPointer,  // std::shared_ptr, std::weak_ptr
  kLongDouble,
  kCArray,  // alone or as a field
  kAbstract,
  kBoxOfBase,   // a unique_ptr to a class with virtual functions, or to an array
  kBase,        // a struct with a base class, or a `serialize` that is only inherited
  kConstField,  // const or reference members: a decoder cannot set them
  kNoDefault,   // it has a `serialize` and no default constructor
  kClosed,      // private members or constructors, and no `serialize`
};

namespace codec {

template <class T>
inline constexpr Obstacle kKnownObstacle = Obstacle::kNone;
template <class T>
inline constexpr Obstacle kKnownObstacle<T*> = std::is_integral_v<T> && sizeof(T) == 1
                                                   ? Obstacle::kText
                                                   : Obstacle::kPointer;
template <class T, class C>
inline constexpr Obstacle kKnownObstacle<T C::*> = Obstacle::kPointer;
template <>
inline constexpr Obstacle kKnownObstacle<std::nullptr_t> = Obstacle::kPointer;
template <class T>
inline constexpr Obstacle kKnownObstacle<T&> = Obstacle::kReference;
template <class T>
inline constexpr Obstacle kKnownObstacle<T&&> = Obstacle::kReference;
template <class T>
inline constexpr Obstacle kKnownObstacle<std::reference_wrapper<T>> = Obstacle::kReference;
template <class C, class Traits>
inline constexpr Obstacle kKnownObstacle<std::basic_string_view<C, Traits>> = Obstacle::kText;
template <class T, std::size_t n>
inline constexpr Obstacle kKnownObstacle<std::span<T, n>> = Obstacle::kView;
template <class T>
inline constexpr Obstacle kKnownObstacle<std::shared_ptr<T>> = Obstacle::kSharedPointer;
template <class T>
inline constexpr Obstacle kKnownObstacle<std::weak_ptr<T>> = Obstacle::kSharedPointer;
template <class R, class... As>
inline constexpr Obstacle kKnownObstacle<std::function<R(As...)>> = Obstacle::kFunction;
template <class T, class D>
inline constexpr Obstacle kKnownObstacle<std::unique_ptr<T, D>> = Obstacle::kBoxOfBase;
template <>
inline constexpr Obstacle kKnownObstacle<long double> = Obstacle::kLongDouble;
template <class T, std::size_t n>
inline constexpr Obstacle kKnownObstacle<T[n]> = Obstacle::kCArray;

// REQUIRES: T does not travel, and none of its parts is to blame.
template <class T>
constexpr Obstacle obstacle_of() {
  if constexpr (kKnownObstacle<T> != Obstacle::kNone)
    return kKnownObstacle<T>;
  else if constexpr (std::is_const_v<T>)
    return Obstacle::kConstField;
  else if constexpr (std::is_abstract_v<T>)
    return Obstacle::kAbstract;
  else if constexpr (kKind<T> == Kind::kUser)
    return Obstacle::kNoDefault;
  else if constexpr (serializes_itself<T>())
    return Obstacle::kBase;  // else it were kUser
  else if constexpr (std::is_class_v<T> && std::is_aggregate_v<T>) {
    if constexpr (!std::is_move_assignable_v<T>)
      return Obstacle::kConstField;
    else
      return AggregateWithBase<T> ? Obstacle::kBase : Obstacle::kCArray;
  } else {
    return Obstacle::kClosed;
  }
}

}  // namespace codec

// Says why T cannot travel and what to do; `Inside` are the types it was found in, innermost first:
// CannotTravel<int*, Mesh, std::vector<Mesh>>.
template <class T, class... Inside>
struct CannotTravel {
  // What stands in its way.
  static constexpr Obstacle why = codec::obstacle_of<T>();
  static_assert(why != Obstacle::kText,
                "pp: a char pointer or a string_view means nothing on another node. Use "
                "std::string.");
  static_assert(why != Obstacle::kPointer,
                "pp: a pointer means nothing on another node. Use the value itself, a std::vector "
                "of values, or a std::unique_ptr.");
  static_assert(why != Obstacle::kReference,
                "pp: a reference means nothing on another node. Use a value.");
  static_assert(why != Obstacle::kView,
                "pp: a std::span means nothing on another node. Use a std::vector or std::array.");
  static_assert(why != Obstacle::kFunction,
                "pp: a std::function may hold anything. Use an enum or std::variant that says what "
                "to do, or a function template over the function: submit<apply<f>>(x).");
  static_assert(why != Obstacle::kSharedPointer,
                "pp: nodes cannot share an object. Use the value itself or a std::unique_ptr.");
  static_assert(why != Obstacle::kLongDouble,
                "pp: long double differs between machines. Use double.");
  static_assert(why != Obstacle::kCArray,
                "pp: C arrays do not travel, nor structs with one. Use std::array or std::vector.");
  static_assert(why != Obstacle::kAbstract,
                "pp: an abstract class cannot travel: another node could not make the object. Use "
                "a concrete type, or a std::variant of those there are.");
  static_assert(why != Obstacle::kBoxOfBase,
                "pp: of a std::unique_ptr only an object of exactly its type travels, no array and "
                "no class derived from it. Use a std::vector, a final class or a std::variant.");
  static_assert(
      why != Obstacle::kBase,
      "pp: a struct with a base class travels only by a `serialize` of its own, or fields "
      "would be lost. Give it one that names all fields, those of its bases too: "
      "template <class Archive> void serialize(Archive& ar) { ar(a, b); }");
  static_assert(why != Obstacle::kConstField,
                "pp: what is const, a reference or cannot be assigned cannot be set from what "
                "arrives. Use values that can be assigned.");
  static_assert(why != Obstacle::kNoDefault,
                "pp: a class with `serialize` is first made empty, then filled. Give it a default "
                "constructor and a move constructor.");
  static_assert(why != Obstacle::kClosed,
                "pp: this class has private members or constructors, and pp does not know its "
                "fields. Give it a default constructor and a member "
                "template <class Archive> void serialize(Archive& ar) { ar(a, b); }");
};

// For a type that can.
struct CanTravel {};

namespace codec {

// As a type_identity: CanTravel, or CannotTravel for the type to blame, at whatever depth.
template <class T, class... Path>
constexpr auto verdict_on();

template <class T, class... Path>
constexpr auto verdict_on_parts(Types<>) {
  return std::type_identity<CannotTravel<T, Path...>>{};
}
template <class T, class... Path, class Part, class... Parts>
constexpr auto verdict_on_parts(Types<Part, Parts...>) {
  if constexpr (codec::travels<Part, T, Path...>())
    return verdict_on_parts<T, Path...>(Types<Parts...>{});
  else
    return verdict_on<Part, T, Path...>();
}

template <class T, class... Path>
constexpr auto verdict_on() {
  if constexpr (codec::travels<T, Path...>())
    return std::type_identity<CanTravel>{};
  else if constexpr (!Constructible<T>::value)
    return std::type_identity<CannotTravel<T, Path...>>{};
  else
    return verdict_on_parts<T, Path...>(typename Shape<T>::Parts{});
}

}  // namespace codec

// Instantiated where a user's type meets the codec: its error names the type to blame, the types
// that lie between, why, and what to do.
template <class T>
using MustTravel = typename decltype(codec::verdict_on<T>())::type;

}  // namespace pp

#pragma GCC visibility pop
