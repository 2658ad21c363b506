// this_job(): read from the frame on top of the worker's stack.
#include <pp/errors.hpp>
#include <pp/this_job.hpp>

#include "node.hpp"
#include "particulars.hpp"

namespace pp {

ThisJob this_job() {
  const runtime::Worker* worker = runtime::Crew::current();
  if (worker == nullptr || worker->frame == nullptr)
    throw Error("pp::this_job works inside jobs: no job runs on this thread");
  return ThisJob(*worker->frame);
}

std::uint64_t ThisJob::id() const { return frame_->id; }

unsigned ThisJob::attempt() const { return frame_->job->attempt + frame_->earlier_attempts; }

const std::string& ThisJob::node() const { return frame_->job->home->name(); }

std::string_view ThisJob::label() const {
  const runtime::Particulars* particulars = runtime::find_particulars(*frame_->job);
  return particulars == nullptr ? std::string_view{} : particulars->options.label;
}

bool ThisJob::stop_requested() const { return frame_->job->told_to_stop(); }

std::stop_token ThisJob::stop_token() const { return runtime::stop_token_of(*frame_->job); }

void ThisJob::throw_if_stopped() const {
  if (stop_requested())
    throw Cancelled("pp: the job " + runtime::title_of(*frame_->job) +
                    " stopped when it was told to");
}

Random& ThisJob::random() const {
  if (!frame_->random) frame_->random.emplace(frame_->id);
  return *frame_->random;
}

}  // namespace pp
