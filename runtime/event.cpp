// Event: a job without a function.
#include <pp/event.hpp>

#include "node.hpp"

namespace pp::runtime {

namespace {

constexpr JobKind kEvent{nullptr, nullptr,
                         nullptr, nullptr,
                         nullptr, [](const Job&) -> const Failure* { return nullptr; },
                         nullptr, [](Job* job) noexcept { delete job; }};

constexpr Function kFunction{"an event", {}, 0, 0, nullptr, false, Function::Standing::kRegistered,
                             nullptr};

}  // namespace

Event make_event(Home* home) {
  auto* event = new Job(kEvent, &kFunction, 1);
  event->home = home;
  event->claim(Job::kRunning);  // nobody else may
  return Event(event);
}

void happen(Job& event) { finish(event); }

Home* home_here() noexcept {
  const Worker* worker = Crew::current();
  return worker == nullptr ? nullptr : &worker->node->home();
}

Node& node_here(const char* what) {
  const Worker* worker = Crew::current();
  if (worker == nullptr) {
    throw Error(
        std::string(what) +
        " works inside jobs, and no job runs on this thread: use the form of it that takes or "
        "belongs to a pp::Runtime");
  }
  return *worker->node;
}

Home* home_of(Node& node) noexcept { return &node.home(); }

}  // namespace pp::runtime
