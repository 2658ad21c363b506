// Errors: what a job throws comes back as itself or with its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <optional>
#include <pp/errors.hpp>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <typeinfo>
#include <vector>

namespace lib {

struct ParseError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
template <class T>
struct Trouble {};

// Registered ones. This travels as a value ...
struct LineError : std::runtime_error {
  LineError() : std::runtime_error("a line cannot be read") {}
  LineError(int line_, std::string file_) : LineError() {
    line = line_;
    file = std::move(file_);
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(line, file);
  }
  int line = 0;
  std::string file;
};
struct LongLineError : LineError {
  using LineError::LineError;
};
// ... this as its what(), ...
struct Busy final : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// ... this could do either, ...
struct Either : std::runtime_error {
  explicit Either(const std::string& what = "by value") : std::runtime_error(what) {}
  template <class Archive>
  void serialize(Archive& archive) {
    archive(number);
  }
  int number = 0;
};
// ... this is a plain struct and no std::exception, ...
struct Code {
  int number;
};
// ... this has its cause in itself, ...
struct Nested : std::runtime_error, std::nested_exception {
  using std::runtime_error::runtime_error;
};
// ... this is a cancellation of the user's own, ...
struct Abandoned : pp::Cancelled {
  using pp::Cancelled::Cancelled;
};
// ... and this cannot be written.
struct Stubborn : std::runtime_error {
  Stubborn() : std::runtime_error("stubborn") {}
  template <class Archive>
  void save(Archive& archive) const {
    archive(1);
    throw std::logic_error("no");
  }
  template <class Archive>
  void load(Archive& archive) {
    int number = 0;
    archive(number);
  }
};

}  // namespace lib

namespace pp::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

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

TEST(Errors, cancelled_and_timed_out_jobs_are_told_apart) {
  EXPECT_TRUE(raised<Cancelled>(Failure::of(Failure::Kind::kCancelled, "m")));
  EXPECT_TRUE(raised<Timeout>(Failure::of(Failure::Kind::kTimeout, "m")));
  const Failure cancelled = left_by([] { throw Cancelled("gave up"); });
  EXPECT_EQ(cancelled.kind, Failure::Kind::kCancelled);
  EXPECT_STREQ(raised<Cancelled>(cancelled)->what(), "gave up");
  const Failure late = left_by([] { throw Timeout("2 s"); });
  EXPECT_EQ(late.kind, Failure::Kind::kTimeout);
  EXPECT_STREQ(raised<Timeout>(late)->what(), "2 s");
}

// --- causes ---

[[noreturn]] void fails_because_of(const std::function<void()>& cause,
                                   const std::function<void()>& consequence) {
  try {
    cause();
  } catch (...) {
    consequence();
  }
  std::abort();
}

// Throws, the outermost "0" ... the innermost, `depth` causes down, a plain one.
[[noreturn]] void throw_nested(int depth, int at = 0) {
  if (at == depth) throw lib::ParseError(std::to_string(at));
  try {
    throw_nested(depth, at + 1);
  } catch (...) {
    std::throw_with_nested(lib::ParseError(std::to_string(at)));
  }
}

TEST(ErrorsCause, a_type_is_the_users_also_with_something_nested) {
  const auto failure = left_by([] { throw_nested(1); });
  EXPECT_EQ(failure.type, "lib::ParseError");
  const auto no_exception = left_by([] {
    fails_because_of([] { throw 42; }, [] { std::throw_with_nested(lib::Trouble<int>()); });
  });
  EXPECT_EQ(no_exception.type, "lib::Trouble<int>");
  ASSERT_TRUE(no_exception.cause);
  EXPECT_EQ(no_exception.cause->type, "int");
  const auto own = left_by([] { throw lib::Nested("own"); });
  EXPECT_EQ(own.type, "lib::Nested") << "nothing of the standard library to take off";
  EXPECT_FALSE(own.cause);
}

