// Import table: a loaded library's own calls of other libraries, led elsewhere.
#pragma once

#include <initializer_list>
#include <string_view>

namespace pp::transport {

struct Redirection {
  std::string_view name;  // of a function that the library imports
  void* function;         // what it calls instead; of the same type
};

template <class Function>
void* address_of(Function* function) {
  return reinterpret_cast<void*>(function);
}

// Leads the calls of `library`, a handle of dlopen(), to these functions: in its table of imports,
// so that nobody else's calls are touched. False: it imports none of them, or this system keeps its
// tables in another way. Before the library is used by any thread.
bool redirect_imports(void* library, std::initializer_list<Redirection> redirections);

}  // namespace pp::transport
