// Callable: what the compiler knows of a function that is named in a template argument.
#pragma once

#include <functional>
#include <pp/travels.hpp>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

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
template <auto f>
struct SignatureOf<Constant<f>>
    : std::conditional_t<std::is_member_pointer_v<decltype(f)>, SignatureOfMember<decltype(f)>,
                         SignatureOfPointer<decltype(f)>> {};
template <class Functor>
requires requires { &Functor::operator(); }
struct SignatureOf<Functor>
    : WithoutObject<decltype(as_signature(SignatureOfMember<decltype(&Functor::operator())>{}))> {};

template <class Callable>
concept HasSignature = requires {
  typename SignatureOf<Callable>::Arguments;
};

// Parameter types without const and references, as a tuple: what a job keeps and sends.
template <class Callable>
using arguments_of = typename SignatureOf<Callable>::Arguments;

// What it returns, without const and references; void stays void.
template <class Callable>
using result_of = std::decay_t<typename SignatureOf<Callable>::Returned>;

template <class T>
inline constexpr bool kIsView = false;
template <class C, class Traits>
inline constexpr bool kIsView<std::basic_string_view<C, Traits>> = true;

template <class Parameter>
struct MustBeParameter : MustTravel<std::decay_t<Parameter>> {
  static_assert(
      !std::is_lvalue_reference_v<Parameter> || std::is_const_v<std::remove_reference_t<Parameter>>,
      "pp: a job cannot change its caller's variable through a reference: it may run on "
      "another node. Take the parameter by value or const reference and return the result.");
  static_assert(!kIsView<std::decay_t<Parameter>>,
                "pp: a std::string_view means nothing on another node. Take a const std::string&.");
};

template <class Callable, class... Parameters>
constexpr bool must_take(codec::Types<Parameters...>) {
  return ((sizeof(MustBeParameter<Parameters>) > 0 && Travels<std::decay_t<Parameters>>)&&...);
}

// Says in the compiler's error what is wrong with a function that is to be a job, and what to do.
template <class Callable>
constexpr bool must_be_callable() {
  static_assert(std::is_empty_v<Callable>,
                "pp: a lambda with captures (or a functor with fields) cannot travel. Pass what it "
                "captures as arguments: submit([](int n) {...}, n).");
  static_assert(!std::is_empty_v<Callable> || std::is_default_constructible_v<Callable>,
                "pp: a functor must be default-constructible: another node makes its own.");
  static_assert(
      HasSignature<Callable>,
      "pp: one signature is needed. Choose an overload by static_cast<R (*)(A)>(f), give a "
      "generic lambda's parameters types, name the instance of a template (f<int>).");
  // False where a sentence above or below was said: the compiler need not add its own.
  if constexpr (!HasSignature<Callable> || !std::is_empty_v<Callable>) {
    return false;
  } else {
    using Result = result_of<Callable>;
    bool result_travels = true;
    if constexpr (!std::is_void_v<Result>)
      result_travels = sizeof(MustTravel<Result>) > 0 && Travels<Result>;
    return must_take<Callable>(typename SignatureOf<Callable>::Taken{}) && result_travels;
  }
}

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