TEST(ErrorsCause, a_job_error_has_all_its_causes) {
  const auto error = raised<JobError>(left_by([] { throw_nested(2); }));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "0");
  ASSERT_TRUE(error->cause);
  EXPECT_EQ(error->cause->type, "lib::ParseError");
  EXPECT_EQ(error->cause->message, "1");
  ASSERT_TRUE(error->cause->cause);
  EXPECT_EQ(error->cause->cause->message, "2");
  EXPECT_FALSE(error->cause->cause->cause);
  EXPECT_THAT(error->what(), HasSubstr("because of lib::ParseError: 1, because of"));
}

TEST(ErrorsCause, eight_of_them_are_kept) {
  for (const int depth : {7, 8, 9, 50}) {
    const auto error = raised<JobError>(left_by([depth] { throw_nested(depth); }));
    ASSERT_TRUE(error);
    int causes = 0;
    for (const JobError* one = error->cause.get(); one != nullptr; one = one->cause.get()) {
      EXPECT_EQ(one->message, std::to_string(++causes));
    }
    EXPECT_EQ(causes, std::min(depth, 8));
  }
}

// What rethrow_if_nested() finds in the exception that the failure stands for, if that is an E.
template <class E>
Failure nested_in(const Failure& failure) {
  try {
    raise(failure);
  } catch (const E& error) {
    try {
      std::rethrow_if_nested(error);
    } catch (...) {
      return describe_current_exception();
    }
    return Failure::of(Failure::Kind::kThrown, "nothing is nested");
  }
}

TEST(ErrorsCause, a_standard_type_comes_back_as_itself_with_its_cause_nested) {
  const auto failure = left_by([] {
    fails_because_of([] { throw_nested(1); },
                     [] { std::throw_with_nested(std::out_of_range("far")); });
  });
  EXPECT_EQ(failure.type, "std::out_of_range");
  EXPECT_THROW(raise(failure), std::out_of_range);
  const Failure nested = nested_in<std::out_of_range>(failure);
  EXPECT_EQ(nested.type, "lib::ParseError");
  EXPECT_EQ(nested.message, "0");
  ASSERT_TRUE(nested.cause);
  EXPECT_EQ(nested.cause->message, "1");
  EXPECT_EQ(nested_in<std::out_of_range>(left_by([] { throw std::out_of_range("far"); })).message,
            "nothing is nested");
}

TEST(ErrorsCause, standard_types_nested_in_each_other_are_all_themselves) {
  const auto failure = left_by([] {
    fails_because_of(
        [] {
          fails_because_of([] { throw std::bad_alloc(); },
                           [] { std::throw_with_nested(std::length_error("b")); });
        },
        [] { std::throw_with_nested(std::runtime_error("a")); });
  });
  try {
    raise(failure);
  } catch (const std::runtime_error& a) {
    EXPECT_STREQ(a.what(), "a");
    try {
      std::rethrow_if_nested(a);
      FAIL() << "nothing is nested";
    } catch (const std::length_error& b) {
      EXPECT_STREQ(b.what(), "b");
      EXPECT_THROW(std::rethrow_if_nested(b), std::bad_alloc);
    }
  }
}

TEST(ErrorsCause, it_ran_where_its_consequence_did_unless_it_says_otherwise) {
  Failure failure = left_by([] {
    fails_because_of([] { throw JobError("int", "", "far:1", "child()", 3); },
                     [] { std::throw_with_nested(lib::ParseError("a")); });
  });
  failure.node = "here:2";
  failure.function = "parent()";
  const auto error = raised<JobError>(failure);
  ASSERT_TRUE(error && error->cause);
  EXPECT_EQ(error->cause->node, "far:1");
  EXPECT_EQ(error->cause->function, "child()");
  EXPECT_EQ(error->cause->attempt, 3u);
  failure = left_by([] { throw_nested(2); });
  failure.node = "here:2";
  failure.function = "parent()";
  failure.attempt = 2;
  const auto own = raised<JobError>(failure);
  ASSERT_TRUE(own && own->cause && own->cause->cause);
  EXPECT_EQ(own->cause->cause->node, "here:2");
  EXPECT_EQ(own->cause->cause->function, "parent()");
  EXPECT_EQ(own->cause->cause->attempt, 2u);
}

