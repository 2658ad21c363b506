// Messages: what goes out comes back, and no garbage does harm.
#include "messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <pp/error.hpp>
#include <random>

#include "sanitized.hpp"

namespace pp::runtime::messages {
namespace {

std::span<const std::byte> bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string digest(std::string_view large) {
  return std::to_string(large.size()) + " bytes, hash " +
         std::to_string(std::hash<std::string_view>()(large));
}

NodeId node(std::uint8_t first) {
  NodeId id;
  std::iota(id.bytes.begin(), id.bytes.end(), first);
  return id;
}

// Writes down what it is told, in words, so that two messages are compared by two texts; and how
// much memory the telling took.
class Scribe final : public Listener {
 public:
  void on(const Steal& steal) override { tell("steal", steal.workers, steal.idle, steal.wants); }
  void on(const Grant& grant) override {
    tell(grant.unasked ? "unasked grant" : "grant", grant.queued);
    entries += grant.jobs.size();
    for (const LentJob& job : grant.jobs) {
      tell("job", job.number, job.attempt, job.function, content(job.arguments));
      if (job.id != 0) tell("id", job.id);
      if (job.timeout_nanoseconds != 0) tell("timeout", job.timeout_nanoseconds);
      if (job.priority != 1) tell("priority", job.priority);
      if (job.once) tell("once");
      if (job.placed) tell("placed");
      if (!job.label.empty()) tell("label", job.label);
      tell_blobs(job.blobs);
    }
  }
  void on(const Redirect& redirect) override {
    tell("redirect", redirect.owner.to_string(), redirect.queued, redirect.waits);
  }
  void on(const None& none) override { tell("none", none.queued); }
  void on(std::span<const Returned> returned) override {
    tell("returned");
    entries += returned.size();
    for (const Returned& each : returned) {
      tell("one", each.number, each.begun, static_cast<int>(each.reason), to_string(each.reason));
    }
  }
  void on(std::span<const Result> results) override {
    tell("results");
    entries += results.size();
    for (const Result& each : results) {
      if (const auto* value = std::get_if<0>(&each.outcome)) {
        tell("value", each.number, content(*value));
        tell_blobs(each.blobs);
      } else {
        tell("failure", each.number);
        for (const Failure* one = &*std::get<1>(each.outcome); one; one = one->cause.get()) {
          if (one != &*std::get<1>(each.outcome)) tell("because");
          tell(static_cast<int>(one->kind), one->type, one->message, one->node, one->function,
               one->attempt);
          if (!one->payload.empty()) tell("payload", content(one->payload));
        }
      }
    }
  }
  void on(const Load& load) override {
    tell("load", load.queued, load.idle, load.jobs, load.nanoseconds, load.stolen, load.ask,
         load.answers);
    if (load.workers != 0) tell("workers", load.workers);
    if (load.lent + load.memory != 0) tell("lent", load.lent, load.memory);
    for (const FunctionFigures& one : load.functions) {
      tell("function", one.function, one.failed, one.nanoseconds, one.running);
      for (const std::uint64_t count : one.counts) tell(count);
    }
  }
  void on_leave(std::string_view why) override { tell("leave", why); }
  void on_understood() override { tell("understood"); }
  void on_cancel(std::span<const std::uint64_t> numbers) override {
    tell("cancel");
    entries += (numbers.size() + 1) / 2;  // each is half of the smallest of other entries
    for (const std::uint64_t number : numbers) tell(number);
  }
  void on(const Attach& attach) override {
    tell("attach", attach.mine, attach.yours, attach.applied);
  }
  void on_begun(std::span<const std::uint64_t> numbers) override {
    tell("begun");
    entries += (numbers.size() + 1) / 2;  // as above
    for (const std::uint64_t number : numbers) tell(number);
  }
  void on(std::span<const Want> wants) override {
    tell("want");
    entries += wants.size();
    for (const Want& want : wants) tell(name(want.id), want.at, want.length, want.insist);
  }
  void on(const Piece& piece) override {
    tell("piece", name(piece.id), piece.at, content(piece.bytes));
  }
  void on_not_here(const BlobId& id) override { tell("not here", name(id)); }
  void on(const Instead& instead) override {
    tell("instead", name(instead.id), instead.node.to_string());
  }
  void on_taken(std::span<const std::uint64_t> numbers) override {
    tell("taken");
    entries += (numbers.size() + 1) / 2;  // as above
    for (const std::uint64_t number : numbers) tell(number);
  }
  void on(const Observe& observe) override {
    tell("observe", observe.asked, observe.grain, observe.rate);
  }
  void on(const Records& records) override {
    tell("records", records.asked, records.heard, records.said, records.clock, records.dropped,
         content(records.records));
  }

