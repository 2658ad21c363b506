// Inside a job: many calls at once, as children of it.
#pragma once

#include <pp/batch.hpp>
#include <pp/reduce.hpp>
#include <pp/runtime.hpp>
#include <utility>

#pragma GCC visibility push(default)

namespace pp {

// As Runtime::map, for the node on which the calling job runs. Throws pp::Error outside jobs.
template <auto f, class... A>
auto map(A&&... arguments) {
  return runtime::map_on<runtime::Constant<f>>(runtime::node_of_this_job("map"),
                                               std::forward<A>(arguments)...);
}
template <runtime::Functor F, class... A>
auto map(F, A&&... arguments) {
  return runtime::map_on<F>(runtime::node_of_this_job("map"), std::forward<A>(arguments)...);
}
template <runtime::Functor F, class... A>
auto map(JobOptions options, F, A&&... arguments) {
  return runtime::map_on<F>(runtime::node_of_this_job("map"), std::move(options),
                            std::forward<A>(arguments)...);
}

// As Runtime::parallel_for, for the node on which the calling job runs. Throws pp::Error outside
// jobs.
template <auto f, class... A>
auto parallel_for(A&&... arguments) {
  return runtime::for_on<runtime::Constant<f>>(runtime::node_of_this_job("parallel_for"),
                                               std::forward<A>(arguments)...);
}
template <runtime::Functor F, class... A>
auto parallel_for(F, A&&... arguments) {
  return runtime::for_on<F>(runtime::node_of_this_job("parallel_for"),
                            std::forward<A>(arguments)...);
}
template <runtime::Functor F, class... A>
auto parallel_for(JobOptions options, F, A&&... arguments) {
  return runtime::for_on<F>(runtime::node_of_this_job("parallel_for"), std::move(options),
                            std::forward<A>(arguments)...);
}

// As Runtime::map_reduce, for the node on which the calling job runs. Throws pp::Error outside
// jobs.
template <auto f, auto op, class... A>
auto map_reduce(A&&... arguments) {
  return runtime::map_reduce_on<runtime::Constant<f>, runtime::Constant<op>>(
      runtime::node_of_this_job("map_reduce"), std::forward<A>(arguments)...);
}
template <runtime::Functor F, runtime::Functor Op, class... A>
auto map_reduce(F, Op, A&&... arguments) {
  return runtime::map_reduce_on<F, Op>(runtime::node_of_this_job("map_reduce"),
                                       std::forward<A>(arguments)...);
}
template <runtime::Functor F, runtime::Functor Op, class... A>
auto map_reduce(JobOptions options, F, Op, A&&... arguments) {
  return runtime::map_reduce_on<F, Op>(runtime::node_of_this_job("map_reduce"), std::move(options),
                                       std::forward<A>(arguments)...);
}

// As Runtime::parallel_reduce, for the node on which the calling job runs. Throws pp::Error outside
// jobs.
template <auto f, auto op, class... A>
auto parallel_reduce(A&&... arguments) {
  return runtime::parallel_reduce_on<runtime::Constant<f>, runtime::Constant<op>>(
      runtime::node_of_this_job("parallel_reduce"), std::forward<A>(arguments)...);
}
template <runtime::Functor F, runtime::Functor Op, class... A>
auto parallel_reduce(F, Op, A&&... arguments) {
  return runtime::parallel_reduce_on<F, Op>(runtime::node_of_this_job("parallel_reduce"),
                                            std::forward<A>(arguments)...);
}
template <runtime::Functor F, runtime::Functor Op, class... A>
auto parallel_reduce(JobOptions options, F, Op, A&&... arguments) {
  return runtime::parallel_reduce_on<F, Op>(runtime::node_of_this_job("parallel_reduce"),
                                            std::move(options), std::forward<A>(arguments)...);
}

}  // namespace pp

#pragma GCC visibility pop
