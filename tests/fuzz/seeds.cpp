// Writes the corpus: a valid input of each kind for every target, by the encoders themselves.
//
//   fuzz_seeds tests/fuzz/corpus    after a change of what travels; then look at the difference
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <pp/codec.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "beacon.hpp"
#include "codec_types.hpp"
#include "daemon_messages.hpp"
#include "fixed_random.hpp"
#include "gossip.hpp"
#include "handshake.hpp"
#include "handshake_input.hpp"
#include "job_log_format.hpp"
#include "messages.hpp"
#include "session_input.hpp"

namespace {

using namespace pp::fuzz;
namespace messages = pp::runtime::messages;
namespace transport = pp::transport;
using Bytes = std::vector<std::byte>;

class Corpus {
 public:
  explicit Corpus(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void put(std::string_view target, std::string_view name, std::span<const std::byte> input) {
    std::filesystem::create_directories(folder_ / target);
    std::ofstream(folder_ / target / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()), static_cast<long>(input.size()));
  }
  void put(std::string_view target, std::string_view name, std::string_view text) {
    put(target, name, std::as_bytes(std::span(text)));
  }
  // An input whose first byte says what the others are.
  void put(std::string_view target, std::string_view name, std::uint8_t kind,
           std::span<const std::uint8_t> rest) {
    Bytes input{std::byte{kind}};
    for (const std::uint8_t byte : rest) input.push_back(std::byte{byte});
    put(target, name, input);
  }
  template <class T>
  void put_value(std::string_view name, const T& value) {
    Bytes input{std::byte{number_of<T>()}};
    pp::codec::encode(input, value);
    put("codec", name, input);
  }

