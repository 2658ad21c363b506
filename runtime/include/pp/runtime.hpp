// Runtime: one node of a pp cluster inside this process.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <memory>
#include <pp/future.hpp>
#include <pp/options.hpp>
#include <pp/statistics.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace pp {

namespace runtime {

// Checks arguments against the function's signature with a sentence of our own before the
// compiler's pages.
template <class Callable, class... A>
constexpr bool arguments_fit() {
  using Wanted = arguments_of<Callable>;
  static_assert(std::tuple_size_v<Wanted> == sizeof...(A),
                "pp: submit/spawn was given another number of arguments than the function takes");
  static_assert(
      std::is_constructible_v<Wanted, A...>,
      "pp: an argument given to submit/spawn does not convert to the function's parameter");
  return true;
}

template <class Callable, class... A>
TypedJob<Callable>* make_job(A&&... arguments) {
  static_assert(arguments_fit<Callable, A&&...>());
  return new TypedJob<Callable>(std::forward<A>(arguments)...);
}

template <class F>
concept Stateless = std::is_class_v<F> && std::is_empty_v<F> && std::is_default_constructible_v<F>;

void spawn(Job& job);  // from inside a job; throws pp::Error elsewhere
void submit(Node& node, Job& job);

}  // namespace runtime

// One other node, as this one sees it.
struct NodeView {
  NodeId id;
  std::string name;
  Address address;
  unsigned workers = 0;
  std::string provider;  // what carries its data
};

// One node: workers, queue, and the network if the options open one. Construction returns when it
// can run jobs and, with a network, when it listens. Destruction is an orderly end: running jobs
// finish, jobs not begun fail with Closed, peers are told.
class Runtime {
 public:
  // Throws pp::Error: no key, port in use, no such interface, ...
  explicit Runtime(const Options& options = Options::from_environment());
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Runs f(arguments...) on any free core of any node. The arguments are copied or moved into the
  // job at once and encoded only if another node takes it. May be called from any thread, also
  // inside jobs.
  //   rt.submit<sum_primes>(100)          any function with value arguments and a value result
  //   rt.submit([](int n) { return n; }, 7)   a lambda that captures nothing
  template <auto f, class... A>
  auto submit(A&&... arguments) {
    return submit_as<runtime::Constant<f>>(std::forward<A>(arguments)...);
  }
  template <class F, class... A>
  requires(!std::is_function_v<std::remove_pointer_t<F>>) auto submit(F, A&&... arguments) {
    static_assert(
        runtime::Stateless<F>,
        "pp: a job cannot capture variables, they would not travel: pass them as arguments");
    return submit_as<F>(std::forward<A>(arguments)...);
  }

  const std::string& name() const;  // of this node
  NodeId id() const;
  unsigned workers() const;             // of this node
  std::vector<NodeView> nodes() const;  // the others that are connected now
  std::string address() const;          // where this node can be dialled; empty without a network

  // True when `count` nodes, this one included, were there within `limit`. Blocks the calling
  // thread.
  bool wait_for_nodes(unsigned count, std::chrono::milliseconds limit) const;

  // Blocks until the driver of this worker's launch has said goodbye or is gone. (What pp::run does
  // in a worker.)
  void serve();

  // Asks every node for its figures; one that does not answer within 250 ms is listed with the last
  // ones heard.
  Statistics stats() const;
  void print_stats(std::ostream& out) const;

 private:
  template <class Callable, class... A>
  auto submit_as(A&&... arguments) {
    auto* job = runtime::make_job<Callable>(std::forward<A>(arguments)...);
    Future<runtime::result_of<Callable>> future(job);
    runtime::submit(*node_, *job);
    return future;
  }

  std::unique_ptr<runtime::Node> node_;
};

// Inside a job: a child of it, run on this node or stolen by any other. The arguments are copied or
// moved into the child. REQUIRES: no lock is held across spawn() or Future::get(), since other jobs
// may run on this stack meanwhile; a job waits only for jobs that it spawned itself. Throws
// pp::Error outside a job.
template <auto f, class... A>
auto spawn(A&&... arguments) {
  using Callable = runtime::Constant<f>;
  auto* job = runtime::make_job<Callable>(std::forward<A>(arguments)...);
  Future<runtime::result_of<Callable>> future(job);
  runtime::spawn(*job);
  return future;
}
template <class F, class... A>
requires(!std::is_function_v<std::remove_pointer_t<F>>) auto spawn(F, A&&... arguments) {
  static_assert(
      runtime::Stateless<F>,
      "pp: a job cannot capture variables, they would not travel: pass them as arguments");
  auto* job = runtime::make_job<F>(std::forward<A>(arguments)...);
  Future<runtime::result_of<F>> future(job);
  runtime::spawn(*job);
  return future;
}

// Inside a job: true when somebody, another core or another node, is idle and would take a job
// exposed now. A few nanoseconds. A search that splits only when this says so costs nothing while
// everybody is busy. False outside jobs.
bool work_wanted() noexcept;

// A program's main: workers serve inside run() and never see `body`; the driver gets a Runtime.
// Returns the process's exit code: what body returned (0 if it returns nothing), 1 with a sentence
// on stderr when it threw, 3 when Options::nodes nodes were not there in time. `argc` and `argv`
// belong to the program and are not looked at.
//   int main(int argc, char** argv) { return pp::run(argc, argv, [](pp::Runtime& rt) { ... }); }
int run(int argc, char** argv, const std::function<int(Runtime&)>& body);
int run(int argc, char** argv, const std::function<int(Runtime&)>& body, const Options& options);

template <class Body>
requires std::is_void_v<std::invoke_result_t<Body&, Runtime&>>
int run(int argc, char** argv, Body body) {
  return run(argc, argv, std::function<int(Runtime&)>([&body](Runtime& rt) {
               body(rt);
               return 0;
             }));
}

}  // namespace pp