TEST(ErrorsCause, errors_passed_on_by_a_parent_stay_what_they_are) {
  const auto first = left_by([] {
    fails_because_of([] { throw NodeLost("lost"); },
                     [] { std::throw_with_nested(std::range_error("a")); });
  });
  const auto second = left_by([&] { raise(first); });
  EXPECT_EQ(second.type, "std::range_error");
  ASSERT_TRUE(second.cause);
  EXPECT_EQ(second.cause->kind, Failure::Kind::kNodeLost);
  const auto job = left_by([] { throw_nested(3); });
  const auto again = raised<JobError>(left_by([&] { raise(job); }));
  ASSERT_TRUE(again && again->cause && again->cause->cause);
  EXPECT_EQ(again->cause->cause->message, "2");
}

TEST(ErrorsCause, of_a_cancelled_job_is_nested_in_it) {
  const auto failure = left_by([] {
    fails_because_of([] { throw std::logic_error("why"); },
                     [] { std::throw_with_nested(Cancelled("gave up")); });
  });
  EXPECT_EQ(failure.kind, Failure::Kind::kCancelled);
  EXPECT_EQ(nested_in<Cancelled>(failure).message, "why");
}

// --- registered types ---

class ErrorsRegistered : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (int times = 0; times < 2; ++times) {
      register_error<lib::LineError>();
      register_error<lib::Busy>();
      register_error<lib::Either>();
      register_error<lib::Code>();
      register_error<lib::Nested>();
      register_error<lib::Abandoned>();
      register_error<lib::Stubborn>();
    }
  }
};

TEST_F(ErrorsRegistered, a_type_that_travels_comes_back_with_its_value) {
  const auto error = raised<lib::LineError>(left_by([] { throw lib::LineError(7, "a.txt"); }));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->line, 7);
  EXPECT_EQ(error->file, "a.txt");
  EXPECT_STREQ(error->what(), "a line cannot be read");
}

TEST_F(ErrorsRegistered, a_type_made_from_its_what_comes_back_with_it) {
  const auto error = raised<lib::Busy>(left_by([] { throw lib::Busy("line 3"); }));
  ASSERT_TRUE(error);
  EXPECT_STREQ(error->what(), "line 3");
}

TEST_F(ErrorsRegistered, a_value_is_preferred_to_a_what) {
  const auto error = raised<lib::Either>(left_by([] {
    lib::Either either("by what");
    either.number = 5;
    throw either;
  }));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->number, 5);
}

TEST_F(ErrorsRegistered, what_is_no_exception_may_be_registered_too) {
  try {
    raise(left_by([] { throw lib::Code{12}; }));
  } catch (const lib::Code& code) {
    EXPECT_EQ(code.number, 12);
  }
}

TEST_F(ErrorsRegistered, exactly_this_type_counts) {
  const auto derived = raised<JobError>(left_by([] { throw lib::LongLineError(7, "a.txt"); }));
  ASSERT_TRUE(derived);
  EXPECT_EQ(derived->type, "lib::LongLineError");
  EXPECT_TRUE(raised<JobError>(left_by([] { throw 42; })));
}

TEST_F(ErrorsRegistered, one_derived_from_an_error_of_pp_is_itself) {
  const auto failure = left_by([] { throw lib::Abandoned("enough"); });
  EXPECT_EQ(failure.kind, Failure::Kind::kThrown);
  EXPECT_STREQ(raised<lib::Abandoned>(failure)->what(), "enough");
}

