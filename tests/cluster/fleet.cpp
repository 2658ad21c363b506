// Fleet over Process and Hosts.
#include "fleet.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace pp::test {
namespace {

// The whole lines of `text` behind what was told already.
void tell_lines(const std::string& text, std::size_t& told,
                const std::function<void(std::string_view)>& tell) {
  for (std::size_t end = text.find('\n', told); end != std::string::npos;
       end = text.find('\n', told)) {
    const std::string_view line = std::string_view(text).substr(told, end - told);
    told = end + 1;
    tell(line);
  }
}

}  // namespace

Fleet::Fleet(Setup setup) : setup_(std::move(setup)), place_taken_(setup_.places, false) {
  if (setup_.on_hosts) hosts_.emplace(setup_.places + 1);
  std::vector<std::string> own{"PP_REPORT_FD=1"};
  if (!setup_.on_hosts) own.push_back("PP_LISTEN=127.0.0.1:0");
  Process::Setting setting;
  setting.environment = environment("driver", std::move(own));
  setting.input_stays_open = true;
  driver_.name = "driver";
  driver_.process = std::make_unique<Process>(on_host(0, setup_.driver), setting);
  const std::string line = driver_.process->wait_for_line("listening ");
  address_ = line.substr(line.find(' ') + 1);
}

std::vector<std::string> Fleet::environment(const std::string& name,
                                            std::vector<std::string> own) const {
  own.insert(own.end(), {"PP_NAME=" + name, "PP_KEY_FILE=" + setup_.key_file});
  if (!setup_.on_hosts) own.push_back("PP_DISCOVER=off");
  own.insert(own.end(), setup_.environment.begin(), setup_.environment.end());
  return own;
}

std::vector<std::string> Fleet::on_host(int host, const std::vector<std::string>& command) const {
  return hosts_ ? hosts_->on(host, command) : command;
}

std::size_t Fleet::free_places() const {
  return static_cast<std::size_t>(std::ranges::count(place_taken_, false));
}

Fleet::Node& Fleet::start_worker() {
  while (place_taken_.at(next_place_)) next_place_ = (next_place_ + 1) % setup_.places;
  auto node = std::make_unique<Node>();
  node->name = "worker-" + std::to_string(++started_);
  node->place = next_place_;
  place_taken_[next_place_] = true;
  next_place_ = (next_place_ + 1) % setup_.places;
  std::vector<std::string> own{"PP_ROLE=worker"};
  if (!setup_.on_hosts) own.insert(own.end(), {"PP_LISTEN=127.0.0.1:0", "PP_PEERS=" + address_});
  Process::Setting setting;
  setting.environment = environment(node->name, std::move(own));
  node->process = std::make_unique<Process>(on_host(host_of(*node), setup_.worker), setting);
  return *workers_.emplace_back(std::move(node));
}

void Fleet::kill(Node& worker) {
  worker.killed = true;
  worker.process->signal(SIGKILL);
}

void Fleet::tell_to_leave(Node& worker) {
  worker.leaving = true;
  worker.process->signal(SIGTERM);
}

void Fleet::stop(Node& node) {
  node.stopped = true;
  node.process->signal(SIGSTOP);
}

void Fleet::go_on(Node& node) {
  node.stopped = false;
  node.process->signal(SIGCONT);
}

void Fleet::cut(Node& node) {
  node.cut = true;
  hosts_->link_down(host_of(node));
}

void Fleet::mend(Node& node) {
  node.cut = false;
  hosts_->link_up(host_of(node));
}

void Fleet::listen(std::chrono::milliseconds limit, const Listener& listener) {
  const auto hear = [&listener](Node& node, std::chrono::milliseconds patience) {
    node.process->read(patience);
    const auto tell = [&](std::string_view line) { listener(node, line); };
    tell_lines(node.process->out(), node.out_told, tell);
    tell_lines(node.process->err(), node.err_told, tell);
  };
  hear(driver_, limit);
  for (const auto& worker : workers_) hear(*worker, std::chrono::milliseconds{0});
}

void Fleet::forget(const Node& worker) {
  place_taken_.at(worker.place) = false;
  std::erase_if(workers_, [&worker](const auto& each) { return each.get() == &worker; });
}

}  // namespace pp::test
