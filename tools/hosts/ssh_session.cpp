// SshSession: three pipes.
#include "ssh_session.hpp"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <pp/error.hpp>
#include <variant>

namespace pp::tools {
namespace {

void wipe(std::string& text) { ::explicit_bzero(text.data(), text.size()); }

}  // namespace

SshSession::SshSession(const SshCommand& command, const std::string& file,
                       const std::vector<std::string>& environment, const SignalState& signals,
                       std::string_view token, const std::string& script, std::string_view more,
                       Time now)
    : ear(token), started_(now) {
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  Pipe error = make_pipe();
  // The end that never blocks shall be ours.
  ::fcntl(input.reading.get(), F_SETFL, 0);
  ::fcntl(input.writing.get(), F_SETFL, O_NONBLOCK);
  ChildPlan child;
  child.file = file;
  child.arguments = command.words(script);
  child.environment = environment;
  child.own_group = true;
  child.input = input.reading.get();
  child.output = output.writing.get();
  child.error = error.writing.get();
  child.signals = &signals;
  const auto result = start_child(child);
  if (const auto* failure = std::get_if<ExecFailure>(&result)) throw Error(failure->why);
  pid_ = std::get<pid_t>(result);
  in_ = std::move(input.writing);
  out = std::move(output.reading);
  err = std::move(error.reading);
  send(script);
  if (!more.empty()) send(std::string(more));
  write_some();
}

SshSession::~SshSession() {
  for (std::string& bytes : unsent_) wipe(bytes);  // the key may be among them
}

void SshSession::send(std::string bytes) {
  if (!in_.open() || closing_ || bytes.empty()) return;
  unsent_.push_back(std::move(bytes));
}

void SshSession::send_last(std::shared_ptr<const std::string> bytes) {
  last_ = std::move(bytes);
  close_input();
}

void SshSession::write_some() {
  while (!unsent_.empty()) {
    std::string& first = unsent_.front();
    const ssize_t count = ::write(in_.get(), first.data() + written_, first.size() - written_);
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      return close_input_at_once();  // its end is told by the process itself
    }
    written_ += static_cast<std::size_t>(count);
    if (written_ < first.size()) return;
    wipe(first);
    unsent_.pop_front();
    written_ = 0;
  }
  while (last_ && last_written_ < last_->size()) {
    const ssize_t count =
        ::write(in_.get(), last_->data() + last_written_, last_->size() - last_written_);
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      return close_input_at_once();
    }
    last_written_ += static_cast<std::size_t>(count);
  }
  if (closing_) in_.close();
}

void SshSession::close_input() {
  closing_ = true;
  if (in_.open()) write_some();
}

void SshSession::close_input_at_once() {
  in_.close();
  for (std::string& bytes : unsent_) wipe(bytes);
  unsent_.clear();
  written_ = 0;
}

void SshSession::kill() {
  if (living()) ::kill(-pid_, SIGKILL);
}

}  // namespace pp::tools