TEST_F(ErrorsRegistered, one_with_a_cause_has_it_nested) {
  const auto failure = left_by([] {
    fails_because_of([] { throw std::logic_error("why"); },
                     [] { std::throw_with_nested(lib::LineError(9, "b")); });
  });
  EXPECT_EQ(failure.type, "lib::LineError");
  EXPECT_EQ(nested_in<lib::LineError>(failure).message, "why");
  try {
    raise(failure);
  } catch (const lib::LineError& error) {
    EXPECT_EQ(error.line, 9);
  }
  // A type that is a nested_exception itself holds it, a final one loses it and is still itself.
  const auto own = left_by([] {
    fails_because_of([] { throw std::logic_error("why"); }, [] { throw lib::Nested("own"); });
  });
  EXPECT_EQ(nested_in<lib::Nested>(own).message, "why");
  Failure last = left_by([] { throw lib::Busy("b"); });
  last.cause = std::make_shared<const Failure>(failure);
  EXPECT_TRUE(raised<lib::Busy>(last));
}

TEST_F(ErrorsRegistered, what_cannot_be_written_or_read_comes_as_job_error) {
  const auto unwritten = raised<JobError>(left_by([] { throw lib::Stubborn(); }));
  ASSERT_TRUE(unwritten);
  EXPECT_EQ(unwritten->type, "lib::Stubborn");
  EXPECT_EQ(unwritten->message, "stubborn");
  Failure garbled = left_by([] { throw lib::LineError(7, "a.txt"); });
  for (std::size_t size = 0; size < garbled.payload.size(); ++size) {
    Failure cut = garbled;
    cut.payload.resize(size);
    const auto error = raised<JobError>(cut);
    ASSERT_TRUE(error) << size;
    EXPECT_EQ(error->type, "lib::LineError");
    EXPECT_EQ(error->message, "a line cannot be read");
    cut.cause = std::make_shared<const Failure>(garbled);
    EXPECT_TRUE(raised<JobError>(cut)->cause);
  }
  garbled.payload.push_back(std::byte{0});
  EXPECT_TRUE(raised<JobError>(garbled));
}

TEST(ErrorsRegisteredNowhere, come_as_job_errors_with_what_was_sent) {
  Failure failure = Failure::of(Failure::Kind::kThrown, "message");
  failure.type = "of::AnotherProgram";
  failure.payload = {std::byte{1}};
  const auto error = raised<JobError>(failure);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, "of::AnotherProgram");
}

// Two types of one name, as unnamed namespaces in two files have them.
struct OfOneName {
  void (*register_it)();
  void (*throw_it)();
};
OfOneName of_one_name(bool first) {
  if (first) {
    struct Here : std::runtime_error {
      using std::runtime_error::runtime_error;
    };
    return {&register_error<Here>, [] { throw Here("first"); }};
  }
  struct Here : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  return {&register_error<Here>, [] { throw Here("second"); }};
}

TEST(ErrorsOfOneName, are_not_taken_for_each_other) {
  of_one_name(true).register_it();
  EXPECT_FALSE(raised<JobError>(left_by(of_one_name(true).throw_it)));
  const auto other = raised<JobError>(left_by(of_one_name(false).throw_it));
  ASSERT_TRUE(other);
  EXPECT_EQ(other->message, "second");
}

TEST(ErrorsOfOneName, are_not_both_registered) {
  of_one_name(true).register_it();
  try {
    of_one_name(false).register_it();
    FAIL() << "nothing was said";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("two exception types called"));
  }
}

