// Guest: what a lease asks for, done.
#include "guest.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <pp/error.hpp>
#include <utility>

#include "launch_plan.hpp"
#include "report_line.hpp"
#include "signals.hpp"

extern char** environ;

namespace pp::tools::daemon {
namespace {

std::string machine() {
  utsname about{};
  ::uname(&about);
  return about.machine;
}

constexpr std::size_t kOneRead = kMaxOutput;
constexpr int kLastReads = 32;  // pipes hold 64 KiB, or a MiB where somebody has asked for that

}  // namespace

Guest::Guest(House& house, transport::SessionId session, std::string who, Lease::Limits limits)
    : house_(house), session_(session), who_(std::move(who)), lease_(*this, machine(), limits) {}

Guest::~Guest() { clear(); }

void Guest::clear() {
  arrival_.reset();
  if (program_) house_.cache.let_go(lease_.what().hash);
  program_.reset();
  key_.reset();
  folder_.reset();
}

void Guest::say(const Message& message) {
  if (const auto* refused = std::get_if<Refused>(&message))
    house_.log.warning(who_ + " is refused: " + refused->why);
  if (const auto* ended = std::get_if<Ended>(&message)) {
    house_.log.info(who_ + ": process " + std::to_string(ended->process) + " " +
                    ended->status.sentence() + (ended->replaced ? " (its share changed)" : ""));
  }
  if (const auto* started = std::get_if<Started>(&message)) {
    house_.log.info(who_ + ": " + printable(lease_.what().program, 128) + " runs as pid " +
                    std::to_string(started->pid) + " with " + std::to_string(started->workers) +
                    (started->workers == 1 ? " worker" : " workers"));
  }
  house_.say(session_, message);
}

std::optional<std::string> Guest::why_none_now() { return house_.why_none_now(); }

bool Guest::has_program(const Open& open) {
  program_ = house_.cache.hold(open.hash, open.size);
  return program_.has_value();
}

std::optional<std::string> Guest::begin_program(const Open& open) {
  if (auto why = house_.cache.make_room(open.hash, open.size)) return why;
  arrival_ = std::make_unique<ProgramCache::Arrival>(house_.cache, open.hash, open.size);
  return std::nullopt;
}

std::optional<std::string> Guest::add_piece(std::span<const std::byte> bytes) {
  return arrival_->add(bytes);
}

std::optional<std::string> Guest::finish_program() {
  auto why = arrival_->finish();
  arrival_.reset();
  if (why) return why;
  if (!has_program(lease_.what())) return "the program has vanished from the cache";
  house_.log.debug(who_ + " has sent " + printable(lease_.what().program, 128) + ", " +
                   std::to_string(lease_.what().size) + " bytes");
  return std::nullopt;
}

std::vector<std::string> Guest::environment(const Open& open, unsigned workers, int report) const {
  std::vector<std::string> base;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    // Ours say how a daemon runs, not what it runs.
    const std::string_view text = *variable;
    if (!text.starts_with("PP_") && !text.starts_with("NOTIFY_SOCKET=")) base.emplace_back(text);
  }
  for (const std::string& variable : open.environment) {
    const std::string name = variable.substr(0, variable.find('=') + 1);
    if (name.size() < 2) continue;
    std::erase_if(base, [&](const std::string& other) { return other.starts_with(name); });
    base.push_back(variable);
  }
  // What this machine's owner says goes before what the launch says.
  const auto ours = [&base](const std::string& name, const std::string& value) {
    std::erase_if(base, [&](const std::string& other) { return other.starts_with(name + '='); });
    base.push_back(name + '=' + value);
  };
  if (!house_.settings.interface.empty()) ours("PP_IFACE", house_.settings.interface);
  ours("PP_DRAIN", std::to_string(house_.settings.drain.count() * 1000));
  LaunchPlan plan;
  plan.nodes = 2;  // the driver is elsewhere
  plan.workers = workers;
  plan.key_file = key_->file();
  plan.listen = house_.settings.listen;
  return node_environment(plan, 1, open.launch, open.driver, {report, -1}, base);
}

