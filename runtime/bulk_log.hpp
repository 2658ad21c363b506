// Bulk log: a bulk's place in the job log.
#pragma once

#include <pp/bulk.hpp>

#include "job_log.hpp"

namespace pp::runtime {

struct Bulk::Recorded {
  JobLog& log;
  job_log::Batch batch;
};

}  // namespace pp::runtime