// Catches: a registry that is read without its lock (ThreadSanitizer), a type half registered.
TEST(ErrorsRegisteredByManyThreads, come_back_as_themselves) {
  std::vector<std::thread> threads;
  std::atomic<int> themselves{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&themselves] {
      for (int round = 0; round < 200; ++round) {
        register_error<lib::LineError>();
        const auto error = raised<lib::LineError>(left_by([] { throw lib::LineError(7, "a"); }));
        themselves += error && error->line == 7;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(themselves, 800);
}

// --- failures as values ---

static_assert(Travels<Failure>);
static_assert(Travels<std::vector<std::pair<std::uint64_t, Failure>>>);
static_assert(!Travels<std::runtime_error> && !Travels<JobError>);

using Failures = std::vector<std::pair<std::uint64_t, Failure>>;

Failures some_failures() {
  Failure failure = left_by([] { throw_nested(2); });
  failure.node = "node7:55";
  failure.function = "parse(std::string)";
  failure.attempt = 3;
  failure.payload = {std::byte{1}, std::byte{2}};
  return {{7, failure}, {~0ull, Failure::of(Failure::Kind::kTimeout, "2 s")}};
}

std::string words(const Failure& failure) {
  std::string text = std::to_string(static_cast<int>(failure.kind)) + "|" + failure.type + "|" +
                     failure.message + "|" + failure.node + "|" + failure.function + "|" +
                     std::to_string(failure.attempt) + "|" + std::to_string(failure.payload.size());
  if (failure.cause) text += " <- " + words(*failure.cause);
  return text;
}

TEST(FailureAsValue, travels_inside_other_values) {
  codec::Bytes bytes;
  codec::encode(bytes, some_failures());
  const auto back = codec::decode_whole<Failures>(bytes);
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].first, 7u);
  EXPECT_EQ(words(back[0].second), words(some_failures()[0].second));
  EXPECT_EQ(words(back[0].second),
            "0|lib::ParseError|0|node7:55|parse(std::string)|3|2 <- 0|lib::ParseError|1|||1|0 <- "
            "0|lib::ParseError|2|||1|0");
  EXPECT_EQ(back[0].second.payload, some_failures()[0].second.payload);
  EXPECT_EQ(words(back[1].second), words(some_failures()[1].second));
}

TEST(FailureAsValue, has_eight_causes_at_most) {
  Failure failure = Failure::of(Failure::Kind::kThrown, "deepest");
  for (int i = 0; i < 20; ++i) {
    Failure next = Failure::of(Failure::Kind::kThrown, std::to_string(i));
    next.cause = std::make_shared<const Failure>(std::move(failure));
    failure = std::move(next);
  }
  codec::Bytes bytes;
  codec::encode(bytes, failure);
  const auto back = codec::decode_whole<Failure>(bytes);
  const std::string all = words(back);
  EXPECT_THAT(all, HasSubstr("|11|"));
  EXPECT_THAT(all, Not(HasSubstr("|10|")));
  // The first byte is the number of causes: here is one more.
  ASSERT_EQ(bytes[0], std::byte{8});
  bytes[0] = std::byte{9};
  codec::Bytes another;
  codec::encode(another, Failure::of(Failure::Kind::kThrown, "m"));
  bytes.insert(bytes.end(), another.begin() + 1, another.end());
  EXPECT_THROW(codec::decode_whole<Failure>(bytes), codec::DecodeError);
}

TEST(FailureAsValue, cut_or_garbled_is_refused_or_harmless) {
  codec::Bytes whole;
  codec::encode(whole, some_failures());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const codec::Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(codec::decode_whole<Failures>(cut), codec::DecodeError) << size;
  }
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    codec::Bytes garbled = whole;
    garbled[bit / 8] ^= std::byte{1} << bit % 8;
    try {
      const auto read = codec::decode_whole<Failures>(garbled);
      for (const auto& [number, failure] : read) EXPECT_LE(failure.kind, Failure::kLastKind);
    } catch (const codec::DecodeError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0u);
}

TEST(Errors, the_first_attempt_on_this_node_needs_no_many_words) {
  const JobError error("int", "", "", "", 1);
  EXPECT_STREQ(error.what(), "the job threw int (on this node)");
}

}  // namespace
}  // namespace pp::runtime
