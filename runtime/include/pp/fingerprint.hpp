// Fingerprint: a number for what a type looks like on the wire, so that two builds can compare.
#pragma once

#include <cstdint>
#include <pp/wire.hpp>
#include <string_view>

#pragma GCC visibility push(default)

namespace pp::codec {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {  // finaliser of MurmurHash3
  hash = (hash ^ word) + 0x9e3779b97f4a7c15;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
  return hash ^ hash >> 33;
}

// The compiler's spelling of T: the only trace of a type whose own functions decide its wire form.
template <class T>
constexpr std::uint64_t hash_of_spelling() {
  std::uint64_t hash = 0;
  for (const char c : std::string_view(__PRETTY_FUNCTION__))
    hash = mix(hash, static_cast<unsigned char>(c));
  return hash;
}

template <class T, class... Path>
constexpr std::uint64_t fingerprint();

template <class... Path, class... Parts>
constexpr std::uint64_t fingerprint_of_parts(std::uint64_t hash, Types<Parts...>) {
  ((hash = mix(hash, fingerprint<Parts, Path...>())), ...);
  return mix(hash, sizeof...(Parts));
}

// Equal for types with the same wire form (two structs with the same fields are the same), and, but
// for accidents of 1 in 2^64, for no others. `Path`: the types further up, for those that contain
// themselves.
template <class T, class... Path>
constexpr std::uint64_t fingerprint() {
  using Parts = typename Shape<T>::Parts;
  if constexpr (std::is_void_v<T>) {
    return mix(0, 100);
  } else if constexpr ((std::is_same_v<T, Path> || ...)) {
    std::uint64_t place = 0, i = 0;
    ((place = std::is_same_v<T, Path> ? i : place, ++i), ...);
    return mix(mix(0, 101), place);
  } else {
    std::uint64_t hash = mix(0, static_cast<std::uint64_t>(kKind<T>));
    if constexpr (kKind<T> == Kind::kScalar) {
      const bool is_bool = std::is_same_v<T, bool>;
      hash = mix(hash, kScalarWidth<T>);
      return mix(hash, is_bool ? 0 : std::is_floating_point_v<T> ? 1 : std::is_signed_v<T> ? 2 : 3);
    } else if constexpr (kKind<T> == Kind::kUser) {
      return mix(hash, hash_of_spelling<T>());
    } else {
      if constexpr (kKind<T> == Kind::kArray) hash = mix(hash, ArrayLength<T>::value);
      if constexpr (kKind<T> == Kind::kSequence || kKind<T> == Kind::kSet ||
                    kKind<T> == Kind::kMap || kKind<T> == Kind::kBox)
        hash = mix(hash, kFiller<T>);
      return fingerprint_of_parts<T, Path...>(hash, Parts{});
    }
  }
}

}  // namespace pp::codec

#pragma GCC visibility pop
