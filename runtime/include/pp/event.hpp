// Event: something that happens once and is waited for as a job is.
#pragma once

#include <pp/future.hpp>
#include <pp/job.hpp>

#pragma GCC visibility push(default)

namespace pp::runtime {

// A job that nobody runs: it is done when somebody calls happen(). So whatever waits for jobs (a
// thread, a worker that runs others meanwhile, a coroutine) can wait for it with the same means.
using Event = JobReference<Job>;

// Waited for by workers of `home`'s node, and by other threads. Never null.
Event make_event(Home* home);

// Once. Whoever waits goes on.
void happen(Job& event);

// The home of the node whose worker this thread is, or null.
Home* home_here() noexcept;
Home* home_of(Node& node) noexcept;

// The node whose worker this thread is; throws pp::Error that `what` works inside jobs only.
Node& node_here(const char* what);

}  // namespace pp::runtime

#pragma GCC visibility pop
