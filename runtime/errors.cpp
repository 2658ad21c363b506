// Errors: from a thrown exception to a value that travels, and back.
#include <cxxabi.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <new>
#include <pp/errors.hpp>
#include <stdexcept>
#include <typeinfo>

namespace pp {

namespace {

std::string describe(const std::string& type, const std::string& message, const std::string& node,
                     const std::string& function, std::uint32_t attempt) {
  std::string text = "the job " + (function.empty() ? "" : function + " ") + "threw " + type;
  if (!message.empty()) text += ": " + message;
  text += " (on " + (node.empty() ? "this node" : node);
  if (attempt > 1) text += ", attempt " + std::to_string(attempt);
  return text + ")";
}

}  // namespace

JobError::JobError(std::string type_name, std::string message_, std::string node_name,
                   std::string function_name, std::uint32_t attempt_number)
    : Error(describe(type_name, message_, node_name, function_name, attempt_number)),
      type(std::move(type_name)),
      message(std::move(message_)),
      node(std::move(node_name)),
      function(std::move(function_name)),
      attempt(attempt_number) {}

namespace runtime {

namespace {

std::string demangled(const std::type_info& type) {
  int status = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string result = status == 0 && name != nullptr ? name : type.name();
  std::free(name);  // __cxa_demangle takes it from malloc
  return result;
}

// The standard types that come back as themselves.
struct Standard {
  std::string type;
  void (*raise)(const std::string& what);
};

template <class E>
Standard standard() {
  return {demangled(typeid(E)), [](const std::string& what) {
            if constexpr (std::is_constructible_v<E, const std::string&>) {
              throw E(what);
            } else {
              throw E();
            }
          }};
}

const auto& standard_types() {
  static const std::array<Standard, 10> types{
      standard<std::runtime_error>(),    standard<std::logic_error>(),
      standard<std::invalid_argument>(), standard<std::domain_error>(),
      standard<std::length_error>(),     standard<std::out_of_range>(),
      standard<std::range_error>(),      standard<std::overflow_error>(),
      standard<std::underflow_error>(),  standard<std::bad_alloc>(),
  };
  return types;
}

}  // namespace

Failure describe_current_exception() {
  Failure failure;
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    failure.type = demangled(*type);
  } else {
    failure.type = "unknown";
  }
  try {
    throw;
  } catch (const JobError& error) {  // of a child, passed on: keep what was thrown there
    failure.type = error.type;
    failure.message = error.message;
    failure.node = error.node;
    failure.function = error.function;
    failure.attempt = error.attempt;
  } catch (const NodeLost& error) {
    failure.kind = Failure::Kind::kNodeLost;
    failure.message = error.what();
  } catch (const Closed& error) {
    failure.kind = Failure::Kind::kClosed;
    failure.message = error.what();
  } catch (const std::exception& error) {
    failure.message = error.what();
  } catch (...) {  // no std::exception: its type is all there is to say
  }
  return failure;
}

void raise(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::kNodeLost:
      throw NodeLost(failure.message);
    case Failure::Kind::kClosed:
      throw Closed(failure.message);
    case Failure::Kind::kUndecodable:
      throw Error(failure.message);
    case Failure::Kind::kThrown:
      break;
  }
  for (const Standard& standard : standard_types()) {
    if (standard.type == failure.type) standard.raise(failure.message);
  }
  throw JobError(failure.type, failure.message, failure.node, failure.function, failure.attempt);
}

}  // namespace runtime
}  // namespace pp
