// Runtime: one node of a pp cluster inside this process.
#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <memory>
#include <pp/batch.hpp>
#include <pp/future.hpp>
#include <pp/member.hpp>
#include <pp/options.hpp>
#include <pp/reduce.hpp>
#include <pp/statistics.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

namespace runtime {

// Says in the compiler's error what is wrong with a call, and makes no more of it then.
template <class Callable, class... A>
auto* make_job(A&&... arguments) {
  if constexpr (arguments_fit<Callable, A...>()) {
    return new TypedJob<Callable>(std::forward<A>(arguments)...);
  } else {
    return static_cast<ResultJob<promised<Callable>>*>(nullptr);  // never compiled to the end
  }
}

template <class F>
inline constexpr bool kIsOptions = std::is_same_v<std::remove_cvref_t<F>, JobOptions>;

// What is passed to submit<f>() decides: options first, if any.
template <class Callable, class... A>
auto* make_job_with(JobOptions options, A&&... arguments) {
  check(options);
  auto* job = make_job<Callable>(std::forward<A>(arguments)...);
  set_options(*job, std::move(options));
  return job;
}
template <class Callable, class... A>
auto* prepare(A&&... arguments) {
  return make_job<Callable>(std::forward<A>(arguments)...);
}
template <class Callable, class Options, class... A>
requires kIsOptions<Options>
auto* prepare(Options&& options, A&&... arguments) {
  return make_job_with<Callable>(std::forward<Options>(options), std::forward<A>(arguments)...);
}

// What may stand where a function is expected; what is wrong with it is said by make_job().
template <class F>
concept Functor = !kIsOptions<F>;

void spawn(Job& job);  // from inside a job; throws pp::Error elsewhere
void submit(Node& node, Job& job);

template <class J>
Future<typename J::Result> spawn_job(J* job) {
  Future<typename J::Result> future(job);
  spawn(*job);
  return future;
}

}  // namespace runtime

// One other node, as this one sees it.
struct NodeView {
  NodeId id;             // as its Runtime::id() says
  std::string name;      // its Options::name
  Address address;       // where it can be dialled
  unsigned workers = 0;  // jobs it runs at a time
  // kAlive or kSuspect for a node that is there; how it went, in on_node_left().
  MemberState state = MemberState::kAlive;
  // What carries the data; empty while there is no session with it: a large cluster's nodes talk to
  // some neighbours, and to others when there is something to say.
  std::string provider;
  std::chrono::nanoseconds round_trip{0};  // of a word to it and back; 0: not measured yet
  std::uint32_t queued = 0;                // jobs waiting there, as heard last
  std::uint32_t idle = 0;                  // of its workers, those without a job, as heard last
};

// One node: workers, queue, and the network if the options open one. Construction returns when it
// can run jobs and, with a network, when it listens. Destruction is an orderly end: running jobs
// finish, jobs not begun fail with Closed, peers are told.
class Runtime {
 public:
  // Throws pp::Error: no key, port in use, no such interface, ...
  explicit Runtime(const Options& options = Options::from_environment());
  // For tests: a node that was put together otherwise.
  explicit Runtime(std::unique_ptr<runtime::Node> node);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Runs f(arguments...) on any free core of any node. The arguments are copied or moved into the
  // job at once and encoded only if another node takes it. May be called from any thread, also
  // inside jobs.
  //   rt.submit<sum_primes>(100)          any function with value arguments and a value result
  //   rt.submit([](int n) { return n; }, 7)   a lambda that captures nothing
  //   rt.submit<f>(pp::JobOptions{.timeout = 2s}, arguments...)     with options, in either form
  // Blocks while Options::queue_limit jobs are queued already, unless it is called inside a job.
  template <auto f, class... A>
  auto submit(A&&... arguments) {
    return submit_job(runtime::prepare<runtime::Constant<f>>(std::forward<A>(arguments)...));
  }
  template <runtime::Functor F, class... A>
  auto submit(F, A&&... arguments) {
    return submit_job(runtime::prepare<F>(std::forward<A>(arguments)...));
  }
  template <runtime::Functor F, class... A>
  auto submit(JobOptions options, F, A&&... arguments) {
    return submit_job(runtime::prepare<F>(std::move(options), std::forward<A>(arguments)...));
  }

  // A submit with f and options settled: a callable object. The runtime must outlive it.
  //   auto sum = rt.prepared<sum_primes>({.timeout = 10s});
  //   pp::Future<std::uint64_t> below_100 = sum(100);
  template <auto f>
  auto prepared(JobOptions options = {}) {
    return [this, options = std::move(options)](auto&&... arguments) {
      return this->template submit<f>(options, std::forward<decltype(arguments)>(arguments)...);
    };
  }