 private:
  std::filesystem::path folder_;
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

void put_messages(Corpus& corpus) {
  using namespace messages;
  const auto put = [&corpus](std::string_view name, const Encoded& message) {
    corpus.put("messages", name, message);
  };
  pp::NodeId node;
  node.bytes.fill(9);
  pp::runtime::Failure failure;
  failure.type = "my::ParseError";
  failure.message = "line 3";
  failure.node = "host:1";
  failure.function = "parse";
  failure.attempt = 2;
  failure.payload = {std::byte{3}, std::byte{0}};
  failure.cause = std::make_shared<pp::runtime::Failure>(
      pp::runtime::Failure::of(pp::runtime::Failure::Kind::kTimeout, "it took longer than 2 s"));
  const std::vector<Returned> returned{{1, true, Reason::kLeaving}, {2, false, Reason::kCancelled}};
  const std::vector<Result> results{{7, bytes("a value")}, {8, failure}};
  const LentJob plain{1, 2, 3, bytes("arguments")};
  const LentJob particular{4, 1, 6, {}, 77, 2'000'000'000, 0, true, true, "frame 7"};
  put("steal", encode(Steal{4, 3}));
  put("grant_of_two_jobs", encode(Grant{{plain, particular}, 7}));
  put("grant_unasked", encode(Grant{{particular}, 0, true}));
  put("redirect", encode(Redirect{node, 5}));
  put("none", encode(None{6}));
  put("returned", encode(returned));
  put("results_value_and_failure", encode(results));
  put("load", encode(Load{1, 2, 3, 4, 5, 6, 7, 8}));
  pp::runtime::FunctionFigures ran{.function = 9, .failed = 1, .nanoseconds = 70'000, .running = 2};
  ran.counts[3] = 4;
  ran.counts[pp::runtime::FunctionFigures::kBuckets - 1] = 1;
  put("load_functions", encode(Load{1, 2, 3, 4, 5, 0, 7, 8, 9, 10, {ran, {.function = 11}}}));
  put("leave", encode_leave("the work is done"));
  put("understood", encode_understood());
  put("cancel", encode_cancel(std::vector<std::uint64_t>{5, 6, 7}));
  put("attach", encode(Attach{3, 9, 1'000}));
  put("attach_without_a_number", encode(Attach{0, 9, 1'000}));
  put("begun", encode_begun(std::vector<std::uint64_t>{5, 6, 7}));
  pp::runtime::BlobId blob;
  blob.hash.bytes.fill(3);
  blob.size = 1'000'000;
  const std::vector<NamedBlob> named{{blob, 0}, {blob, pp::runtime::Luggage::kMentioned}};
  put("grant_with_blobs",
      encode(Grant{{LentJob{1, 2, 3, bytes("rest"), 4, 0, 1, false, false, {}, named}}, 7}));
  put("results_with_blobs",
      encode(std::vector<Result>{{7, bytes(""), {{blob, pp::runtime::Luggage::kWhole}}},
                                 {8, bytes("mentions"), {{blob}}}}));
  put("want", encode(std::vector<Want>{{blob, 0, 262'144, false}, {blob, 999'999, 1, true}}));
  put("want_beyond_its_end", encode(std::vector<Want>{{blob, 999'999, 2, false}}));
  put("piece", encode(Piece{blob, 262'144, bytes("thirteen byte")}));
  put("piece_of_nothing", encode(Piece{blob, 0, {}}));
  put("not_here", encode_not_here(blob));
  put("instead", encode(Instead{blob, node}));
  put("taken", encode_taken(std::vector<std::uint64_t>{5, 6, 7}));
  put("observe", encode(Observe{1'000'000'000, 100'000, 20'000}));
  put("records", encode(Records{1'000'000'000, 5, 6, 7, 8,
                                bytes("forty-eight bytes, which is as much as a record")}));
  put("records_answer", encode(Records{1'000'000'000, 5, 6, 7}));
  put("acknowledgement", encode_acknowledgement());
  Encoded numbered = encode(std::span<const Returned>(returned));
  set_header(numbered, {0x0123'4567'89ab'cdef, 77});
  put("returned_with_its_number", numbered);
  put("shorter_than_its_header", Encoded(kHeaderBytes - 1));

  // A list of structs without content, which can claim any number of them: word 3 behind the header
  // points to the list, word 4 is its tag.
  Encoded nothing = encode(returned);
  const std::uint64_t words[] = {1 | std::uint64_t{7} << 32, std::uint64_t{1 << 20} << 2};
  std::memcpy(nothing.data() + kHeaderBytes + 24, words, sizeof words);
  put("a_million_returned_in_no_bytes", nothing);
}

// The type that stands at this place of a list.
template <std::size_t at>
using OrderedAt = std::tuple_element_t<at, Ordered>;

void put_values(Corpus& corpus) {
  const Shape square{"square", {{0, 0}, {1, 1}}, Colour::kGreen, {true, false, true}};
  Link link{1, std::make_unique<Link>(Link{-2, nullptr})};
  corpus.put_value("scalars", OrderedAt<0>{true, 'x', std::int16_t{-2}, 7u, -9l, 0.5f, -1e300});
  corpus.put_value("string", std::string("some text"));
  corpus.put_value("bits",
                   std::vector<bool>{true, false, true, true, false, false, true, false, true});
  corpus.put_value("points_in_rows",
                   std::vector<std::vector<Point>>{{{1, 2}}, {}, {{3, 4}, {5, 6}}});
  corpus.put_value("strings", std::vector<std::string>{"a", "", "ccc"});
  corpus.put_value("variant_of_list", OrderedAt<11>(std::list<char>{'a', 'b'}));
  corpus.put_value("shapes", std::vector<Shape>{square, {}});
  corpus.put_value("tree", Tree{{}, {Tree{std::array<std::uint64_t, 20>{1, 2}, {}}, Tree{}}});
  corpus.put_value("link", link);
  corpus.put_value("titled", std::vector<Titled>{{{1, 2}, "t"}, {}});
  corpus.put_value("failures", std::vector{pp::runtime::Failure::of(
                                   pp::runtime::Failure::Kind::kClosed, "the runtime ended")});
  corpus.put_value("set", std::set<std::string>{"a", "b"});
  corpus.put_value("map", std::map<std::int32_t, std::vector<std::string>>{{-1, {"x"}}, {2, {}}});
  corpus.put_value("unordered_map",
                   std::unordered_map<std::string, std::set<int>>{{"key", {1, 2}}});
}

void put_handshakes(Corpus& corpus) {
  using namespace transport;
  const Hello hello = fuzzed_hello(3);
  const Objection objection{RefusalReason::kLaunch, "launches differ"};
  const auto in_hello = encode(hello);
  const auto in_answer = encode(Answer(hello)), no_answer = encode(Answer(objection));
  const auto in_conclusion = encode(Conclusion(DataChannel::kFabric));
  const auto no_conclusion = encode(Conclusion(objection));
  Hello large = fuzzed_hello(4);
  large.introduction.driver = true;
  large.introduction.name.assign(kMaxName, 'n');
  large.introduction.build.assign(kMaxBuild, 'b');
  large.introduction.launch.assign(kMaxLaunch, 'l');
  large.fabric = {std::string(kMaxName, 'f'), std::vector<std::byte>(kMaxFabricAddress)};
  large.memory = {std::string(kMaxPlace, 'p'), 7, std::string(kMaxDoor, 'd')};
  corpus.put("hello", "hello", 0, in_hello);
  corpus.put("hello", "hello_at_its_limits", 0, encode(large));
  large.fabric.bytes.resize(kMaxFabricAddress + 1);
  corpus.put("hello", "fabric_address_too_long", 0, encode(large));
  large = fuzzed_hello(4);
  large.introduction.name.assign(kMaxName + 1, 'n');
  corpus.put("hello", "name_too_long", 0, encode(large));
  large = fuzzed_hello(4);
  large.memory.door.assign(kMaxDoor + 1, 'd');
  corpus.put("hello", "door_too_long", 0, encode(large));
  corpus.put("hello", "answer", 1, in_answer);
  corpus.put("hello", "answer_refused", 1, no_answer);
  corpus.put("hello", "conclusion", 2, in_conclusion);
  corpus.put("hello", "conclusion_refused", 2, no_conclusion);

  fix_random();
  randombytes_random();  // the target's own key is the first that is made
  const pp::ClusterKey another_key = pp::ClusterKey::generate();
  Handshake stranger(another_key, Handshake::Role::kDialler, hello);
  corpus.put("handshake", "with_another_key", 0, stranger.take_output());
  corpus.put("handshake", "is_given_a_hint", 1,
             Handshake::hint(RefusalReason::kTooMany, "too many at the door"));
  const std::string_view http = "GET / HTTP/1.1\r\n";
  corpus.put("handshake", "speaks_http", 0, std::vector<std::uint8_t>(http.begin(), http.end()));
  const auto put_too_short = [&corpus](std::string_view name, std::uint8_t to,
                                       std::uint8_t number) {
    std::vector<std::uint8_t> words{'p', 'p', 'h', Handshake::kVersion, 8, 0, number, 0};
    words.insert(words.end(), 8, ' ');
    corpus.put("handshake", name, to, words);
  };
  put_too_short("hello_too_short", 0, 1);
  put_too_short("answer_too_short", 1, 2);
  const auto put_insider = [&corpus](std::string_view name, InsiderInput kind,
                                     std::span<const std::uint8_t> plain, int flags = 0) {
    corpus.put("insider", name, static_cast<std::uint8_t>(static_cast<int>(kind) | flags), plain);
  };
  put_insider("hello", InsiderInput::kHello, in_hello);
  put_insider("hello_with_degenerate_key", InsiderInput::kHello, in_hello, 8);
  put_insider("answer", InsiderInput::kAnswer, in_answer);
  put_insider("answer_refused", InsiderInput::kAnswer, no_answer);
  put_insider("conclusion", InsiderInput::kConclusion, in_conclusion);
  put_insider("conclusion_for_memory", InsiderInput::kConclusion,
              encode(Conclusion(DataChannel::kMemory)));
  put_insider("conclusion_refused", InsiderInput::kConclusion, no_conclusion);
}

// A piece as it stands in a frame's payload.
std::string piece(std::uint32_t kind, std::string_view body) {
  const transport::PieceHeader header{static_cast<std::uint32_t>(body.size()), kind};
  std::string piece(sizeof header, '\0');
  std::memcpy(piece.data(), &header, sizeof header);
  return piece.append(body);
}

void put_sessions(Corpus& corpus) {
  using transport::PieceHeader;
  const auto event = [](SessionEvent kind, char lane) {
    return std::string{static_cast<char>(kind), lane};
  };
  const auto frame = [&event](char lane, std::string_view payload, char credit = 0, char words = 0,
                              char acknowledged = 0) {
    return event(SessionEvent::kFrame, lane) + credit + words + acknowledged +
           static_cast<char>(payload.size() / 8) + std::string(payload);
  };
  const std::string one_lane(1, '\6'), two_lanes(1, '\7');
  const std::string whole = piece(PieceHeader::kWhole, "8 bytes.");
  const std::string send = event(SessionEvent::kSend, 0), send_data = event(SessionEvent::kSend, 1);
  const std::string farewell = piece(PieceHeader::kGoodbye, std::string(8, '\0') + "farewell");
  corpus.put("session", "two_messages_in_a_frame", one_lane + frame(0, whole + whole));
  corpus.put("session", "a_message_in_pieces",
             one_lane + frame(0, piece(PieceHeader::kFirst, "8 bytes.")) +
                 frame(0, piece(PieceHeader::kMiddle, "8 bytes.")) +
                 frame(0, piece(PieceHeader::kLast, "8 bytes.") + whole));
  corpus.put("session", "credit_comes_back",
             one_lane + event(SessionEvent::kQueue, 0) + '\1' + send + frame(0, "", 1, 16, 1));
  corpus.put("session", "beyond_its_credit",
             std::string(1, '\0') + frame(0, whole) + frame(0, whole));
  corpus.put("session", "data_lane_opens",
             two_lanes + frame(1, "") + send_data + frame(1, whole, 0, 0, 1) +
                 event(SessionEvent::kQueue, 1) + '\2' + send_data);
  corpus.put("session", "memory_lane_opens",
             std::string(1, '\27') + frame(1, "") + send_data + frame(1, whole, 0, 0, 1) +
                 event(SessionEvent::kQueue, 1) + '\2' + send_data);
  corpus.put("session", "goodbyes",
             one_lane + frame(0, farewell) + event(SessionEvent::kGoodbye, 0) + send);
  corpus.put("session", "heartbeat", one_lane + event(SessionEvent::kTime, 0) + '\x64' + send);
  const std::string word = piece(PieceHeader::kWord, "8 bytes."),
                    ask = piece(PieceHeader::kAsk, "");
  const std::string seconds = event(SessionEvent::kTime, 0) + '\x78';  // 1.2 of them
  corpus.put("session", "words_and_a_message_in_a_frame", one_lane + frame(0, word + whole + word));
  corpus.put("session", "a_question_is_answered",
             two_lanes + frame(1, "") + send_data + frame(0, word + ask) + send);
  corpus.put("session", "a_word_on_the_data_lane", two_lanes + frame(1, word));
  corpus.put("session", "a_question_that_says_something",
             one_lane + frame(0, piece(PieceHeader::kAsk, "8 bytes.")));
  corpus.put("session", "a_word_overtakes_a_message",
             one_lane + event(SessionEvent::kQueue, 0) + '\xff' + event(SessionEvent::kWord, 0) +
                 '\xff' + send + send);
  corpus.put("session", "an_empty_word",
             one_lane + event(SessionEvent::kWord, 0) + '\0' + send +
                 frame(0, piece(PieceHeader::kWord, "")));
  corpus.put(
      "session", "nobody_answers",
      one_lane + event(SessionEvent::kQueue, 0) + '\1' + send + seconds + send + seconds + send);
  corpus.put("session", "no_seal",
             one_lane + event(SessionEvent::kForgery, 0) + '\7' + "ppf1" +
                 std::string("\x38\0\0\0\xea\3", 6));
}

void put_beacons(Corpus& corpus) {
  using namespace pp::discovery;
  fix_random();  // the target's own key is the first that is made
  const pp::ClusterKey key = pp::ClusterKey::generate();
  const pp::ClusterKey another_key = pp::ClusterKey::generate();
  const ClusterId cluster = ClusterId::of(key, "launch", 77);
  const auto put = [&corpus](std::string_view name, char kind, std::span<const std::byte> bytes) {
    Bytes input{std::byte(kind)};
    input.insert(input.end(), bytes.begin(), bytes.end());
    corpus.put("beacon", name, input);
  };
  // Once as it is, once without its header.
  const auto put_both = [&put](const std::string& name, const Bytes& datagram) {
    put(name, 0, datagram);
    put(name + "_body", 1, std::span(datagram).subspan(32));
  };
  Beacon beacon;
  beacon.node.bytes.fill(9);
  beacon.incarnation = 2;
  beacon.sequence = 5;
  beacon.name = "node:1";
  beacon.addresses = {{"10.0.0.1", 7001}, {"fd00::1", 7001}};
  beacon.workers = 8;
  put_both("hello", encode(beacon, key, cluster));
  beacon.kind = Beacon::Kind::kLeave;
  put_both("leave", encode(beacon, key, cluster));
  put("forged", 0, encode(beacon, another_key, cluster));
  put("foreign", 0, encode(beacon, another_key, ClusterId::of(another_key, "launch", 77)));
  Bytes newer = encode(beacon, key, cluster);
  newer[4] = std::byte{2};
  put("newer_version", 0, newer);
  beacon.kind = Beacon::Kind::kHere;
  beacon.name.assign(kMaxBeaconName, 'n');
  beacon.addresses.assign(kMaxBeaconAddresses, {std::string(104, 'a'), 65535});
  put_both("here_at_its_limits", encode(beacon, key, cluster));
  beacon.node = {};
  put_both("of_nobody", encode(beacon, key, cluster));
}

void put_gossip(Corpus& corpus) {
  using namespace pp::discovery;
  const auto member = [](std::uint8_t number, pp::MemberState state) {
    Member one{{},
               "host:" + std::to_string(number),
               {{"10.0.0.1", 7400}, {"fd00::1", 1}},
               3,
               number % 2 == 0,
               "monday",
               number,
               state};
    one.node.bytes.fill(number);
    return one;
  };
  Word word{Word::Kind::kHeartbeat, 3, 0x0123456789abcdef, 20, 7, {}, {1, 2, 3}, {}, false};
  corpus.put("gossip", "heartbeat", encode(word));
  word.kind = Word::Kind::kProbe;
  word.subject.bytes.fill(4);
  corpus.put("gossip", "probe", encode(word));
  word.kind = Word::Kind::kPage;
  word.last = true;
  for (std::uint8_t state = 0; state < 5; ++state)
    word.news.push_back(member(state + 1, static_cast<pp::MemberState>(state)));
  corpus.put("gossip", "page_with_a_member_in_each_state", encode(word));
  Member large = member(9, pp::MemberState::kAlive);
  large.name.assign(64, 'n');
  large.launch.assign(64, 'l');
  large.addresses.assign(8, pp::Address{std::string(253, 'a'), 65535});
  word.news = {large};
  corpus.put("gossip", "member_at_its_limits", encode(word));
  word.news[0].name += 'n';
  corpus.put("gossip", "name_too_long", encode(word));
  word.news[0].name = "a\nleft 12 everybody";
  corpus.put("gossip", "name_with_a_line_break", encode(word));
  word.news = {member(0, pp::MemberState::kAlive)};
  corpus.put("gossip", "member_without_an_id", encode(word));
  word.news.clear();
  for (std::uint8_t number = 1; number <= 16; ++number)
    word.news.push_back(member(number, pp::MemberState::kAlive));
  corpus.put("gossip", "a_full_page", encode(word));
}

// A file (0) or a body (1), as the target's first byte says.
void put_job_logs(Corpus& corpus) {
  namespace job_log = pp::runtime::job_log;
  const auto marked = [](char mark, std::span<const std::byte> bytes) {
    Bytes input{static_cast<std::byte>(mark)};
    input.insert(input.end(), bytes.begin(), bytes.end());
    return input;
  };
  std::uint64_t chain = 0;
  Bytes file = job_log::encode_header({1, 2, 3, "a build"}, chain);
  const auto put = [&](const char* name, const auto& record) {
    Bytes bytes;
    job_log::append(bytes, record);
    const auto body = std::span(bytes).subspan(
        job_log::kBeforeBody, bytes.size() - job_log::kBeforeBody - job_log::kBehindBody);
    corpus.put("job_log", name, marked(1, body));
    job_log::seal(bytes, chain);
    file.insert(file.end(), bytes.begin(), bytes.end());
  };
  put("a_batch", job_log::Batch{0, 4, 5, 100, {}, 6, "squares"});
  const Bytes values(24, std::byte{7});
  put("elements", job_log::Elements{0, 0, 3, {}, values});
  put("elements_with_holes", job_log::Elements{0, 10, 20, {{11, 12}, {15, 20}}, values});
  corpus.put("job_log", "a_file", marked(0, file));
  file.resize(file.size() - 5);
  corpus.put("job_log", "a_file_with_a_torn_tail", marked(0, file));
}

void put_daemon_messages(Corpus& corpus) {
  namespace daemon = pp::tools::daemon;
  const auto put = [&](const char* name, const daemon::Message& message) {
    corpus.put("daemon_messages", name, daemon::encode(message));
  };
  daemon::Open open;
  open.launch = "0123456789abcdef";
  open.program = "./app";
  open.hash.bytes.fill(7);
  open.size = 1000;
  open.machine = "x86_64";
  open.arguments = {"--size", "", "3 4"};
  open.environment = {"PP_FABRIC=off", "PP_DRAIN=1000"};
  open.driver = "10.0.0.1:7400";
  open.key.resize(74, std::byte{9});
  open.workers = 3;
  put("open", open);
  daemon::Profile profile;
  profile.version = "0.1.0";
  profile.machine = "x86_64";
  profile.workers = 8;
  profile.share = 4;
  profile.others = {"10.0.0.2:7706", "[fd00::2]:7706"};
  put("profile", profile);
  put("look", daemon::Look{});
  put("piece", daemon::Piece{Bytes(100, std::byte{1})});
  put("started", daemon::Started{1, 4711, 4});
  put("output", daemon::Output{0, true, "a line\n"});
  put("report", daemon::ReportLine{"listening 10.0.0.2:40321"});
  put("heard", daemon::Heard{1000});
  put("signal", daemon::SignalFor{15});
  put("ended", daemon::Ended{0, {0, 9, false}, 1200, 1 << 20, false});
  put("refused", daemon::Refused{"it serves 4 launches already (leases)"});
}

void put_texts(Corpus& corpus) {
  const std::string file = "0123456789abcdef0123456789abcdef.ppnode\n";
  corpus.put("node_file", "a_node", file + "pp-node-1\nname node3\naddress 10.0.0.3:7400\n");
  corpus.put("node_file", "of_two_families",
             file + "pp-node-1\naddress 10.0.0.3:7400\naddress [fd00::3]:7400\n");
  corpus.put("node_file", "another_version", file + "pp-node-2\naddress 10.0.0.3:7400\n");
  corpus.put("node_file", "two_names", file + "pp-node-1\nname a\nname b\naddress a:1\n");
  corpus.put("node_file", "cut_short", file + "pp-node-1\naddress 10.0.0.3:74");
  corpus.put("node_file", "port_0", file + "pp-node-1\naddress 10.0.0.3:0\n");
  corpus.put("address", "names_and_numbers", "node1:7001,10.0.0.1:0");
  corpus.put("address", "ipv6", "[fd00::1]:7001,[fe80::1%eth0]:65535");
  corpus.put("address", "longest_host", std::string(253, 'a') + ":7001");
  corpus.put("address", "host_too_long", std::string(254, 'a') + ":7001");
  corpus.put("address", "no_port", "node1");
  corpus.put("address", "port_too_large", "node1:65536");
  const std::string digits = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCD";
  corpus.put("cluster_key", "key", "pp-key-1:" + digits + "\n");
  corpus.put("cluster_key", "without_newline", "pp-key-1:" + digits);
  corpus.put("cluster_key", "two_newlines", "pp-key-1:" + digits + "\n\n");
  corpus.put("cluster_key", "a_digit_is_none", "pp-key-1:" + digits.substr(1) + "g\n");
  corpus.put("report_line", "a_good_launch",
             "listening 127.0.0.1:40321\njoined 3f2a91c0 my host:4711 [::1]:40322 4 tcp;ofi_rxm\n"
             "ready\nleft 3f2a91c0 the process ended\n");
  corpus.put("report_line", "a_bad_launch",
             "refused keys differ\nunreachable a:1 no route\nmissing 2\nerror \x1b[2J\nwhat");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]), 2;
  Corpus corpus(argv[1]);
  put_messages(corpus);
  put_values(corpus);
  put_handshakes(corpus);
  put_sessions(corpus);
  put_beacons(corpus);
  put_gossip(corpus);
  put_job_logs(corpus);
  put_daemon_messages(corpus);
  put_texts(corpus);
}
