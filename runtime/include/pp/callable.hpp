// Callable: what the compiler knows of a function that is named in a template argument.
#pragma once

#include <functional>
#include <pp/travels.hpp>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace pp::runtime {

// A function as a type: `Constant<sum_primes>`. Callable like the function; takes no space.
template <auto f>
struct Constant {
  template <class... Arguments>
  decltype(auto) operator()(Arguments&&... arguments) const {
    if constexpr (std::is_member_pointer_v<decltype(f)>)
      return std::invoke(f, std::forward<Arguments>(arguments)...);
    else
      return f(std::forward<Arguments>(arguments)...);
  }
};

template <class Result, class... Parameters>
struct SignatureIs {
  using Returned = Result;                                    // as declared
  using Taken = codec::Types<Parameters...>;                  // as declared
  using Arguments = std::tuple<std::decay_t<Parameters>...>;  // as they are kept and travel
};

template <class F>
struct SignatureOfPointer {};
template <class R, class... As>
struct SignatureOfPointer<R (*)(As...)> : SignatureIs<R, As...> {};
template <class R, class... As>
struct SignatureOfPointer<R (*)(As...) noexcept> : SignatureIs<R, As...> {};

// A member function takes its object first.
template <class F>
struct SignatureOfMember {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...)> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...) const> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...) const&> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...) const& noexcept> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...) &&> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...)&& noexcept> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...) noexcept> : SignatureIs<R, C, As...> {};
template <class R, class C, class... As>
struct SignatureOfMember<R (C::*)(As...) const noexcept> : SignatureIs<R, C, As...> {};

template <class Signature>
struct WithoutObject;
template <class R, class C, class... As>
struct WithoutObject<SignatureIs<R, C, As...>> : SignatureIs<R, As...> {};
template <class R, class C, class... As>
SignatureIs<R, C, As...> as_signature(const SignatureIs<R, C, As...>&);

// The signature of a Constant, or of a functor or lambda with one call operator.
template <class Callable>
struct SignatureOf {};
template <class Functor>
requires requires { as_signature(SignatureOfMember<decltype(&Functor::operator())>{}); }
struct SignatureOf<Functor>
    : WithoutObject<decltype(as_signature(SignatureOfMember<decltype(&Functor::operator())>{}))> {};
template <auto f>
struct SignatureOf<Constant<f>>
    : std::conditional_t<std::is_member_pointer_v<decltype(f)>, SignatureOfMember<decltype(f)>,
                         SignatureOfPointer<decltype(f)>> {};
template <auto f>
requires std::is_class_v<decltype(f)>  // submit<[](int n) { return n; }>(7)
struct SignatureOf<Constant<f>> : SignatureOf<std::remove_const_t<decltype(f)>> {
};

template <class Callable>
concept HasSignature = requires {
  typename SignatureOf<Callable>::Arguments;
};

// Parameter types without const and references, as a tuple: what a job keeps and sends.
template <class Callable>
using arguments_of = typename SignatureOf<Callable>::Arguments;

// What a future holds when the function returns `Returned`: the value without const and references;
// void stays void. Specialised where something else is returned than delivered: a coroutine's task.
template <class Returned>
struct Delivered : std::type_identity<Returned> {};
template <class Returned>
using delivered = typename Delivered<std::decay_t<Returned>>::type;

template <class Callable>
using result_of = delivered<typename SignatureOf<Callable>::Returned>;

// --- what can be a job ---

template <class Declared>
inline constexpr bool kChangesCaller =
    std::is_lvalue_reference_v<Declared> && !std::is_const_v<std::remove_reference_t<Declared>>;

template <class... Declared>
constexpr bool can_be_taken(codec::Types<Declared...>) {
  return ((Travels<std::decay_t<Declared>> && !kChangesCaller<Declared>)&&...);
}

template <class Callable>
constexpr bool can_be_job() {
  if constexpr (std::is_empty_v<Callable> && std::is_default_constructible_v<Callable> &&
                HasSignature<Callable>) {
    using Delivers = result_of<Callable>;
    return can_be_taken(typename SignatureOf<Callable>::Taken{}) &&
           (std::is_void_v<Delivers> || Travels<Delivers>);
  } else {
    return false;
  }
}

template <class... Taken, class... Passed>
constexpr bool converts(std::type_identity<std::tuple<Taken...>>, codec::Types<Passed...>) {
  if constexpr (sizeof...(Taken) == sizeof...(Passed))
    return (std::is_convertible_v<Passed, Taken> && ...);
  else
    return false;
}

// --- what the compiler says when something cannot ---
// Its errors name the templates they arise in: these are named to be read there. All this is
// instantiated only to be read; nobody evaluates it, so nothing else fails because of it.

// Parameter `position` (from 1; a member function's object is 1) of a function that is to be a job.
template <std::size_t position, class Declared>
struct Argument : MustTravel<std::decay_t<Declared>> {
  static_assert(!kChangesCaller<Declared>,
                "pp: a job cannot change its caller's variable through a reference: it may run on "
                "another node. Take the argument by value or const reference, return the result.");
};

// What a function that is to be a job returns.
template <class Declared>
struct ReturnedValue : MustTravel<delivered<Declared>> {};