  void tell_blobs(const std::vector<NamedBlob>& blobs) {
    entries += blobs.size();
    for (const NamedBlob& each : blobs) tell("blob", name(each.id), each.place);
  }
  static std::string name(const BlobId& id) {
    std::string name;
    for (const std::uint8_t byte : id.hash.bytes) name += std::to_string(byte) + '.';
    return name + " of " + std::to_string(id.size);
  }

  std::string story;
  std::size_t entries = 0;

 private:
  static std::string content(std::span<const std::byte> bytes) {
    if (bytes.size() < 100'000'000) return text(bytes);
    return digest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  template <class... T>
  void tell(const T&... parts) {
    if (story.size() > 100'000) return;  // enough to compare
    ((story += word(parts) + "|"), ...);
  }
  static std::string word(std::string_view text) { return std::string(text); }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  static std::string word(Number number) { return std::to_string(number); }
};

std::string heard(const Encoded& message) {
  EXPECT_EQ(message.size() % 8, 0u) << "the transport carries whole words";
  Scribe scribe;
  decode(message, scribe);
  return scribe.story;
}

Failure failure() {
  Failure failure;
  failure.kind = Failure::Kind::kUndecodable;
  failure.type = "my::Type";
  failure.message = std::string("with a \0 inside", 15);
  failure.node = "n";
  failure.function = "";
  failure.attempt = 3;
  return failure;
}

// Says "0" and has so many causes, which say "1", "2", ...
Failure with_causes(int causes, int at = 0) {
  Failure failure = Failure::of(Failure::Kind::kThrown, std::to_string(at));
  failure.payload.resize(3, std::byte{'p'});
  if (at < causes) failure.cause = std::make_shared<const Failure>(with_causes(causes, at + 1));
  return failure;
}

const std::string kArguments = "some arguments, as bytes";

LentJob with_particulars() {
  LentJob job{1, 2, 3, bytes(kArguments)};
  job.id = 0x8000'0000'0000'0004;
  job.timeout_nanoseconds = 5'000'000'000;
  job.priority = 2;
  job.once = true;
  job.placed = true;
  job.label = "frame 7";
  return job;
}

BlobId blob(std::uint8_t first) {
  BlobId id;
  std::iota(id.hash.bytes.begin(), id.hash.bytes.end(), first);
  id.size = 1'000'000;
  return id;
}

std::vector<Want> wants() {
  return {{blob(1), 0, 262'144, false}, {blob(2), 999'999, 1, true}, {{}, 0, 0, false}};
}

Load with_functions() {
  FunctionFigures ran{.function = 9, .failed = 1, .nanoseconds = 70'000, .running = 2};
  ran.counts[3] = 4;
  ran.counts[FunctionFigures::kBuckets - 1] = 1;
  return {1, 2, 3, 4, 5, 0, 7, 8, 9, 10, {ran, {.function = 11}}};
}

std::vector<Encoded> one_of_each_kind() {
  const std::vector<Returned> returned{{1, true, Reason::kLeaving}, {2, false, Reason::kWanted}};
  const std::vector<Result> results{{7, bytes(kArguments)}, {8, failure()}, {9, with_causes(2)}};
  const std::vector<std::uint64_t> cancelled{1, 2, 3};
  return {encode(Steal{4, 3}),
          encode(Grant{{{1, 2, 3, bytes(kArguments)}, {4, 5, 6, {}}}, 7}),
          encode(Grant{{with_particulars(), with_particulars()}, 7, true}),
          encode(Redirect{node(9), 5}),
          encode(None{6}),
          encode(returned),
          encode(results),
          encode(Load{1, 2, 3, 4, 5, 6, 7, 8}),
          encode(with_functions()),
          encode_leave("the work is done"),
          encode_understood(),
          encode_cancel(cancelled),
          encode(Attach{1, 2, 3}),
          encode_begun(cancelled),
          encode(wants()),
          encode(Piece{blob(5), 262'144, bytes(kArguments)}),
          encode(Piece{blob(6), 0, {}}),
          encode_not_here(blob(7)),
          encode(Instead{blob(8), node(9)}),
          encode_taken(cancelled),
          encode(Observe{1, 2, 3}),
          encode(Records{1, 2, 3, 4, 5, bytes(kArguments)})};
}

TEST(Messages, a_request_comes_back) { EXPECT_EQ(heard(encode(Steal{4, 3, 7})), "steal|4|3|7|"); }

TEST(Messages, a_grant_comes_back) {
  EXPECT_EQ(heard(encode(Grant{{{1, 2, 1ull << 63, bytes(kArguments)}, {4, 5, 6, {}}}, 7})),
            "grant|7|job|1|2|9223372036854775808|" + kArguments + "|job|4|5|6||");
  EXPECT_EQ(heard(encode(Grant{})), "grant|0|");
}

TEST(Messages, jobs_come_back_with_their_particulars) {
  EXPECT_EQ(heard(encode(Grant{{with_particulars(), {4, 5, 6, {}}}, 7, true})),
            "unasked grant|7|job|1|2|3|" + kArguments +
                "|id|9223372036854775812|timeout|5000000000|priority|2|once|placed|label|frame 7|"
                "job|4|5|6||");
  // Each by itself: none sits where another is read.
  const std::string plain = "grant|0|job|0|1|0||";
  LentJob job;
  job.once = true;
  EXPECT_EQ(heard(encode(Grant{{job}, 0})), plain + "once|");
  job = {};
  job.placed = true;
  EXPECT_EQ(heard(encode(Grant{{job}, 0})), plain + "placed|");
  job = {};
  job.priority = 0;
  EXPECT_EQ(heard(encode(Grant{{job}, 0})), plain + "priority|0|");
}

TEST(Messages, a_cancellation_comes_back) {
  const std::vector<std::uint64_t> numbers{3, ~0ull, 0};
  EXPECT_EQ(heard(encode_cancel(numbers)), "cancel|3|18446744073709551615|0|");
  EXPECT_EQ(heard(encode_cancel({})), "cancel|");
  const std::vector<std::uint64_t> many(100'000, 7);
  Scribe scribe;
  decode(encode_cancel(many), scribe);
  EXPECT_EQ(scribe.entries, many.size() / 2);
}

TEST(Messages, what_is_said_for_a_trace_comes_back) {
  EXPECT_EQ(heard(encode(Observe{1, 2, 3})), "observe|1|2|3|");
  EXPECT_EQ(heard(encode(Records{1, 2, 3, 4, 5, bytes(kArguments)})),
            "records|1|2|3|4|5|" + kArguments + "|");
  EXPECT_EQ(heard(encode(Records{0, 0, 0, 0, 9})), "records|0|0|0|0|9||");
}

TEST(Messages, numbers_of_what_has_begun_come_back) {
  const std::vector<std::uint64_t> numbers{3, ~0ull, 0};
  EXPECT_EQ(heard(encode_begun(numbers)), "begun|3|18446744073709551615|0|");
  EXPECT_EQ(heard(encode_begun({})), "begun|");
}

TEST(Messages, what_is_said_of_a_link_comes_back) {
  EXPECT_EQ(heard(encode(Attach{1, 0, 0})), "attach|1|0|0|");
  EXPECT_EQ(heard(encode(Attach{~0ull, ~1ull, ~2ull})),
            "attach|18446744073709551615|18446744073709551614|18446744073709551613|");
}

TEST(Messages, a_link_without_a_number_is_refused) {
  Scribe scribe;
  EXPECT_THROW(decode(encode(Attach{0, 2, 3}), scribe), Error);
  EXPECT_EQ(scribe.story, "");
}

// ---- the header in front of each

TEST(Messages, are_encoded_with_a_header_of_zeros) {
  for (const Encoded& message : one_of_each_kind()) {
    EXPECT_EQ(header_of(message).sequence, 0u);
    EXPECT_EQ(header_of(message).applied, 0u);
  }
}

TEST(Messages, a_header_comes_back_and_changes_nothing_that_is_told) {
  for (Encoded message : one_of_each_kind()) {
    const std::string story = heard(message);
    const Encoded plain = message;
    for (const Header header : {Header{1, 0}, Header{0, 1}, Header{~0ull, ~0ull},
                                Header{0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210}}) {
      set_header(message, header);
      EXPECT_EQ(header_of(message).sequence, header.sequence);
      EXPECT_EQ(header_of(message).applied, header.applied);
      EXPECT_EQ(heard(message), story);
    }
    set_header(message, {});
    EXPECT_EQ(message, plain);
  }
}

TEST(Messages, any_bytes_make_a_header) {
  std::mt19937 random(3);
  for (Encoded message : one_of_each_kind()) {
    const std::string story = heard(message);
    for (std::size_t i = 0; i < kHeaderBytes; ++i) message[i] = static_cast<std::byte>(random());
    EXPECT_EQ(heard(message), story);
  }
}

TEST(Messages, a_header_has_its_lowest_byte_first) {
  Encoded message = encode_acknowledgement();
  set_header(message, {0x0102, std::uint64_t{3} << 56});
  Encoded expected(16);
  expected[0] = std::byte{2};
  expected[1] = std::byte{1};
  expected[15] = std::byte{3};
  EXPECT_EQ(message, expected);
}

TEST(Messages, an_acknowledgement_is_a_header_that_tells_nothing_else) {
  Encoded message = encode_acknowledgement();
  EXPECT_EQ(message.size(), kHeaderBytes);
  EXPECT_EQ(heard(message), "");
  set_header(message, {0, 77});
  EXPECT_EQ(heard(message), "");
  EXPECT_EQ(header_of(message).applied, 77u);
}

TEST(Messages, one_shorter_than_its_header_is_refused) {
  for (const Encoded& whole : one_of_each_kind()) {
    for (std::size_t size = 0; size < kHeaderBytes; ++size) {
      const std::span<const std::byte> part = std::span(whole).first(size);
      Scribe scribe;
      EXPECT_THROW(header_of(part), Error);
      EXPECT_THROW(decode(part, scribe), Error);
      EXPECT_EQ(scribe.story, "");
    }
  }
}

TEST(Messages, a_redirect_and_a_refusal_come_back) {
  EXPECT_EQ(heard(encode(Redirect{node(9), 5})), "redirect|" + node(9).to_string() + "|5|0|");
  EXPECT_EQ(heard(encode(Redirect{node(9), 5, true})), "redirect|" + node(9).to_string() + "|5|1|");
  EXPECT_EQ(heard(encode(None{6})), "none|6|");
}

TEST(Messages, returned_loans_come_back_with_their_reasons) {
  const std::vector<Returned> all{
      {1, true, Reason::kLeaving},          {2, false, Reason::kWanted},
      {3, false, Reason::kUnknownFunction}, {4, true, Reason::kCancelled},
      {5, false, Reason::kIneligible},      {6, false, Reason::kFull}};
  EXPECT_EQ(heard(encode(all)),
            "returned|one|1|1|1|the node was leaving|one|2|0|0|another thief wanted it|"
            "one|3|0|2|the node does not know its function|one|4|1|3|it was cancelled|"
            "one|5|0|4|it may not be run there|"
            "one|6|0|5|too much of its owner waits there|");
  EXPECT_EQ(heard(encode(std::span<const Returned>{})), "returned|");
}

TEST(Messages, results_come_back_as_values_and_failures) {
  const std::vector<Result> all{{7, bytes(kArguments)}, {8, failure()}, {9, bytes("")}};
  EXPECT_EQ(heard(encode(all)), "results|value|7|" + kArguments + "|failure|8|3|my::Type|" +
                                    std::string("with a \0 inside", 15) + "|n||3|value|9||");
}

TEST(Messages, every_kind_of_failure_comes_back) {
  for (std::uint8_t kind = 0; kind <= 5; ++kind) {
    const std::vector<Result> one{{1, Failure::of(static_cast<Failure::Kind>(kind), "it")}};
    EXPECT_EQ(heard(encode(one)), "results|failure|1|" + std::to_string(kind) + "||it|||1|");
  }
}

std::string story_with_causes(int causes) {
  std::string story = "results|failure|1|";
  for (int i = 0; i <= causes; ++i) {
    story +=
        (i > 0 ? "because|" : "") + std::string("0||") + std::to_string(i) + "|||1|payload|ppp|";
  }
  return story;
}

TEST(Messages, failures_come_back_with_eight_causes_at_most) {
  for (const int causes : {0, 1, 7, 8, 9, 40}) {
    EXPECT_EQ(heard(encode(std::vector{Result{1, with_causes(causes)}})),
              story_with_causes(std::min(causes, 8)));
  }
  EXPECT_EQ(encode(std::vector{Result{1, with_causes(40)}}).size(),
            encode(std::vector{Result{1, with_causes(8)}}).size());
}

std::vector<std::uint64_t> words_of(const Encoded& message) {
  std::vector<std::uint64_t> words(message.size() / 8);
  std::memcpy(words.data(), message.data(), message.size());
  return words;
}
Encoded message_of(const std::vector<std::uint64_t>& words) {
  Encoded message(words.size() * 8);
  std::memcpy(message.data(), words.data(), message.size());
  return message;
}

// Where the message begins, in words: behind its header.
constexpr std::size_t kBody = kHeaderBytes / 8;

// Pointers as they are on the wire, `offset` counted in words from the one behind the pointer.
std::uint64_t struct_pointer(std::int32_t offset, std::uint64_t data, std::uint64_t pointers) {
  return static_cast<std::uint32_t>(offset * 4) | data << 32 | pointers << 48;
}
std::uint64_t list_pointer(std::int32_t offset, std::uint64_t element, std::uint64_t count) {
  return static_cast<std::uint32_t>(offset * 4 + 1) | element << 32 | count << 35;
}

// The failure lies in words 13 to 19 behind the header: one of data, six pointers of which the last
// is its cause.
TEST(Messages, a_failure_that_is_its_own_cause_has_eight_of_them) {
  std::vector<std::uint64_t> words = words_of(encode(std::vector{Result{1, with_causes(0)}}));
  ASSERT_EQ(words[kBody + 12], struct_pointer(1, 1, 6));
  ASSERT_EQ(words[kBody + 19], 0u);
  words[kBody + 19] = struct_pointer(-7, 1, 6);
  words.resize(words.size() + 1000);  // room: not the length of the message is to be the limit
  const std::string endless = heard(message_of(words));
  std::size_t causes = 0;
  for (std::size_t at = 0; (at = endless.find("because", at)) != std::string::npos; ++at) ++causes;
  EXPECT_EQ(causes, 8u);
}

// A job with arguments of so many bytes, the first words of which are taken for pointers to further
// pieces: each is `size` bytes of these same arguments, where the pointers end and a word later
// each time. Behind the header:
//   words 5 to 8    where the grant's jobs, arguments, further pieces and particulars are
//   words 10 to 13  the job; the last has its attempt and the size of its arguments
//   words 14 ...    the arguments
Encoded in_pieces(const std::string& arguments, std::uint64_t pieces, std::size_t size) {
  std::vector<std::uint64_t> words = words_of(encode(Grant{{{1, 1, 1, bytes(arguments)}}, 0}));
  EXPECT_EQ(words[kBody + 6], list_pointer(7, 2, arguments.size()));
  EXPECT_EQ(words[kBody + 13], 1 | std::uint64_t{arguments.size()} << 32);
  words[kBody + 7] = list_pointer(6, 6, pieces);
  words[kBody + 13] = 1 | std::uint64_t{arguments.size() + pieces * size} << 32;
  for (std::size_t i = 0; i < pieces; ++i) {
    words[kBody + 14 + i] = list_pointer(static_cast<std::int32_t>(pieces) - 1, 2, size);
  }
  return message_of(words);
}

TEST(Messages, blobs_come_back_with_the_jobs_and_results_that_name_them) {
  LentJob job = with_particulars();
  job.blobs = {{blob(1), 0}, {blob(2), Luggage::kMentioned}};
  const std::string one = Scribe::name(blob(1)), two = Scribe::name(blob(2));
  EXPECT_THAT(heard(encode(Grant{{job}, 0})),
              testing::EndsWith("blob|" + one + "|0|blob|" + two + "|4294967295|"));
  EXPECT_EQ(heard(encode(std::vector{Result{7, bytes("x"), {{blob(2), Luggage::kWhole}}}})),
            "results|value|7|x|blob|" + two + "|4294967294|");
}

TEST(Messages, what_is_said_of_blobs_comes_back) {
  EXPECT_EQ(heard(encode(wants())), "want|" + Scribe::name(blob(1)) + "|0|262144|0|" +
                                        Scribe::name(blob(2)) + "|999999|1|1|" + Scribe::name({}) +
                                        "|0|0|0|");
  EXPECT_EQ(heard(encode(Piece{blob(5), 262'144, bytes(kArguments)})),
            "piece|" + Scribe::name(blob(5)) + "|262144|" + kArguments + "|");
  EXPECT_EQ(heard(encode_not_here(blob(7))), "not here|" + Scribe::name(blob(7)) + "|");
  EXPECT_EQ(heard(encode_taken(std::vector<std::uint64_t>{3, 4})), "taken|3|4|");
}

TEST(Messages, what_is_said_of_a_blob_is_within_it) {
  Scribe scribe;
  EXPECT_THROW(decode(encode(std::vector{Want{blob(1), 999'999, 2, false}}), scribe), Error);
  EXPECT_THROW(decode(encode(std::vector{Want{blob(1), 1'000'001, 0, false}}), scribe), Error);
  // A piece that is shorter, and one that is longer, than it says.
  Encoded piece = encode(Piece{blob(1), 0, bytes("sixteen letters!")});
  piece.resize(piece.size() - 8);
  EXPECT_THROW(decode(piece, scribe), Error);
  piece.resize(piece.size() + 16);
  EXPECT_THROW(decode(piece, scribe), Error);
  EXPECT_EQ(scribe.story, "");
}

TEST(Messages, pieces_are_put_together_in_their_order) {
  const std::string arguments = "________--------........aaaaaaaabbbbbbbbcccccccc";
  EXPECT_EQ(heard(in_pieces(arguments, 3, 8)).substr(18 + 24),
            "aaaaaaaabbbbbbbbccccccccaaaaaaaabbbbbbbbcccccccc|");
}

TEST(Messages, pieces_longer_than_their_message_are_refused) {
  const std::string arguments(8000, 'a');
  for (const std::uint64_t pieces : {1, 2, 100}) {
    Scribe scribe;
    try {
      decode(in_pieces(arguments, pieces, 2000 / pieces), scribe);
      ADD_FAILURE() << pieces << " were accepted";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "pieces longer than their message");
    }
    EXPECT_EQ(scribe.story, "");
  }
}

void refused(const std::vector<std::uint64_t>& words, const std::string& why) {
  Scribe scribe;
  try {
    decode(message_of(words), scribe);
    ADD_FAILURE() << "accepted, not refused as: " << why;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), why);
  }
  EXPECT_EQ(scribe.story, "");
}

// Words 10 to 13 and 14 to 17 behind the header are the jobs.
TEST(Messages, jobs_have_exactly_the_arguments_that_came_with_them) {
  const std::vector<std::uint64_t> words =
      words_of(encode(Grant{{{1, 1, 1, bytes("12345678")}, {2, 1, 1, bytes("abc")}}, 0}));
  ASSERT_EQ(words[kBody + 17], 1 | std::uint64_t{3} << 32);
  for (const std::uint64_t size : {4ull, 100ull, 0xffff'ffffull}) {
    auto more = words;
    more[kBody + 17] = 1 | size << 32;
    refused(more, "fewer bytes than its entries have");
  }
  for (const std::uint64_t size : {0ull, 2ull}) {
    auto fewer = words;
    fewer[kBody + 17] = 1 | size << 32;
    refused(fewer, "more bytes than its entries have");
  }
}

// Words 14 to 17 and 18 to 21 behind the header are the particulars of the jobs at words 10 to 13
// (they have no arguments): a job's place, its time, and the pointers to its label and
// its blobs.
TEST(Messages, particulars_are_of_jobs_that_are_there_and_of_each_once) {
  LentJob low{1, 1, 1, {}};
  low.priority = 2;
  std::vector<std::uint64_t> words = words_of(encode(Grant{{low, low}, 0}));
  const std::size_t first = words.size() - 8;
  ASSERT_EQ(words[first + 4] & 0xffff'ffff, 1u);
  const std::string plain = "job|1|1|1||priority|2|";
  ASSERT_EQ(heard(message_of(words)), "grant|0|" + plain + plain);
  const std::uint64_t kept = words[first + 4] & ~0xffff'ffffull;
  for (const std::uint64_t job : {0ull, 2ull, 0xffff'ffffull}) {
    words[first + 4] = kept | job;
    refused(words, "particulars of no job");
  }
}

// Words 10 and 11 behind the header are the result: its number, then its size and whether it
// failed.
TEST(Messages, a_result_has_a_value_or_a_failure_and_not_both) {
  std::vector<std::uint64_t> value = words_of(encode(std::vector{Result{1, bytes("12345678")}}));
  ASSERT_EQ(value[kBody + 11], 8u);
  value[kBody + 11] |= std::uint64_t{1} << 32;
  refused(value, "a result that failed without a failure");
  value[kBody + 11] = 0;
  refused(value, "more bytes than its entries have");
  std::vector<std::uint64_t> failed = words_of(encode(std::vector{Result{1, failure()}}));
  ASSERT_EQ(failed[kBody + 11], std::uint64_t{1} << 32);
  failed[kBody + 11] = 0;
  refused(failed, "a failure without its result");
}

TEST(Messages, more_than_one_data_holds_comes_back) {
  if (kSanitized) GTEST_SKIP() << "takes two gigabytes, and a sanitizer several times that";
  Encoded encoded;
  std::string expected;
  {
    std::string large(std::size_t{600} << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<char>(i >> 12);
    large += "odd";
    expected = digest(large);
    encoded = encode(Grant{{{1, 1, 1, bytes(large)}, with_particulars()}, 0});
  }
  const std::string story = heard(encoded);
  EXPECT_EQ(story.substr(0, story.find("|job|1|2|")), "grant|0|job|1|1|1|" + expected);
}

TEST(Messages, figures_come_back) {
  EXPECT_EQ(heard(encode(Load{1, 2, 3, 4, 5, 6, ~0ull})), "load|1|2|3|4|5|6|18446744073709551615|");
  EXPECT_EQ(heard(encode(Load{0, 0, 0, 0, 0, 0, 0, 9})), "load|0|0|0|0|0|0|0|workers|9|");
}

TEST(Messages, a_load_tells_of_functions_what_was_put_in) {
  const std::string said = heard(encode(with_functions()));
  EXPECT_EQ(said.find("load|1|2|3|4|5|0|7|workers|8|lent|9|10|function|9|1|70000|2|0|0|0|4|0|"), 0u)
      << said;
  EXPECT_NE(said.find("|1|function|11|0|0|0|0|"), std::string::npos) << said;
}

TEST(Messages, memory_alone_makes_no_load_news) {
  Load told{1, 2, 3, 4, 5, 0, 0, 8, 9, 10};
  Load now = told;
  now.memory = 11;
  EXPECT_FALSE(now.says_more_than(told));
  now.jobs = 4;
  EXPECT_TRUE(now.says_more_than(told));
}

TEST(Messages, a_goodbye_comes_back) {
  EXPECT_EQ(heard(encode_leave("the work is done")), "leave|the work is done|");
  EXPECT_EQ(heard(encode_leave("")), "leave||");
  EXPECT_EQ(heard(encode_understood()), "understood|");
}

TEST(Messages, large_ones_come_back) {
  const std::string large(3'000'000, 'x');
  EXPECT_EQ(heard(encode(Grant{{{1, 1, 1, bytes(large)}}, 0})).size(),
            std::strlen("grant|0|job|1|1|1||") + large.size());
  std::vector<Result> many;
  for (std::uint64_t i = 0; i < 20'000; ++i) many.push_back({i, bytes(kArguments)});
  Scribe scribe;
  decode(encode(many), scribe);
  EXPECT_EQ(scribe.entries, many.size());
  // Small ones are right after large ones: the scratch memory was left clean.
  EXPECT_EQ(heard(encode(Steal{4, 3, 7})), "steal|4|3|7|");
  EXPECT_EQ(heard(encode(Grant{})), "grant|0|");
}

// Decodes garbage: it is refused in words, or understood as something no larger than it was.
void survive(const Encoded& garbage) {
  Scribe scribe;
  try {
    decode(garbage, scribe);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()), "");
    EXPECT_EQ(scribe.story, "") << "nothing is told of a message that is refused";
    return;
  }
  // What decode() allows to be read: lists may lie on top of each other or be of empty entries.
  EXPECT_LE(scribe.entries, garbage.size() / 16);
}

TEST(Messages, every_prefix_of_a_message_is_refused_or_harmless) {
  for (const Encoded& whole : one_of_each_kind()) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      survive(Encoded(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    }
  }
  Scribe scribe;
  EXPECT_THROW(decode({}, scribe), Error);
}

// (Behind a piece lie its bytes: what_is_said_of_a_blob_is_within_it.)
TEST(Messages, words_after_the_message_change_nothing) {
  for (Encoded message : one_of_each_kind()) {
    const std::string story = heard(message);
    if (story.starts_with("piece")) continue;
    message.resize(message.size() + 64, std::byte{0xff});
    EXPECT_EQ(heard(message), story);
  }
}

TEST(Messages, flipped_bits_are_refused_or_harmless) {
  std::mt19937 random(20'240'601);
  const std::vector<Encoded> originals = one_of_each_kind();
  for (int i = 0; i < 20'000; ++i) {
    Encoded garbage = originals[random() % originals.size()];
    for (std::size_t flips = 1 + random() % 4; flips > 0; --flips) {
      garbage[random() % garbage.size()] ^= std::byte{1} << random() % 8;
    }
    survive(garbage);
  }
}

TEST(Messages, random_words_in_the_place_of_pointers_are_refused_or_harmless) {
  std::mt19937_64 random(99);
  const std::vector<Encoded> originals = one_of_each_kind();
  for (std::size_t i = 0; i < times(20'000, 10'000); ++i) {
    Encoded garbage = originals[random() % originals.size()];
    const std::uint64_t word = random() >> random() % 64;
    std::memcpy(garbage.data() + random() % (garbage.size() / 8) * 8, &word, 8);
    survive(garbage);
  }
}

TEST(Messages, noise_is_refused_or_harmless) {
  std::mt19937 random(7);
  for (std::size_t i = 0; i < times(5'000, 2'000); ++i) {
    Encoded noise(random() % 40 * 8);
    for (std::byte& each : noise) each = static_cast<std::byte>(random());
    if (noise.size() > kHeaderBytes && i % 2 == 0) {
      // One segment of the right size: past the first check.
      const std::uint64_t table = std::uint64_t{noise.size() / 8 - kBody - 1} << 32;
      std::memcpy(noise.data() + kHeaderBytes, &table, 8);
    }
    survive(noise);
  }
}

// A list of entries without content: a word of list can claim 500 million of them.
// Behind the header:
//   word 0  segment table: one segment of so many words
//   word 1  pointer to the message: 1 word of data, 1 pointer
//   word 2  the message's data: which of its kinds it is
//   word 3  its pointer: a list of structs, 0 words in all; or of results, to these, the first of
//           whose four pointers is one to the list
//   word 4  the list's tag: how many structs, of 0 words each
Encoded list_of_nothing(const Encoded& like, std::uint64_t entries) {
  std::vector<std::uint64_t> words = words_of(like);
  const bool results = words[kBody + 3] == struct_pointer(0, 0, 4);
  words[kBody + (results ? 4 : 3)] = list_pointer(results ? 3 : 0, 7, 0);
  words[kBody + (results ? 8 : 4)] = entries << 2;
  return message_of(words);
}

class OversizedLists : public testing::TestWithParam<int> {};

TEST_P(OversizedLists, of_empty_entries_are_refused) {
  const std::vector<Returned> returned(4);
  const std::vector<Result> results(4, Result{1, bytes(kArguments)});
  const std::vector<std::uint64_t> numbers(4);
  const Encoded like = std::vector{encode(returned), encode(results), encode_cancel(numbers),
                                   encode_begun(numbers)}[static_cast<std::size_t>(GetParam())];
  for (const std::uint64_t entries : {1ull << 10, 1ull << 20, (1ull << 29) - 1, (1ull << 30) - 1}) {
    Scribe scribe;
    EXPECT_THROW(decode(list_of_nothing(like, entries), scribe), Error) << entries;
  }
}

TEST_P(OversizedLists, never_hold_more_entries_than_may_be_read) {
  std::vector<Encoded> kinds;
  const std::vector<Returned> returned(1000);
  const std::vector<Result> results(1000, Result{1, bytes(kArguments)});
  const std::vector<std::uint64_t> numbers(1000);
  kinds = {encode(returned), encode(results), encode_cancel(numbers), encode_begun(numbers)};
  const Encoded& like = kinds[static_cast<std::size_t>(GetParam())];
  survive(list_of_nothing(like, like.size() / 8 * 2));
  survive(list_of_nothing(like, like.size() / 8 + 32));
}

INSTANTIATE_TEST_SUITE_P(EveryKind, OversizedLists, testing::Values(0, 1, 2, 3));

TEST(Messages, unknown_numbers_are_refused) {
  // The kind of message is the first data word behind the header; no kind 1000 exists.
  Encoded unknown = encode(Steal{1, 1});
  const std::uint64_t kind = 1000;
  std::memcpy(unknown.data() + kHeaderBytes + 16, &kind, 8);
  Scribe scribe;
  EXPECT_THROW(decode(unknown, scribe), Error);
  const std::vector<Returned> strange{{1, false, static_cast<Reason>(7)}};
  EXPECT_THROW(decode(encode(strange), scribe), Error);
  const std::vector<Result> odd{{1, Failure::of(static_cast<Failure::Kind>(6), "")}};
  EXPECT_THROW(decode(encode(odd), scribe), Error);
  LentJob urgent;
  urgent.priority = 3;
  EXPECT_THROW(decode(encode(Grant{{urgent}, 0}), scribe), Error);
  EXPECT_EQ(scribe.story, "");
}

}  // namespace
}  // namespace pp::runtime::messages
