// node_local<T>(): one T for all jobs of a node.
#pragma once

#include <cstddef>
#include <pp/callable.hpp>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>

#pragma GCC visibility push(default)

namespace pp {

namespace runtime {

using Destroy = void (*)(void* object) noexcept;

// What makes the object, with the arguments of the call that came first. Lives for that call.
class Builder {
 public:
  // The new object, and by `destroy` how it ends.
  virtual void* build() = 0;
  const Destroy destroy;
  const std::string_view type;  // for people

 protected:
  Builder(Destroy destroy_, std::string_view type_) : destroy(destroy_), type(type_) {}
  ~Builder() = default;
};

// The number of a type in this program: the same for all who ask, from 0 on. Throws pp::Error when
// there are too many (kMostNodeLocals).
std::size_t node_local_index(std::type_index type);

// The object of this number on the node whose worker this thread is, made by `builder` if there is
// none. Throws pp::Error outside jobs, and what the builder throws.
void* node_local(std::size_t index, Builder& builder);

}  // namespace runtime

// Inside a job: the T of the node that runs it (of its Runtime), which T(arguments...) makes when
// the first job asks for it; others that ask meanwhile wait. All later calls give the same object,
// whatever their arguments. It is destroyed when the runtime ends, after the last job; those made
// last first. A later call costs a few nanoseconds.
//   double score(int frame) {
//     const Model& model = pp::node_local<Model>("weights.bin");
//     return model.score(frame);
//   }
// The jobs of all workers use it at once: it is for what is only read, or synchronises itself. If
// the constructor throws, this call throws, and the next one tries again. Throws pp::Error outside
// a job, and when T is asked for by what its own construction waits for. A constructor should not
// wait for jobs: they may be stuck behind others that wait for it.
template <class T, class... A>
T& node_local(A&&... arguments) {
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>,
                "pp: node_local<T> needs a class or a plain value, not const, reference or array");
  static_assert(std::is_constructible_v<T, A...>,
                "pp: node_local<T>(arguments...) makes a T of these arguments, and T has no such "
                "constructor");
  auto make = [&] { return new T(std::forward<A>(arguments)...); };
  class Maker final : public runtime::Builder {
   public:
    explicit Maker(decltype(make)& make)
        : Builder([](void* object) noexcept { delete static_cast<T*>(object); },
                  runtime::NameOf<T>::value),
          make_(make) {}
    void* build() override { return make_(); }

   private:
    decltype(make)& make_;
  };
  static const std::size_t index = runtime::node_local_index(typeid(T));
  Maker maker(make);
  return *static_cast<T*>(runtime::node_local(index, maker));
}

}  // namespace pp

#pragma GCC visibility pop
