// The ways in which a job can fail, as exceptions that Future::get() throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <pp/codec.hpp>
#include <pp/error.hpp>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace pp {

// A job's function threw. Exceptions of the standard library's own types (std::invalid_argument,
// std::runtime_error, ..., exactly that type, not one derived from it) come back as themselves with
// the same what(), registered ones (register_error() below) too; everything else comes back as
// this, whether the job ran here or on another node.
class JobError : public Error {
 public:
  // Made by the runtime; the arguments are the members below.
  JobError(std::string type_name, std::string message, std::string node_name,
           std::string function_name, std::uint32_t attempt_number,
           std::shared_ptr<const JobError> cause_error = nullptr);

  std::string
      type;  // of what was thrown: "my::ParseError"; "unknown" where it had no type we can name
  std::string message;        // its what(), empty if it was no std::exception
  std::string node;           // name of the node that ran the job
  std::string function;       // the job's function
  std::uint32_t attempt = 1;  // 1 for the first execution
  // What was nested in it (std::throw_with_nested), and so on, 8 deep at most; null if nothing was.
  // What comes back as itself has its cause where std::rethrow_if_nested() finds it.
  std::shared_ptr<const JobError> cause;
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

// The job was cancelled before it ran, or gave up because it was told to stop.
class Cancelled : public Error {
 public:
  using Error::Error;
};

// The job's execution took longer than its JobOptions::timeout.
class Timeout : public Error {
 public:
  using Error::Error;
};

// From now on exceptions of exactly this type (not of one derived from it) come back from
// Future::get() as themselves, wherever the job ran. To be called in every node before its first
// Runtime, or from a static initialiser; in a node where it was not, they come as JobError. Twice
// is harmless; any thread.
//
//   struct ParseError : std::runtime_error {
//     ParseError() : std::runtime_error("a line cannot be read") {}
//     explicit ParseError(int line_) : ParseError() { line = line_; }
//     template <class Archive> void serialize(Archive& archive) { archive(line); }
//     int line = 0;
//   };
//   pp::register_error<ParseError>();
//
// A type that travels (Travels) comes back with the value it had; what it does not serialize is as
// its default constructor leaves it, what() included. Any other must be constructible from its
// what().
template <class E>
void register_error();

namespace runtime {

// An error on its way: what an execution leaves instead of a value. A value; the same wherever the
// job ran. It travels, also inside other values.
struct Failure {
  // Causes of causes that are kept; what is deeper is dropped.
  static constexpr std::size_t kMostCauses = 8;

  enum class Kind : std::uint8_t {
    kThrown = 0,       // the function threw: type and message
    kNodeLost = 1,     // message
    kClosed = 2,       // message
    kUndecodable = 3,  // the result or the arguments could not be read: message
    kCancelled = 4,    // message
    kTimeout = 5       // message
  };
  static constexpr Kind kLastKind = Kind::kTimeout;
  Kind kind = Kind::kThrown;
  std::string type;
  std::string message;
  std::string node;
  std::string function;
  std::uint32_t attempt = 1;
  std::vector<std::byte> payload;        // of a registered type: its value, or its what()
  std::shared_ptr<const Failure> cause;  // what was nested in what was thrown; null if nothing was

  // One that no function threw.
  static Failure of(Kind kind, std::string message) {
    Failure failure;
    failure.kind = kind;
    failure.message = std::move(message);
    return failure;
  }

  // For the codec: how many causes, then this one's fields and theirs, one after the other.
  template <class Archive>
  void save(Archive& archive) const {
    std::uint8_t causes = 0;
    for (const Failure* one = cause.get(); one != nullptr && causes < kMostCauses; ++causes) {
      one = one->cause.get();
    }
    archive(causes);
    const Failure* one = this;
    for (int i = 0; i <= causes; ++i, one = one->cause.get()) put_fields(archive, *one);
  }
  template <class Archive>
  void load(Archive& archive) {
    std::uint8_t causes = 0;
    archive(causes);
    if (causes > kMostCauses) throw Error("a failure with too many causes");
    take_fields(archive, *this);
    cause = nullptr;
    for (std::shared_ptr<const Failure>* place = &cause; causes > 0; --causes) {
      Failure read;
      take_fields(archive, read);
      auto next = std::make_shared<Failure>(std::move(read));
      *place = next;
      place = &next->cause;
    }
  }

