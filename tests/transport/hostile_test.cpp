// Hostile: what strangers, recordings and somebody on the way can do to nodes: nothing that lasts.
#include <dirent.h>
#include <sys/resource.h>

#include <array>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

#include "middle.hpp"
#include "resident_bytes.hpp"
#include "wire.hpp"

namespace pp::transport {
namespace {

using pp::test::resident_bytes;

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Bytes;
using testing::bytes_of;
using testing::Diary;
using testing::Middle;
using testing::Node;
using testing::PlainSocket;
using testing::run;
using testing::same_key;
using testing::value_of;

std::size_t open_descriptors() {
  DIR* const folder = ::opendir("/proc/self/fd");
  std::size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

class Hostile : public ::testing::Test {
 protected:
  static NetworkOptions options(const std::string& listen = "127.0.0.1") {
    NetworkOptions options = testing::options();
    options.listen = {listen, 0};
    return options;
  }
  Node open(NetworkOptions with = options()) {
    return {open_network(same_key(key_), std::move(with)), Diary{}};
  }
  // As testing::run, with somebody on the way, who may be null.
  static bool run_with(Middle* middle, std::vector<Node*> nodes, const std::function<bool()>& done,
                       seconds limit = seconds(60)) {
    return run(
        std::move(nodes),
        [&] {
          if (middle != nullptr) middle->pump();
          return done();
        },
        limit);
  }
  // Numbered messages both ways: nothing is missing, nothing is twice, nothing is changed.
  static void expect_work(Middle* middle, Node& a, Node& b, std::uint64_t count = 200) {
    std::uint64_t at_a = 0, at_b = 0, wrong = 0;
    a.diary.read = [&](SessionId, auto message) {
      wrong += message.size() != 64 || value_of(message) != at_a++;
    };
    b.diary.read = [&](SessionId, auto message) {
      wrong += message.size() != 64 || value_of(message) != at_b++;
    };
    for (std::uint64_t i = 0; i < count; ++i) {
      a.transport->send(a.session(), bytes_of(i, 64));
      b.transport->send(b.session(), bytes_of(i, 64));
    }
    EXPECT_TRUE(run_with(middle, {&a, &b}, [&] { return at_a == count && at_b == count; }));
    EXPECT_EQ(wrong, 0u);
    a.diary.read = b.diary.read = nullptr;
  }

  ClusterKey key_ = ClusterKey::generate();
};

// ---- recordings

// What two honest nodes have said to each other, byte for byte.
struct Recording {
  Bytes dialler, listener;
  std::vector<Bytes> dialler_units, listener_units;
  Middle::Act tape() {
    return [this](const Middle::Unit& unit, Bytes& on, Bytes&) {
      const bool dials = unit.from == Middle::From::kDialler;
      Bytes& all = dials ? dialler : listener;
      all.insert(all.end(), unit.bytes.begin(), unit.bytes.end());
      (dials ? dialler_units : listener_units).push_back(unit.bytes);
      on = unit.bytes;
      return true;
    };
  }
};

class Recorded : public Hostile {
 protected:
  // A session between `a`, which listens, and another node, in which 200 messages go both ways.
  void record(Node& a, Node& b) {
    recorder_ = std::make_unique<Middle>(a.address());
    recorder_->act(recording_.tape());
    b.transport->dial(recorder_->address());
    ASSERT_TRUE(run_with(recorder_.get(), {&a, &b},
                         [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
    expect_work(recorder_.get(), a, b);
    ASSERT_GE(recording_.dialler_units.size(), 3u);
  }
  void hang_up(Node& a, Node& b) {
    b.transport->hang_up(b.session(), "enough");
    ASSERT_TRUE(run_with(recorder_.get(), {&a, &b},
                         [&] { return a.diary.live() == 0 && b.diary.live() == 0; }));
  }
  // Says it to `a` again, in pieces of so many bytes, until it is thrown out.
  void replay(Node& a, std::vector<Node*> nodes, std::size_t piece = SIZE_MAX) {
    auto socket = PlainSocket::connect(a.address());
    ASSERT_NE(socket, nullptr);
    Bytes heard;
    std::size_t said = 0;
    const Bytes& words = recording_.dialler;
    EXPECT_TRUE(run_with(recorder_.get(), std::move(nodes), [&] {
      const std::size_t more = std::min(piece, words.size() - said);
      const auto from = words.begin() + static_cast<long>(said);
      socket->put(Bytes(from, from + static_cast<long>(more)));
      said += more;
      socket->take(heard);
      return socket->ended();
    })) << "a recording is listened to for ever";
  }
  Recording recording_;
  std::unique_ptr<Middle> recorder_;
};

TEST_F(Recorded, a_recorded_session_is_refused_while_the_real_one_goes_on) {
  Node a = open(), b = open();
  record(a, b);
  const std::size_t messages = a.diary.messages, before = a.transport->counters().refusals;
  replay(a, {&a, &b});
  EXPECT_EQ(a.transport->counters().refusals, before + 1);
  EXPECT_EQ(a.diary.refusals.back().reason, RefusalReason::kWrongKey);
  EXPECT_NE(a.diary.refusals.back().sentence.find("repeated"), std::string::npos);
  EXPECT_EQ(a.diary.messages, messages) << "a recording was taken for a message";
  EXPECT_EQ(a.diary.live(), 1u);
  EXPECT_TRUE(a.diary.downs.empty());
  EXPECT_EQ(a.transport->counters().violations, 0u);
  expect_work(recorder_.get(), a, b);
}

TEST_F(Recorded, a_recorded_session_is_refused_after_the_real_one_has_ended) {
  Node a = open();
  {
    Node b = open();
    record(a, b);
    hang_up(a, b);
  }
  const std::size_t messages = a.diary.messages;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, SIZE_MAX})
    replay(a, {&a}, piece);
  EXPECT_EQ(a.transport->counters().refusals, 3u);
  EXPECT_EQ(a.diary.ups.size(), 1u) << "a recording was taken for a peer";
  EXPECT_EQ(a.diary.messages, messages);
}

TEST_F(Recorded, a_recording_is_refused_by_another_life_of_the_node) {
  {
    Node a = open(), b = open();
    record(a, b);
  }
  Node a = open();
  recorder_.reset();
  replay(a, {&a});
  EXPECT_EQ(a.transport->counters().refusals, 1u);
  EXPECT_TRUE(a.diary.ups.empty());
}

// The other direction: somebody answers a dial with what an honest listener said once.
TEST_F(Recorded, a_recorded_answer_is_refused_by_who_dials) {
  Node a = open(), b = open();
  record(a, b);
  for (std::size_t keep = 1; keep <= 2; ++keep) {
    Node c = open();
    Middle parrot(a.address());
    parrot.act([&](const Middle::Unit& unit, Bytes&, Bytes& back) {
      if (unit.from == Middle::From::kDialler && unit.number == 0)
        back = keep == 1 ? recording_.listener_units.front() : recording_.listener;
      return true;
    });
    c.transport->dial(parrot.address());
    ASSERT_TRUE(run_with(&parrot, {&a, &b, &c}, [&] {
      recorder_->pump();
      return c.transport->counters().refusals == 1;
    }));
    EXPECT_EQ(c.diary.refusals.back().reason, RefusalReason::kWrongKey);
    EXPECT_TRUE(c.diary.ups.empty());
  }
  EXPECT_EQ(a.diary.live(), 1u);
  expect_work(recorder_.get(), a, b);
}

// A Hello can be said again by everybody who has heard it; the name on it must not keep its owner's
// peers from dialling it.
class RecordedHello : public Recorded, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(NodeIds, RecordedHello, ::testing::Bool(), [](const auto& param) {
  return param.param ? "the_smaller_is_dialled" : "the_larger_is_dialled";
});
TEST_P(RecordedHello, does_not_keep_others_from_its_owner) {
  NetworkOptions own = options(), others = options();
  own.introduction.node.bytes[0] = GetParam() ? 0xf0 : 0x10;
  others.introduction.node.bytes[0] = 0x80;
  Node a = open(own), b = open(others);
  record(a, b);
  hang_up(a, b);
  // Somebody stands in the middle of a handshake as b; and a, whichever of the two is smaller,
  // dials b.
  std::vector<std::unique_ptr<PlainSocket>> parrots;
  for (int i = 0; i < 4; ++i) {
    parrots.push_back(PlainSocket::connect(a.address(), "127.0.0.9"));
    parrots.back()->put(recording_.dialler_units.front());
  }
  Bytes heard;
  ASSERT_TRUE(run({&a}, [&] {
    parrots.back()->take(heard);
    return !heard.empty();
  }));
  a.transport->dial(b.address());
  EXPECT_TRUE(run(
      {&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }, seconds(5)))
      << "refused: " << a.diary.refusals.size();
  EXPECT_TRUE(a.diary.ups.back().peer.dialled);
}

// ---- somebody on the way

enum class Fault { kAlter, kTruncate, kCut, kReflect, kReorder, kDuplicate, kOmit, kInsert, kSwap };
constexpr std::pair<Fault, const char*> kFaults[] = {
    {Fault::kAlter, "altered"},
    {Fault::kTruncate, "truncated"},
    {Fault::kCut, "cut_short"},
    {Fault::kReflect, "reflected"},
    {Fault::kReorder, "reordered"},
    {Fault::kDuplicate, "duplicated"},
    {Fault::kOmit, "omitted"},
    {Fault::kInsert, "invented"},
    {Fault::kSwap, "put_in_for_another_of_the_same_length"}};

class OnTheWay : public Hostile, public ::testing::WithParamInterface<std::size_t> {
 protected:
  // Spoils one frame, number `at` of one side or the other.
  Middle::Act spoil(Fault fault, Middle::From from, std::size_t at, std::mt19937& random) {
    return [this, fault, from, at, &random](const Middle::Unit& unit, Bytes& on, Bytes& back) {
      on = unit.bytes;
      if (!unit.frame || unit.from != from || done_) return true;
      if (unit.number < at) {
        earlier_ = unit.bytes;
        return true;
      }
      const std::size_t some = random() % unit.bytes.size();
      switch (fault) {
        case Fault::kAlter:
          on[some] ^= static_cast<std::byte>(1 << random() % 8);
          break;
        case Fault::kTruncate:
          on.resize(unit.bytes.size() - 1 - some % 64);
          break;
        case Fault::kCut:
          on.resize(some);
          done_ = true;
          return false;
        case Fault::kReflect:
          back = unit.bytes;
          break;
        case Fault::kReorder:
          if (unit.number == at) {
            earlier_ = std::exchange(on, {});
            return true;
          }
          on.insert(on.end(), earlier_.begin(), earlier_.end());
          break;
        case Fault::kDuplicate:
          on.insert(on.end(), unit.bytes.begin(), unit.bytes.end());
          break;
        case Fault::kOmit:
          on.clear();
          break;
        case Fault::kInsert: {
          Bytes invented = unit.bytes;
          for (std::size_t i = 40; i < invented.size(); ++i)
            invented[i] = static_cast<std::byte>(random());
          on.insert(on.begin(), invented.begin(), invented.end());
          break;
        }
        case Fault::kSwap:
          if (earlier_.size() != unit.bytes.size()) return true;  // the next one will do
          // An old frame under the number of the new one.
          std::copy(unit.bytes.begin(), unit.bytes.begin() + 40, earlier_.begin());
          on = earlier_;
          break;
      }
      done_ = true;
      return true;
    };
  }
  bool done_ = false;
  Bytes earlier_;
};

INSTANTIATE_TEST_SUITE_P(Frames, OnTheWay, ::testing::Range(std::size_t{0}, std::size(kFaults)),
                         [](const auto& param) {
                           return std::string(kFaults[param.param].second);
                         });

// The session ends at both, it is counted and named, nothing false was handed over, and a new one
// carries on.
TEST_P(OnTheWay, a_spoilt_frame_ends_the_session_and_the_next_one_works) {
  const Fault fault = kFaults[GetParam()].first;
  const unsigned seed = 20'260 + static_cast<unsigned>(GetParam());
  std::mt19937 random(seed);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    Node a = open(), b = open();
    Middle middle(a.address());
    done_ = false;
    const auto from = random() % 2 == 0 ? Middle::From::kDialler : Middle::From::kListener;
    middle.act(spoil(fault, from, 1 + random() % 20, random));
    b.transport->dial(middle.address());
    ASSERT_TRUE(
        run_with(&middle, {&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
    std::uint64_t wrong = 0, at_a = 0, at_b = 0, sent = 0;
    a.diary.read = [&](SessionId, auto message) {
      wrong += message.size() != 64 || value_of(message) != at_a++;
    };
    b.diary.read = [&](SessionId, auto message) {
      wrong += message.size() != 64 || value_of(message) != at_b++;
    };
    ASSERT_TRUE(run_with(&middle, {&a, &b}, [&] {
      if (a.diary.live() == 1) a.transport->send(a.session(), bytes_of(sent, 64));
      if (b.diary.live() == 1) b.transport->send(b.session(), bytes_of(sent, 64));
      ++sent;
      return a.diary.live() == 0 && b.diary.live() == 0;
    })) << "a session outlived a frame that was spoilt";
    EXPECT_TRUE(done_);
    EXPECT_EQ(wrong, 0u) << "what was spoilt was handed over";
    const std::uint64_t blamed =
        a.transport->counters().violations + b.transport->counters().violations;
    if (fault == Fault::kCut) {  // no more than a cable that was pulled
      EXPECT_EQ(blamed, 0u);
    } else {
      EXPECT_GE(blamed, 1u);
      EXPECT_TRUE(a.diary.downs[0].reason == DownReason::kViolation ||
                  b.diary.downs[0].reason == DownReason::kViolation);
    }
    for (const Node* node : {&a, &b}) EXPECT_FALSE(node->diary.downs[0].why.empty());

    b.transport->dial(middle.address());
    ASSERT_TRUE(
        run_with(&middle, {&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
    expect_work(&middle, a, b, 50);
  }
}

// Every byte of the handshake counts: whichever is changed, no session comes of it.
TEST_F(Hostile, no_session_comes_of_a_handshake_that_was_changed_on_the_way) {
  std::mt19937 random(20'261);
  Node a = open();
  std::size_t seen = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    NetworkOptions impatient = options();
    impatient.limits.handshake = milliseconds(200);  // a length made larger is waited for
    Node b = open(impatient);
    Middle middle(a.address());
    const std::size_t which = random() % 3;
    bool spoilt = false;
    middle.act([&](const Middle::Unit& unit, Bytes& on, Bytes&) {
      on = unit.bytes;
      const bool it = !unit.frame && (which == 1) == (unit.from == Middle::From::kListener) &&
                      unit.number == which / 2;
      if (it && !spoilt) {
        spoilt = true;
        on[random() % on.size()] ^= static_cast<std::byte>(1 << random() % 8);
      }
      return true;
    });
    b.transport->dial(middle.address());
    // Message 3 is the dialler's last word: it believes in a session until the listener's refusal
    // ends the connection.
    ASSERT_TRUE(run_with(&middle, {&a, &b}, [&] {
      return spoilt && b.diary.live() == 0 &&
             b.diary.refusals.size() + b.diary.failed_dials.size() + b.diary.downs.size() > 0;
    }));
    EXPECT_TRUE(a.diary.ups.empty());
    EXPECT_EQ(b.diary.messages, 0u);
    seen += b.diary.refusals.size();
  }
  EXPECT_GT(a.transport->counters().refusals, 0u);
  EXPECT_GT(seen, 0u);
  EXPECT_EQ(a.diary.messages, 0u);
}

// ---- crowds

// Opens and closes nothing that it does not count: descriptors and memory are what they were.
TEST_F(Hostile, a_thousand_silent_connections_cost_nothing_that_stays) {
  constexpr std::size_t kCrowd = 1000;
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = std::min<rlim_t>(descriptors.rlim_max, 8192);
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  NetworkOptions everywhere = options();
  everywhere.listen = {"0.0.0.0", 0};
  everywhere.interface = "127.0.0.1";
  Node a = open(everywhere);
  const Address door{"127.0.0.1", a.address().port};
  // The second time is measured: what the first takes for good (tables, the allocator) is not much,
  // but it is something.
  std::size_t before = 0, bytes_before = 0;
  for (int round = 0; round < 3; ++round) {
    if (round == 1) {
      before = open_descriptors();
      bytes_before = resident_bytes();
    }
    const std::size_t refusals = a.transport->counters().refusals;
    std::vector<std::unique_ptr<PlainSocket>> crowd;
    while (crowd.size() < kCrowd) {
      auto socket = PlainSocket::connect(door);
      ASSERT_NE(socket, nullptr) << std::strerror(errno);
      crowd.push_back(std::move(socket));
    }
    // Somebody with the key, from another address, gets in meanwhile.
    Node b = open();
    Middle bridge(door, "127.0.0.2");
    b.transport->dial(bridge.address());
    std::size_t most = 0, ups = a.diary.ups.size();
    ASSERT_TRUE(run_with(&bridge, {&a, &b}, [&] {
      most = std::max(most, open_descriptors());
      return a.diary.ups.size() > ups && b.diary.live() == 1;
    })) << "a proven node was kept out";
    expect_work(&bridge, a, b);
    // Every one of the crowd is shown out, or told that there are too many.
    Bytes heard;
    ASSERT_TRUE(run_with(&bridge, {&a, &b}, [&] {
      std::size_t ended = 0;
      for (const auto& socket : crowd) {
        socket->take(heard);
        ended += socket->ended();
      }
      return ended == kCrowd;
    }));
    EXPECT_EQ(a.transport->counters().refusals, refusals + kCrowd);
    // Both ends of the crowd are in this process: the node's share is what exceeds the crowd's.
    EXPECT_LT(most, before + kCrowd + 64 + 64) << "more strangers stood inside than may";
    b.transport->hang_up(b.session(), "enough");
    ASSERT_TRUE(
        run_with(&bridge, {&a, &b}, [&] { return a.diary.live() == 0 && b.diary.live() == 0; }));
  }
  run(
      {&a}, [&] { return open_descriptors() <= before; }, seconds(20));
  EXPECT_LE(open_descriptors(), before);
  EXPECT_LT(resident_bytes(), bytes_before + (std::size_t{8} << 20));
}

// Eight from one address stand at the door; a ninth is told so; others are not concerned.
TEST_F(Hostile, one_address_fills_its_own_places_only) {
  NetworkOptions everywhere = options();
  everywhere.listen = {"0.0.0.0", 0};
  everywhere.interface = "127.0.0.1";
  everywhere.limits.handshake = seconds(600);  // nobody leaves by itself
  Node a = open(everywhere);
  const std::uint16_t port = a.address().port;
  std::vector<std::unique_ptr<PlainSocket>> silent;
  const auto come = [&](const std::string& from) {
    silent.push_back(PlainSocket::connect({"127.0.0.1", port}, from));
    ASSERT_NE(silent.back(), nullptr);
  };
  for (int host = 1; host <= 8; ++host)
    for (int i = 0; i < 9; ++i) come("127.0.0." + std::to_string(10 + host));
  Bytes heard;
  const auto ended = [&] {
    std::size_t count = 0;
    for (const auto& socket : silent) {
      socket->take(heard);
      count += socket->ended();
    }
    return count;
  };
  ASSERT_TRUE(run({&a}, [&] { return ended() == 8; }));
  EXPECT_EQ(a.transport->counters().refusals, 8u);
  // All 64 places are taken: a ninth address is told that.
  come("127.0.0.30");
  ASSERT_TRUE(run({&a}, [&] { return ended() == 9; }));
  EXPECT_NE(a.diary.refusals.back().sentence.find("limit 64"), std::string::npos);
  // When one goes, the next may come in: as soon as it is seen that it went.
  silent.erase(silent.begin());
  const auto inside = [&] { return silent.size() - ended(); };
  ASSERT_EQ(inside(), 63u);
  ASSERT_TRUE(run({&a}, [&] {
    if (inside() == 63) come("127.0.0.30");
    for (int i = 0; i < 20; ++i) a.transport->poll(Clock::now(), a.diary);
    return inside() == 64;
  }));
}

// ---- lengths

// Every field of the fixed headers that says how long something is, with every power of two.
TEST_F(Hostile, no_length_before_the_proof_is_believed) {
  NetworkOptions impatient = options();
  impatient.limits.handshake = milliseconds(100);
  Node a = open(impatient);
  const std::size_t before = resident_bytes();
  std::size_t tried = 0;
  for (std::size_t size = 0; size <= 0xffff; size = size == 0 ? 1 : size * 2 + 1) {
    for (const int number : {0, 1, 2, 3, 4, 255}) {
      auto socket = PlainSocket::connect(a.address());
      ASSERT_NE(socket, nullptr);
      Bytes words(8 + std::min<std::size_t>(size, 4096) / 2, std::byte{0x11});
      const std::uint8_t prefix[8] = {'p',
                                      'p',
                                      'h',
                                      2,
                                      static_cast<std::uint8_t>(size),
                                      static_cast<std::uint8_t>(size >> 8),
                                      static_cast<std::uint8_t>(number),
                                      0};
      std::memcpy(words.data(), prefix, sizeof prefix);
      socket->put(words);
      Bytes heard;
      ASSERT_TRUE(run({&a}, [&] {
        socket->take(heard);
        return socket->ended();
      })) << size;
      ++tried;
    }
  }
  EXPECT_EQ(a.transport->counters().refusals, tried);
  EXPECT_TRUE(a.diary.ups.empty());
  EXPECT_LT(resident_bytes(), before + (std::size_t{4} << 20));
}

// Frames in the clear, and the header of a proven session's frame, with lengths up to 2^63.
TEST_F(Hostile, no_length_after_the_proof_is_believed) {
  const std::size_t before = resident_bytes();
  for (int bit = 0; bit < 64; ++bit) {
    SCOPED_TRACE(bit);
    Node a = open(), b = open();
    Middle middle(a.address());
    bool done = false;
    middle.act([&](const Middle::Unit& unit, Bytes& on, Bytes&) {
      on = unit.bytes;
      if (!unit.frame || unit.from != Middle::From::kDialler || unit.number < 2 || done)
        return true;
      // The length is bytes 4 to 7; above that, the words that follow it: all that could be read as
      // one.
      const std::uint64_t value = std::uint64_t{1} << bit;
      std::memcpy(on.data() + 4, &value, bit < 32 ? 4 : 8);
      done = true;
      return true;
    });
    b.transport->dial(middle.address());
    ASSERT_TRUE(
        run_with(&middle, {&a, &b}, [&] { return a.diary.live() == 1 && b.diary.live() == 1; }));
    ASSERT_TRUE(run_with(&middle, {&a, &b}, [&] {
      if (b.diary.live() == 1) b.transport->send(b.session(), bytes_of(1, 64));
      return a.diary.live() == 0 && b.diary.live() == 0;
    }));
    EXPECT_EQ(a.diary.downs[0].reason, DownReason::kViolation);
    EXPECT_EQ(a.transport->counters().violations, 1u);
  }
  EXPECT_LT(resident_bytes(), before + (std::size_t{16} << 20));
}

}  // namespace
}  // namespace pp::transport
