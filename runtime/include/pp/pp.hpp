// All of pp's public interface in one include.
#pragma once

#include <pp/errors.hpp>
#include <pp/future.hpp>
#include <pp/options.hpp>
#include <pp/runtime.hpp>
#include <pp/statistics.hpp>
