// Gives Cap'n Proto 0.9 two comparisons that clang 16 and later do not derive for it.
//
// kj/string.h declares `const char* == StringPtr` only before C++20 and trusts the compiler to turn
// StringPtr's member around; by P2468 a compiler does not where the class also has operator!=, and
// then capnp/blob.h does not compile. PpDependencies.cmake includes this in front of every file
// that links Cap'n Proto, if and only if that is so here.
#pragma once

#include <kj/string.h>

namespace kj {
inline bool operator==(const char* a, const StringPtr& b) { return b == StringPtr(a); }
inline bool operator!=(const char* a, const StringPtr& b) { return !(b == StringPtr(a)); }
}  // namespace kj