template <class Callable, class... Declared, std::size_t... I>
auto say_why_no_job(codec::Types<Declared...>, std::index_sequence<I...>) {
  constexpr bool is_object = std::is_class_v<Callable>;
  constexpr bool is_empty = !is_object || std::is_empty_v<Callable>;
  constexpr bool is_made_anywhere =
      !is_object || !is_empty || std::is_default_constructible_v<Callable>;
  constexpr bool is_one_function =
      !is_object || !is_empty || !is_made_anywhere || HasSignature<Callable>;
  static_assert(is_object,
                "pp: name a function in angle brackets: submit<f>(arguments...). In parentheses "
                "stand captureless lambdas and functors only.");
  static_assert(is_empty,
                "pp: a job cannot capture variables (or have fields): they would not travel. Pass "
                "them as arguments: submit([](int n) { ... }, n).");
  static_assert(is_made_anywhere,
                "pp: a functor must be default-constructible: another node makes its own.");
  static_assert(is_one_function,
                "pp: which function is meant? Give a generic lambda's parameters types, choose an "
                "overload by static_cast<R (*)(A)>(f), name the instance of a template: f<int>.");
  if constexpr (is_object && is_empty && is_made_anywhere && is_one_function) {
    (static_cast<void>(sizeof(Argument<I + 1, Declared>)), ...);
    if constexpr (!std::is_void_v<result_of<Callable>>)
      static_cast<void>(sizeof(ReturnedValue<typename SignatureOf<Callable>::Returned>));
  }
}
template <class Callable>
constexpr auto parameters_of() {
  if constexpr (HasSignature<Callable> && std::is_empty_v<Callable> &&
                std::is_default_constructible_v<Callable>)
    return typename SignatureOf<Callable>::Taken{};
  else
    return codec::Types<>{};  // one sentence is enough
}
template <class... Ts>
constexpr std::index_sequence_for<Ts...> positions_of(codec::Types<Ts...>) {
  return {};
}
template <class Callable>
using WhyNoJob = decltype(say_why_no_job<Callable>(parameters_of<Callable>(),
                                                   positions_of(parameters_of<Callable>())));

// What is passed for parameter `position` and what the function takes there.
template <std::size_t position, class Passed, class Taken>
struct PassedArgument {
  static constexpr bool is_copy = std::is_same_v<std::decay_t<Passed>, Taken>;
  static_assert(std::is_convertible_v<Passed, Taken> || !is_copy,
                "pp: this argument cannot be copied. Hand it over: submit<f>(std::move(x)).");
  static_assert(std::is_convertible_v<Passed, Taken> || is_copy,
                "pp: this argument does not convert to the function's parameter. Convert it before "
                "it is passed.");
};

template <std::size_t passed, std::size_t taken>
struct NumberOfArguments {
  static_assert(passed >= taken,
                "pp: too few arguments. Pass one for each parameter, also where the function has a "
                "default; a member function's object comes first.");
  static_assert(passed <= taken, "pp: too many arguments. Pass one for each parameter.");
};

template <class... Taken, class... Passed, std::size_t... I>
auto say_why_not_passed(std::type_identity<std::tuple<Taken...>>, codec::Types<Passed...>,
                        std::index_sequence<I...>) {
  if constexpr (sizeof...(Taken) == sizeof...(Passed))
    (static_cast<void>(sizeof(PassedArgument<I + 1, Passed, Taken>)), ...);
  else
    static_cast<void>(sizeof(NumberOfArguments<sizeof...(Passed), sizeof...(Taken)>));
}

// Whether Callable can be a job. If not, the compiler's error says what is wrong and what to do.
template <class Callable>
constexpr bool must_be_callable() {
  constexpr bool can = can_be_job<Callable>();
  if constexpr (!can) {
    using Said [[maybe_unused]] = WhyNoJob<Callable>;
  }
  return can;
}

// The same, and whether it can be called with arguments of types A&&... Make nothing of a refused
// call that would fail again, but something that can be used like its result: promised<Callable>.
template <class Callable, class... A>
constexpr bool arguments_fit() {
  if constexpr (!can_be_job<Callable>()) {
    using Said [[maybe_unused]] = WhyNoJob<Callable>;
    return false;
  } else {
    using Taken = std::type_identity<arguments_of<Callable>>;
    constexpr bool fit = converts(Taken{}, codec::Types<A...>{});
    if constexpr (!fit) {
      using Said [[maybe_unused]] = decltype(say_why_not_passed(Taken{}, codec::Types<A...>{},
                                                                std::index_sequence_for<A...>{}));
    }
    return fit;
  }
}

// The result of a call that was refused, so that no second error follows: result_of, or int where
// that is not known.
template <class Callable>
constexpr auto promise_of() {
  if constexpr (HasSignature<Callable>)
    return std::type_identity<result_of<Callable>>{};
  else
    return std::type_identity<int>{};
}
template <class Callable>
using promised = typename decltype(promise_of<Callable>())::type;

// How people call it: "sum_primes", "geometry::area<double>", "main()::<lambda(int)>".
template <auto f>
constexpr const char* spelling() {
  return __PRETTY_FUNCTION__;
}
template <class T>
constexpr const char* spelling() {
  return __PRETTY_FUNCTION__;
}
constexpr std::string_view readable(std::string_view spelled) {
  const auto equals = spelled.find("= ");
  if (equals == spelled.npos) return spelled;
  spelled.remove_prefix(equals + 2);
  if (spelled.starts_with('&')) spelled.remove_prefix(1);
  if (spelled.ends_with(']')) spelled.remove_suffix(1);
  return spelled;
}
template <class Callable>
struct NameOf {
  static constexpr std::string_view value = readable(spelling<Callable>());
};
template <auto f>
struct NameOf<Constant<f>> {
  static constexpr std::string_view value = readable(spelling<f>());
};

}  // namespace pp::runtime

#pragma GCC visibility pop
