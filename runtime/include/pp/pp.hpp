// All of pp's public interface in one include.
#pragma once

#include <pp/batch.hpp>
#include <pp/errors.hpp>
#include <pp/future.hpp>
#include <pp/group.hpp>
#include <pp/job_options.hpp>
#include <pp/node_local.hpp>
#include <pp/options.hpp>
#include <pp/parallel.hpp>
#include <pp/random.hpp>
#include <pp/reduce.hpp>
#include <pp/runtime.hpp>
#include <pp/share.hpp>
#include <pp/statistics.hpp>
#include <pp/task.hpp>
#include <pp/this_job.hpp>
#include <pp/wait.hpp>
