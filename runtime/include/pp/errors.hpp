// The ways in which a job can fail, as exceptions that Future::get() throws.
#pragma once

#include <cstdint>
#include <memory>
#include <pp/error.hpp>
#include <string>
#include <utility>

namespace pp {

// A job's function threw. Exceptions of the standard library's own types (std::invalid_argument,
// std::runtime_error, ..., exactly that type, not one derived from it) come back as themselves with
// the same what(); everything else comes back as this, whether the job ran here or on another node.
class JobError : public Error {
 public:
  JobError(std::string type_name, std::string message, std::string node_name,
           std::string function_name, std::uint32_t attempt_number);

  std::string
      type;  // of what was thrown: "my::ParseError"; "unknown" where it had no type we can name
  std::string message;        // its what(), empty if it was no std::exception
  std::string node;           // name of the node that ran the job
  std::string function;       // the job's function
  std::uint32_t attempt = 1;  // 1 for the first execution
};

// The node that ran the job was lost, more often than the job may be retried.
class NodeLost : public Error {
 public:
  using Error::Error;
};

// The runtime ended before the job was done.
class Closed : public Error {
 public:
  using Error::Error;
};

namespace runtime {

// An error on its way: what an execution leaves instead of a value. A value; the same wherever the
// job ran.
struct Failure {
  enum class Kind : std::uint8_t {
    kThrown = 0,      // the function threw: type and message
    kNodeLost = 1,    // message
    kClosed = 2,      // message
    kUndecodable = 3  // the result or the arguments could not be read: message
  };
  Kind kind = Kind::kThrown;
  std::string type;
  std::string message;
  std::string node;
  std::string function;
  std::uint32_t attempt = 1;

  // One that no function threw.
  static Failure of(Kind kind, std::string message) {
    Failure failure;
    failure.kind = kind;
    failure.message = std::move(message);
    return failure;
  }
};

// Describes the exception being handled. REQUIRES: called from a catch block.
Failure describe_current_exception();

// Throws what the failure stands for.
[[noreturn]] void raise(const Failure& failure);

}  // namespace runtime
}  // namespace pp