std::variant<pid_t, std::string> Guest::start(const Open& open, unsigned process,
                                              unsigned workers) {
  try {
    if (!key_) key_ = std::make_unique<TemporaryKey>(open.key);
    const std::string& workdir = house_.settings.workdir.native();
    if (!workdir.empty() && ::access(workdir.c_str(), X_OK) != 0)
      return "the folder " + workdir + " (workdir): " + std::strerror(errno);
    if (workdir.empty() && !folder_) folder_ = std::make_unique<RunFolder>(house_.cache.folder());
    Pipe report = make_pipe(), output = make_pipe(), error = make_pipe();
    ::fcntl(report.writing.get(), F_SETFL, O_NONBLOCK);
    ChildPlan child;
    child.file = program_->string();
    child.arguments = {open.program};
    child.arguments.insert(child.arguments.end(), open.arguments.begin(), open.arguments.end());
    child.environment = environment(open, workers, report.writing.get());
    child.own_group = true;
    child.input = house_.nothing;
    child.output = output.writing.get();
    child.error = error.writing.get();
    child.keep = {report.writing.get(), key_->descriptor()};
    child.folder = workdir.empty() ? folder_->path().string() : workdir;
    child.limits.emplace_back(RLIMIT_CORE, rlimit{0, 0});  // the folder goes, and it may be large
    if (const rlim_t memory = house_.settings.memory; memory != 0)
      child.limits.emplace_back(RLIMIT_DATA, rlimit{memory, memory});
    child.signals = &house_.signals;
    const auto started = start_child(child);
    if (const auto* failure = std::get_if<ExecFailure>(&started))
      return printable(open.program, 128) + " cannot be run here: " + failure->why;
    Worker& worker = workers_[process];
    worker.pid = std::get<pid_t>(started);
    worker.report = std::move(report.reading);
    worker.output = std::move(output.reading);
    worker.error = std::move(error.reading);
    watch(worker.report.get(), true);
    watch(worker.output.get(), true);
    watch(worker.error.get(), true);
    worker.watched = true;
    return worker.pid;
  } catch (const Error& refusal) {  // of the system
    house_.log.warning(who_ + ": " + refusal.what());
    return std::string(refusal.what());
  }
}

void Guest::watch(int descriptor, bool wanted) const {
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(house_.epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, descriptor, &event);
}

void Guest::signal(unsigned process, int number) {
  const auto worker = workers_.find(process);
  if (worker == workers_.end()) return;
  const pid_t pid = worker->second.pid;
  // A question to a process that is not prepared for it would end it.
  if (number == SIGUSR1 || number == SIGUSR2) {
    if (!is_prepared(pid, number)) return;
    ::kill(pid, number);
    return;
  }
  ::kill(-pid, number);
}

bool Guest::knows(pid_t pid) const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [pid](const auto& worker) { return worker.second.pid == pid; });
}

bool Guest::ended(const EndedChild& child, Time now) {
  const auto found = std::find_if(workers_.begin(), workers_.end(), [&](const auto& worker) {
    return worker.second.pid == child.pid;
  });
  if (found == workers_.end()) return false;
  const unsigned process = found->first;
  Worker& worker = found->second;
  // What is in its pipes is all that will come; an end that somebody else keeps open is not waited
  // for, and one who writes there for ever is not listened to.
  for (int reads = 0; reads < kLastReads && read_reports(process, worker);) ++reads;
  for (int reads = 0; reads < kLastReads && worker.output.open(); ++reads) {
    if (!read_some(process, worker.output, false)) break;
  }
  for (int reads = 0; reads < kLastReads && worker.error.open(); ++reads) {
    if (!read_some(process, worker.error, true)) break;
  }
  workers_.erase(found);
  lease_.ended(process, child.status, child.peak_bytes, now);
  return true;
}

bool Guest::read_reports(unsigned process, Worker& worker) {
  char bytes[4096];
  if (!worker.report.open()) return false;
  const ssize_t count = ::read(worker.report.get(), bytes, sizeof bytes);
  if (count < 0) return false;
  if (count == 0) {
    worker.report.close();
    return false;
  }
  worker.report_lines.feed({bytes, static_cast<std::size_t>(count)},
                           [&](std::string_view line) { lease_.report(process, line); });
  return true;
}

// False: nothing more for now.
bool Guest::read_some(unsigned process, Descriptor& from, bool error) {
  std::string bytes(kOneRead, '\0');
  const ssize_t count = ::read(from.get(), bytes.data(), bytes.size());
  if (count < 0) return false;
  if (count == 0) {
    from.close();
    return false;
  }
  bytes.resize(static_cast<std::size_t>(count));
  lease_.output(process, error, std::move(bytes));
  return true;
}

void Guest::end_family(pid_t pid) const {
  if (knows(pid)) ::kill(-pid, SIGKILL);
}

// One read of each at a time: a process that writes for ever keeps nobody else waiting.
void Guest::read() {
  for (auto& [process, worker] : workers_) {
    if (lease_.wants_output()) read_reports(process, worker);
    if (lease_.wants_output() && worker.output.open()) read_some(process, worker.output, false);
    if (lease_.wants_output() && worker.error.open()) read_some(process, worker.error, true);
    const bool wanted = lease_.wants_output();
    if (wanted == worker.watched) continue;
    worker.watched = wanted;
    for (const Descriptor* descriptor : {&worker.report, &worker.output, &worker.error}) {
      if (descriptor->open()) watch(descriptor->get(), wanted);
    }
  }
}

}  // namespace pp::tools::daemon
