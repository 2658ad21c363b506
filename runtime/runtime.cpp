// Runtime: the public face of a node.
#include <algorithm>
#include <ostream>
#include <pp/runtime.hpp>
#include <stdexcept>

#include "node.hpp"

namespace pp {

Runtime::Runtime(const Options& options) : node_(std::make_unique<runtime::Node>(options)) {}

Runtime::Runtime(std::unique_ptr<runtime::Node> node) : node_(std::move(node)) {}

Runtime::~Runtime() = default;

const std::string& Runtime::name() const { return node_->name(); }

NodeId Runtime::id() const { return node_->id(); }

unsigned Runtime::workers() const { return node_->workers(); }

void Runtime::set_workers(unsigned workers) { node_->set_workers(workers); }

std::vector<NodeView> Runtime::nodes() const {
  return node_->courier() == nullptr ? std::vector<NodeView>{} : node_->courier()->nodes();
}

std::string Runtime::address() const {
  return node_->courier() == nullptr ? std::string{} : node_->courier()->address();
}

bool Runtime::wait_for_nodes(unsigned count, std::chrono::milliseconds limit) const {
  if (count <= 1) return true;
  return node_->courier() != nullptr &&
         node_->courier()->wait_for_nodes(count - 1, runtime::Clock::now() + limit);
}

void Runtime::serve() {
  if (node_->courier() == nullptr) throw Error("pp: a worker without a network serves nobody");
  if (node_->courier()->wait_for_goodbye() == runtime::Courier::Farewell::kDriverGone)
    node_->log().info("the driver is gone: this worker leaves");
}

void Runtime::on_node_joined(std::function<void(const NodeView&)> callback) {
  if (node_->courier() != nullptr) node_->courier()->on_node_joined(std::move(callback));
}

void Runtime::on_node_left(std::function<void(const NodeView&)> callback) {
  if (node_->courier() != nullptr) node_->courier()->on_node_left(std::move(callback));
}

bool Runtime::drain() { return drain(node_->options().drain); }

bool Runtime::drain(std::chrono::milliseconds limit) {
  if (runtime::Crew::current() != nullptr)
    throw Error("pp: drain() waits for the jobs that run here, and was called from one of them");
  if (node_->courier() == nullptr) return true;
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  node_->courier()->begin_drain(std::clamp(limit, std::chrono::milliseconds(0), kLongest));
  return node_->courier()->wait_until_drained();
}

Statistics Runtime::stats() const { return node_->statistics(); }

void Runtime::print_stats(std::ostream& out) const { print_statistics(out, stats()); }

void Runtime::print_state(std::ostream& out) const { out << node_->describe(); }

}  // namespace pp
