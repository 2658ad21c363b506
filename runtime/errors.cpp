// Errors: from a thrown exception to a value that travels, and back.
#include <cxxabi.h>

#include <cstdlib>
#include <map>
#include <new>
#include <pp/errors.hpp>
#include <stdexcept>

#include "guarded.hpp"

namespace pp {

namespace {

std::string describe(const std::string& type, const std::string& message, const std::string& node,
                     const std::string& function, std::uint32_t attempt, const JobError* cause) {
  std::string text = "the job " + (function.empty() ? "" : function + " ") + "threw " + type;
  if (!message.empty()) text += ": " + message;
  text += " (on " + (node.empty() ? "this node" : node);
  if (attempt > 1) text += ", attempt " + std::to_string(attempt);
  text += ")";
  for (; cause != nullptr; cause = cause->cause.get()) {
    text += ", because of " + cause->type;
    if (!cause->message.empty()) text += ": " + cause->message;
  }
  return text;
}

}  // namespace

JobError::JobError(std::string type_name, std::string message_, std::string node_name,
                   std::string function_name, std::uint32_t attempt_number,
                   std::shared_ptr<const JobError> cause_error)
    : Error(describe(type_name, message_, node_name, function_name, attempt_number,
                     cause_error.get())),
      type(std::move(type_name)),
      message(std::move(message_)),
      node(std::move(node_name)),
      function(std::move(function_name)),
      attempt(attempt_number),
      cause(std::move(cause_error)) {}

namespace runtime {

namespace {

std::string demangled(const std::type_info& type) {
  int status = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string result = status == 0 && name != nullptr ? name : type.name();
  std::free(name);  // __cxa_demangle takes it from malloc
  return result;
}

// The type of the exception being handled, as whoever threw it wrote it; null if the language
// cannot say. What std::throw_with_nested() throws derives from that type first and from
// std::nested_exception second.
const std::type_info* thrown_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  const auto* derived = dynamic_cast<const abi::__vmi_class_type_info*>(type);
  if (derived == nullptr || demangled(*type).rfind("std::", 0) != 0) return type;
  if (derived->__base_count != 2) return type;
  if (*derived->__base_info[1].__base_type != typeid(std::nested_exception)) return type;
  return derived->__base_info[0].__base_type;
}

// What is nested in the exception being handled, if anything is.
std::exception_ptr nested_in_current() {
  try {
    throw;
  } catch (const std::nested_exception& error) {
    return error.nested_ptr();
  } catch (...) {
    return nullptr;
  }
}

template <class E>
E made_of([[maybe_unused]] const std::string& what) {
  if constexpr (std::is_constructible_v<E, const std::string&>) {
    return E(what);
  } else {
    return E();
  }
}

template <class E>
ErrorType standard() {
  return {&typeid(E), nullptr, [](const Failure& failure) {
            raise_made<E>(failure, [&failure] { return made_of<E>(failure.message); });
          }};
}

// How exceptions come back as themselves, by the names of their types. Two types can have one name
// (in unnamed namespaces of two files); only one of them may be registered.
class ErrorTypes {
 public:
  void add(const ErrorType& type) {
    const auto [place, added] = types_.emplace(demangled(*type.type), type);
    if (!added && *place->second.type != *type.type) {
      throw Error("pp::register_error: there are two exception types called " + place->first +
                  ", nodes could not tell which one is meant; give one of them another name");
    }
  }
  std::optional<ErrorType> find(const std::string& name) const {
    const auto found = types_.find(name);
    if (found == types_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::map<std::string, ErrorType> types_;
};

// Those of the standard library and of pp; users' types are added to them. One for the process:
// like the function table it says what this program consists of, is filled when it starts, by
// static initialisers among others, and is the same for every Runtime. Asked only when something
// was thrown. Never destroyed: a Runtime may end later than any static object.
Guarded<ErrorTypes>& error_types() {
  static auto& types = *[] {
    auto* known = new Guarded<ErrorTypes>;
    auto all = known->lock();
    for (const ErrorType& type :
         {standard<std::runtime_error>(), standard<std::logic_error>(),
          standard<std::invalid_argument>(), standard<std::domain_error>(),
          standard<std::length_error>(), standard<std::out_of_range>(),
          standard<std::range_error>(), standard<std::overflow_error>(),
          standard<std::underflow_error>(), standard<std::bad_alloc>(), standard<NodeLost>(),
          standard<Closed>(), standard<Cancelled>(), standard<Timeout>()}) {
      all->add(type);
    }
    return known;
  }();
  return types;
}

// For the user's own `save`, which may throw: the error comes as a JobError then.
void encode_current(void (*encode)(codec::Bytes&), codec::Bytes& payload) {
  try {
    encode(payload);
  } catch (...) {
    payload.clear();
  }
}

Failure failure_of(const JobError& error, std::size_t causes_left) {
  Failure failure;
  failure.type = error.type;
  failure.message = error.message;
  failure.node = error.node;
  failure.function = error.function;
  failure.attempt = error.attempt;
  if (error.cause && causes_left > 0) {
    failure.cause = std::make_shared<const Failure>(failure_of(*error.cause, causes_left - 1));
  }
  return failure;
}

// One that raise() would throw as such has the name of its type here.
std::string type_of(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::kThrown:
      return failure.type;
    case Failure::Kind::kNodeLost:
      return demangled(typeid(NodeLost));
    case Failure::Kind::kClosed:
      return demangled(typeid(Closed));
    case Failure::Kind::kUndecodable:
      return demangled(typeid(Error));
    case Failure::Kind::kCancelled:
      return demangled(typeid(Cancelled));
    case Failure::Kind::kTimeout:
      return demangled(typeid(Timeout));
  }
  return failure.type;
}

// What a cause does not say of itself, it has from what it caused. REQUIRES: there is a cause.
Failure cause_of(const Failure& failure) {
  Failure cause = *failure.cause;
  if (cause.node.empty() && cause.function.empty()) {
    cause.node = failure.node;
    cause.function = failure.function;
    cause.attempt = failure.attempt;
  }
  return cause;
}

JobError job_error_of(const Failure& failure) {
  std::shared_ptr<const JobError> cause;
  if (failure.cause) cause = std::make_shared<const JobError>(job_error_of(cause_of(failure)));
  return {type_of(failure), failure.message, failure.node,
          failure.function, failure.attempt, std::move(cause)};
}

Failure describe_current(std::size_t causes_left) {
  Failure failure;
  const std::type_info* type = thrown_type();
  failure.type = type != nullptr ? demangled(*type) : "unknown";
  const std::optional<ErrorType> known = error_types().lock()->find(failure.type);
  const bool itself = type != nullptr && known && *known->type == *type;
  try {
    throw;
  } catch (const JobError& error) {  // of a child, passed on: keep what was thrown there
    if (!itself) failure = failure_of(error, causes_left);
    failure.message = itself ? error.what() : error.message;
  } catch (const NodeLost& error) {
    if (!itself || *type == typeid(NodeLost)) failure.kind = Failure::Kind::kNodeLost;
    failure.message = error.what();
  } catch (const Closed& error) {
    if (!itself || *type == typeid(Closed)) failure.kind = Failure::Kind::kClosed;
    failure.message = error.what();
  } catch (const Cancelled& error) {
    if (!itself || *type == typeid(Cancelled)) failure.kind = Failure::Kind::kCancelled;
    failure.message = error.what();
  } catch (const Timeout& error) {
    if (!itself || *type == typeid(Timeout)) failure.kind = Failure::Kind::kTimeout;
    failure.message = error.what();
  } catch (const std::exception& error) {
    failure.message = error.what();
  } catch (...) {  // no std::exception: its type is all there is to say
  }
  if (itself && known->encode != nullptr) encode_current(known->encode, failure.payload);
  if (causes_left == 0) return failure;
  if (const std::exception_ptr nested = nested_in_current()) {
    try {
      std::rethrow_exception(nested);
    } catch (...) {
      failure.cause = std::make_shared<const Failure>(describe_current(causes_left - 1));
    }
  }
  return failure;
}

}  // namespace

void add_error_type(const ErrorType& type) { error_types().lock()->add(type); }

Failure describe_current_exception() { return describe_current(Failure::kMostCauses); }

void raise(const Failure& failure) {
  if (failure.kind == Failure::Kind::kUndecodable) throw Error(failure.message);
  const std::optional<ErrorType> known = error_types().lock()->find(type_of(failure));
  if (known) known->raise(failure);
  throw job_error_of(failure);
}

void raise_cause(const Failure& failure) { raise(cause_of(failure)); }

}  // namespace runtime
}  // namespace pp