 private:
  template <class Archive>
  static void put_fields(Archive& archive, const Failure& one) {
    archive(one.kind, one.type, one.message, one.node, one.function, one.attempt, one.payload);
  }
  template <class Archive>
  static void take_fields(Archive& archive, Failure& one) {
    archive(one.kind, one.type, one.message, one.node, one.function, one.attempt, one.payload);
    if (one.kind > kLastKind) throw Error("unknown kind of failure");
  }
};

// Describes the exception being handled. REQUIRES: called from a catch block.
Failure describe_current_exception();

// Throws what the failure stands for.
[[noreturn]] void raise(const Failure& failure);

// How exceptions of one type leave and come back.
struct ErrorType {
  const std::type_info* type;
  // Appends the exception being handled, which is one of them; null if Failure::message is all
  // that is needed. Another type may have the same name: without these bytes nothing is made.
  void (*encode)(codec::Bytes& out);
  // Throws it as itself; returns if what arrived is not one.
  void (*raise)(const Failure& failure);
};

// Throws pp::Error if another type has the same name.
void add_error_type(const ErrorType& type);

// Throws what the failure's cause stands for. REQUIRES: it has one.
[[noreturn]] void raise_cause(const Failure& failure);

// Throws what `make()` returns, with the failure's cause nested in it if it has one; returns if
// make() threw.
template <class E, class Make>
void raise_made(const Failure& failure, Make make) {
  const auto made = [&make]() -> std::optional<E> {
    try {
      return make();
    } catch (...) {
      return std::nullopt;
    }
  };
  if (!failure.cause) {
    if (std::optional<E> error = made()) throw *std::move(error);
    return;
  }
  try {
    raise_cause(failure);
  } catch (...) {
    // Made while the cause is being handled: an E that is a std::nested_exception itself takes it.
    if (std::optional<E> error = made()) std::throw_with_nested(*std::move(error));
  }
}

template <class E>
ErrorType error_type() {
  if constexpr (Travels<E>) {
    return {&typeid(E),
            [](codec::Bytes& out) {
              try {
                throw;
              } catch (const E& error) {
                codec::encode(out, error);
              }
            },
            [](const Failure& failure) {
              raise_made<E>(failure,
                            [&failure] { return codec::decode_whole<E>(failure.payload); });
            }};
  } else {
    return {&typeid(E),
            [](codec::Bytes& out) {
              try {
                throw;
              } catch (const E& error) {
                codec::encode(out, std::string(error.what()));
              }
            },
            [](const Failure& failure) {
              raise_made<E>(failure, [&failure] {
                return E(codec::decode_whole<std::string>(failure.payload));
              });
            }};
  }
}

}  // namespace runtime

template <class E>
void register_error() {
  static_assert(std::is_same_v<E, std::decay_t<E>> && std::is_copy_constructible_v<E>,
                "pp: register_error<E>() wants the type that is thrown: no reference, not const, "
                "and copyable.");
  static_assert(Travels<E> || (std::is_base_of_v<std::exception, E> &&
                               std::is_constructible_v<E, const std::string&>),
                "pp: exceptions of this type cannot come back as themselves. Cure: derive it from "
                "std::exception and give it a constructor from its what() (const std::string&), or "
                "give it a default constructor and a member `template <class Archive> void "
                "serialize(Archive& archive) { archive(a, b, c); }` that names all its fields.");
  runtime::add_error_type(runtime::error_type<E>());
}

}  // namespace pp

#pragma GCC visibility pop