  // Calls f(element, shared...) for each element of anything that has a begin and an end; the
  // elements are converted to f's first parameter and kept, the other arguments are given to every
  // call. How many calls make one job follows from the time they take: 10^7 tiny ones and 10 huge
  // ones both come out well. Each call has an identity of its own, so that this_job().random() is
  // the same whatever the chunks were. A failed call does not end the others.
  //   pp::Batch<std::uint64_t> sums = rt.map<sum_primes>(std::views::iota(100'000u, 100'800u));
  //   rt.map([](int n, int m) { return n * m; }, numbers, 7)
  //   rt.map<f>(pp::JobOptions{.priority = pp::Priority::kLow}, range, shared...)
  // The options are those of the jobs that hold the calls; a timeout is refused with pp::Error.
  // Waits, and where they may be called, as for submit().
  template <auto f, class... A>
  auto map(A&&... arguments) {
    return runtime::map_on<runtime::Constant<f>>(*node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, class... A>
  auto map(F, A&&... arguments) {
    return runtime::map_on<F>(*node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, class... A>
  auto map(JobOptions options, F, A&&... arguments) {
    return runtime::map_on<F>(*node_, std::move(options), std::forward<A>(arguments)...);
  }

  // The same for the integers of [first, last), as f's first parameter has them: nothing is kept.
  //   rt.parallel_for<render_line>(0, 1080, scene).get();      f returns void: a Batch<void>
  template <auto f, class... A>
  auto parallel_for(A&&... arguments) {
    return runtime::for_on<runtime::Constant<f>>(*node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, class... A>
  auto parallel_for(F, A&&... arguments) {
    return runtime::for_on<F>(*node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, class... A>
  auto parallel_for(JobOptions options, F, A&&... arguments) {
    return runtime::for_on<F>(*node_, std::move(options), std::forward<A>(arguments)...);
  }

  // What the calls give, folded by op in a fixed order (see Reduction): the same bits for any
  // number of workers and nodes. T is the type of `init`; op takes (T, f's result) and (T, T),
  // gives a T, and should be associative but for rounding. It must not capture.
  //   rt.map_reduce<word_count, std::plus<>{}>(lines, std::size_t{0}).get()
  template <auto f, auto op, class... A>
  auto map_reduce(A&&... arguments) {
    return runtime::map_reduce_on<runtime::Constant<f>, runtime::Constant<op>>(
        *node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, runtime::Functor Op, class... A>
  auto map_reduce(F, Op, A&&... arguments) {
    return runtime::map_reduce_on<F, Op>(*node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, runtime::Functor Op, class... A>
  auto map_reduce(JobOptions options, F, Op, A&&... arguments) {
    return runtime::map_reduce_on<F, Op>(*node_, std::move(options), std::forward<A>(arguments)...);
  }

  // The same for the integers of [first, last).
  //   rt.parallel_reduce<slice_of_pi, std::plus<>{}>(0, 1'000'000, 0.0).get()
  template <auto f, auto op, class... A>
  auto parallel_reduce(A&&... arguments) {
    return runtime::parallel_reduce_on<runtime::Constant<f>, runtime::Constant<op>>(
        *node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, runtime::Functor Op, class... A>
  auto parallel_reduce(F, Op, A&&... arguments) {
    return runtime::parallel_reduce_on<F, Op>(*node_, std::forward<A>(arguments)...);
  }
  template <runtime::Functor F, runtime::Functor Op, class... A>
  auto parallel_reduce(JobOptions options, F, Op, A&&... arguments) {
    return runtime::parallel_reduce_on<F, Op>(*node_, std::move(options),
                                              std::forward<A>(arguments)...);
  }

  const std::string& name() const;  // of this node
  NodeId id() const;                // of this process life
  unsigned workers() const;         // of this node: jobs at a time
  // So many from now on, 0 to 1024. More begin at once what is queued. With fewer, running jobs go
  // on to their end, and one that waits inside still runs what it waits for, but no other job
  // begins until there are fewer than `workers`. With 0 this node only hands out work. Throws
  // pp::Error.
  void set_workers(unsigned workers);
  std::vector<NodeView> nodes() const;  // the other members of the cluster, as known now
  std::string address() const;          // where this node can be dialled; empty without a network

  // True when `count` nodes, this one included, were there within `limit`. Blocks the calling
  // thread.
  bool wait_for_nodes(unsigned count, std::chrono::milliseconds limit) const;

  // Called on a worker of this node whenever a node has become a member, or has ceased to be one
  // (silent, gone, left: NodeView::state); for those who are members already, at once. What a
  // callback throws is logged. There is no way to take one back; what it captures must live as long
  // as this runtime. Calls for one node come in order; calls for several may run at the same time.
  void on_node_joined(std::function<void(const NodeView&)> callback);
  void on_node_left(std::function<void(const NodeView&)> callback);

  // This node leaves the cluster in order: it takes no more work of others, gives back what it has
  // not begun, lets what runs here and what it has lent end, delivers the results, and says
  // goodbye. What still runs after `limit` (Options::drain unless given) is told to stop and given
  // back to its owner, who runs it again elsewhere. Then it goes on alone. True: everything ended
  // in time. Blocks the calling thread, which must not be a job's; from another thread while it
  // runs, waits for the same end.
  bool drain();
  bool drain(std::chrono::milliseconds limit);

  // Blocks until the driver of this worker's launch has said goodbye or is gone, or this node was
  // drained. (What pp::run does in a worker.)
  void serve();

  // Asks every node for its figures; one that does not answer within 250 ms is listed with the last
  // ones heard.
  Statistics stats() const;
  void print_stats(std::ostream& out) const;

  // What this node is doing: what its workers run, what is queued, who has what was lent, since
  // when; some lines for people. Any thread; takes a second at most, also while every worker is
  // stuck. (Programs in pp::run print the same to stderr when they get SIGUSR1.)
  void print_state(std::ostream& out) const;

 private:
  friend class Group;

  template <class J>
  Future<typename J::Result> submit_job(J* job) {
    Future<typename J::Result> future(job);
    runtime::submit(*node_, *job);
    return future;
  }

  std::unique_ptr<runtime::Node> node_;
};

// Inside a job: a child of it, run on this node or stolen by any other. The arguments are copied or
// moved into the child. REQUIRES: no lock is held across spawn() or Future::get(), since other jobs
// may run on this stack meanwhile; a job waits only for jobs that it spawned itself. Throws
// pp::Error outside a job, and for JobOptions::retries of 0 in a job that may itself be run again.
template <auto f, class... A>
auto spawn(A&&... arguments) {
  return runtime::spawn_job(runtime::prepare<runtime::Constant<f>>(std::forward<A>(arguments)...));
}
template <runtime::Functor F, class... A>
auto spawn(F, A&&... arguments) {
  return runtime::spawn_job(runtime::prepare<F>(std::forward<A>(arguments)...));
}
template <runtime::Functor F, class... A>
auto spawn(JobOptions options, F, A&&... arguments) {
  return runtime::spawn_job(runtime::prepare<F>(std::move(options), std::forward<A>(arguments)...));
}

// Inside a job: true when somebody, another core or another node, is idle and would take a job
// exposed now. A few nanoseconds. A search that splits only when this says so costs nothing while
// everybody is busy. False outside jobs.
bool work_wanted() noexcept;

// A program's main: workers serve inside run() and never see `body`; the driver gets a Runtime.
// Returns the process's exit code: what body returned (0 if it returns nothing), 1 with a sentence
// on stderr when it threw, 3 when Options::nodes nodes were not there in time. `argc` and `argv`
// belong to the program and are not looked at. In a task of a Slurm step (see Options::slurm) it
// fills in what the options leave open.
//
// SIGINT (Ctrl-C) and SIGTERM, unless the program has arrangements of its own for them: a worker
// leaves in order, as Runtime::drain() does. A driver begins no more jobs; those that nobody has
// begun, and those that are submitted from then on, fail with Closed; what runs has Options::drain
// to end, and what maps have finished is in the job log. Then run() returns 128 + the signal, or
// the signal ends the process if the body does not end within a second. The second time it ends at
// once.
//   int main(int argc, char** argv) { return pp::run(argc, argv, [](pp::Runtime& rt) { ... }); }
int run(int argc, char** argv, const std::function<int(Runtime&)>& body);
int run(int argc, char** argv, const std::function<int(Runtime&)>& body, const Options& options);

// The same for a body that returns nothing.
template <class Body>
requires std::is_void_v<std::invoke_result_t<Body&, Runtime&>>
int run(int argc, char** argv, Body body) {
  return run(argc, argv, std::function<int(Runtime&)>([&body](Runtime& rt) {
               body(rt);
               return 0;
             }));
}

}  // namespace pp

#pragma GCC visibility pop
