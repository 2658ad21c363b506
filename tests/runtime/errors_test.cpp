// Errors: what a job throws comes back as itself or with its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <optional>
#include <pp/errors.hpp>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

namespace lib {

struct ParseError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
template <class T>
struct Trouble {};

}  // namespace lib

namespace pp::runtime {
namespace {

using testing::HasSubstr;

// What an execution leaves when the function ends like this.
Failure left_by(const std::function<void()>& ends) {
  try {
    ends();
  } catch (...) {
    return describe_current_exception();
  }
  return Failure::of(Failure::Kind::kThrown, "nothing was thrown");
}

// Throws what a future would.
template <class E>
std::optional<E> raised(const Failure& failure) {
  try {
    raise(failure);
  } catch (const E& error) {
    if (typeid(error) == typeid(E)) return error;
  } catch (...) {
  }
  return std::nullopt;
}

template <class E>
void comes_back_as_itself() {
  const auto error = raised<E>(left_by([] { throw E("what it says"); }));
  ASSERT_TRUE(error) << typeid(E).name();
  EXPECT_STREQ(error->what(), "what it says");
}

TEST(Errors, standard_types_come_back_as_themselves) {
  comes_back_as_itself<std::runtime_error>();
  comes_back_as_itself<std::logic_error>();
  comes_back_as_itself<std::invalid_argument>();
  comes_back_as_itself<std::domain_error>();
  comes_back_as_itself<std::length_error>();
  comes_back_as_itself<std::out_of_range>();
  comes_back_as_itself<std::range_error>();
  comes_back_as_itself<std::overflow_error>();
  comes_back_as_itself<std::underflow_error>();
  EXPECT_TRUE(raised<std::bad_alloc>(left_by([] { throw std::bad_alloc(); })));
}

TEST(Errors, a_derived_type_comes_back_as_job_error_with_its_name) {
  const auto error = raised<JobError>(left_by([] { throw lib::ParseError("line 3"); }));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, "lib::ParseError");
  EXPECT_EQ(error->message, "line 3");
  EXPECT_EQ(error->attempt, 1u);
  EXPECT_THAT(error->what(), HasSubstr("threw lib::ParseError: line 3"));
}

TEST(Errors, other_types_of_the_standard_library_come_back_as_job_errors) {
  const auto error = raised<JobError>(left_by(
      [] { throw std::system_error(std::make_error_code(std::errc::timed_out), "reading"); }));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, "std::system_error");
  EXPECT_THAT(error->message, HasSubstr("reading"));
  const auto plain = raised<JobError>(left_by([] { throw std::exception(); }));
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->type, "std::exception");
}

TEST(Errors, what_is_no_exception_has_a_type_and_no_message) {
  const auto number = raised<JobError>(left_by([] { throw 42; }));
  ASSERT_TRUE(number);
  EXPECT_EQ(number->type, "int");
  EXPECT_EQ(number->message, "");
  const auto odd = raised<JobError>(left_by([] { throw lib::Trouble<int>(); }));
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->type, "lib::Trouble<int>");
}

TEST(Errors, errors_of_pp_itself_are_told_apart) {
  const auto mine = raised<JobError>(left_by([] { throw Error("of pp"); }));
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->type, "pp::Error");
  EXPECT_EQ(mine->message, "of pp");
}

TEST(Errors, a_childs_error_passed_on_keeps_what_was_thrown_where) {
  const auto child = left_by(
      [] { throw JobError("lib::ParseError", "line 3", "node7:55", "parse(std::string)", 2); });
  EXPECT_EQ(child.node, "node7:55");
  EXPECT_EQ(child.function, "parse(std::string)");
  const auto error = raised<JobError>(child);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, "lib::ParseError");
  EXPECT_EQ(error->message, "line 3");
  EXPECT_EQ(error->node, "node7:55");
  EXPECT_EQ(error->function, "parse(std::string)");
  EXPECT_EQ(error->attempt, 2u);
  for (const char* part : {"lib::ParseError", "line 3", "node7:55", "parse", "attempt 2"}) {
    EXPECT_THAT(error->what(), HasSubstr(part));
  }
}

TEST(Errors, a_lost_node_and_an_ended_runtime_pass_through_a_parent) {
  const auto lost = raised<NodeLost>(left_by([] { throw NodeLost("four times"); }));
  ASSERT_TRUE(lost);
  EXPECT_STREQ(lost->what(), "four times");
  const auto closed = raised<Closed>(left_by([] { throw Closed("too late"); }));
  ASSERT_TRUE(closed);
  EXPECT_STREQ(closed->what(), "too late");
}

TEST(Errors, every_kind_of_failure_is_raised_as_what_it_stands_for) {
  using Kind = Failure::Kind;
  EXPECT_TRUE(raised<NodeLost>(Failure::of(Kind::kNodeLost, "m")));
  EXPECT_TRUE(raised<Closed>(Failure::of(Kind::kClosed, "m")));
  EXPECT_TRUE(raised<Error>(Failure::of(Kind::kUndecodable, "m")));
  EXPECT_TRUE(raised<JobError>(Failure::of(Kind::kThrown, "m")));
}

TEST(Errors, all_of_them_are_pp_errors_and_those_are_runtime_errors) {
  for (const auto kind : {Failure::Kind::kNodeLost, Failure::Kind::kClosed, Failure::Kind::kThrown,
                          Failure::Kind::kUndecodable}) {
    EXPECT_THROW(raise(Failure::of(kind, "m")), Error);
    EXPECT_THROW(raise(Failure::of(kind, "m")), std::runtime_error);
  }
}

TEST(Errors, the_first_attempt_on_this_node_needs_no_many_words) {
  const JobError error("int", "", "", "", 1);
  EXPECT_STREQ(error.what(), "the job threw int (on this node)");
}

}  // namespace
}  // namespace pp::runtime
