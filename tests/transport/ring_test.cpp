// Ring: records come out as they went in, and nonsense in the memory harms nobody.
#include "ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace pp::transport {
namespace {

using Record = std::vector<std::byte>;

Record record(std::size_t size, std::uint64_t mark) {
  Record bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = mark * 1'000'003 + i;
    std::memcpy(bytes.data() + i, &word, sizeof word);
  }
  return bytes;
}

// A ring's memory, its two ends, and who else can write it: everybody.
template <std::size_t Capacity>
struct Memory {
  alignas(128) std::array<std::byte, ring_bytes(Capacity)> bytes{};

  RingHeader& header() { return *reinterpret_cast<RingHeader*>(bytes.data()); }
  void write(std::size_t place, std::uint64_t word) {
    std::memcpy(bytes.data() + sizeof(RingHeader) + place, &word, sizeof word);
  }
};

class Ring : public ::testing::Test {
 protected:
  static constexpr std::size_t kCapacity = 256;

  RingReader::Take take(Record& taken) {
    taken.resize(kRoom);
    std::size_t size = 0;
    const RingReader::Take what = reader_.take(taken, size);
    taken.resize(what == RingReader::Take::kTaken ? size : 0);
    return what;
  }
  RingReader::Take take() {
    Record taken;
    return take(taken);
  }

  static constexpr std::size_t kRoom = 240;
  std::unique_ptr<Memory<kCapacity>> memory_ = std::make_unique<Memory<kCapacity>>();
  RingWriter writer_{memory_->bytes};
  RingReader reader_{memory_->bytes};
};

using Put = RingWriter::Put;
using Take = RingReader::Take;

TEST_F(Ring, what_is_put_is_taken_once_and_in_order) {
  EXPECT_EQ(take(), Take::kEmpty);
  ASSERT_EQ(writer_.put(record(8, 1)), Put::kPut);
  ASSERT_EQ(writer_.put(record(64, 2)), Put::kPut);
  Record taken;
  ASSERT_EQ(take(taken), Take::kTaken);
  EXPECT_EQ(taken, record(8, 1));
  ASSERT_EQ(take(taken), Take::kTaken);
  EXPECT_EQ(taken, record(64, 2));
  EXPECT_EQ(take(), Take::kEmpty);
}

TEST_F(Ring, a_full_ring_refuses_and_takes_again_when_there_is_room) {
  int put = 0;
  while (writer_.put(record(24, static_cast<std::uint64_t>(put))) == Put::kPut) ++put;
  EXPECT_EQ(put, 7);  // of 32 bytes each, and room for the length behind the last
  EXPECT_FALSE(writer_.has_room(24));
  Record taken;
  ASSERT_EQ(take(taken), Take::kTaken);
  EXPECT_TRUE(writer_.has_room(24));
  EXPECT_EQ(writer_.put(record(24, 7)), Put::kPut);
  EXPECT_EQ(writer_.put(record(24, 8)), Put::kFull);
  for (std::uint64_t i = 1; i <= 7; ++i) {
    ASSERT_EQ(take(taken), Take::kTaken);
    EXPECT_EQ(taken, record(24, i));
  }
  EXPECT_EQ(take(), Take::kEmpty);
}

TEST_F(Ring, the_largest_record_fits_an_empty_ring_wherever_it_begins) {
  ASSERT_EQ(writer_.largest(), kRoom);
  Record taken;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_EQ(writer_.put(record(kRoom, i)), Put::kPut) << i;
    EXPECT_EQ(writer_.put(record(8, i)), Put::kFull);
    ASSERT_EQ(take(taken), Take::kTaken);
    ASSERT_EQ(taken, record(kRoom, i));
    ASSERT_EQ(take(), Take::kEmpty) << "what an earlier lap has left is no record";
  }
}

// Every size at every place, in every state of fullness: what an earlier lap left must never be
// seen, and no byte lost across the end.
TEST_F(Ring, a_hundred_thousand_records_of_all_sizes_go_round) {
  std::mt19937 random(20'261'126);
  std::uint64_t put = 0, taken_count = 0;
  std::vector<std::size_t> sizes;
  Record taken;
  while (taken_count < 100'000) {
    if (random() % 2 == 0) {
      const std::size_t size = 8 * (1 + random() % (kRoom / 8));
      if (writer_.put(record(size, put)) == Put::kPut) {
        ++put;
        sizes.push_back(size);
      }
    } else if (take(taken) == Take::kTaken) {
      ASSERT_EQ(taken, record(sizes[taken_count], taken_count));
      ++taken_count;
    } else {
      ASSERT_EQ(taken_count, put);
    }
  }
}

TEST_F(Ring, half_a_record_is_none) {
  // A writer that dies between its steps has written bytes, and no length in front of them.
  ASSERT_EQ(writer_.put(record(24, 1)), Put::kPut);
  ASSERT_EQ(take(), Take::kTaken);
  for (std::size_t place = 40; place < kCapacity; place += 8) memory_->write(place, ~0ull);
  EXPECT_EQ(take(), Take::kEmpty);
  EXPECT_TRUE(reader_.empty());
}

// ---- sleep

TEST_F(Ring, a_reader_that_sleeps_is_rung_for_once) {
  ASSERT_EQ(writer_.put(record(8, 1)), Put::kPut);
  EXPECT_FALSE(writer_.must_ring()) << "nobody sleeps";
  EXPECT_FALSE(reader_.fall_asleep()) << "there is something to read";
  reader_.awake();
  ASSERT_EQ(take(), Take::kTaken);
  EXPECT_TRUE(reader_.fall_asleep());
  ASSERT_EQ(writer_.put(record(8, 2)), Put::kPut);
  EXPECT_TRUE(writer_.must_ring());
  ASSERT_EQ(writer_.put(record(8, 3)), Put::kPut);
  EXPECT_FALSE(writer_.must_ring()) << "it has been rung for";
}

TEST_F(Ring, a_writer_that_waits_for_room_is_rung_for_once) {
  while (writer_.put(record(24, 1)) == Put::kPut) continue;
  EXPECT_FALSE(reader_.must_ring()) << "it has not said that it waits";
  EXPECT_TRUE(writer_.wait_for_room(24));
  ASSERT_EQ(take(), Take::kTaken);
  EXPECT_TRUE(reader_.must_ring());
  ASSERT_EQ(take(), Take::kTaken);
  EXPECT_FALSE(reader_.must_ring());
  EXPECT_FALSE(writer_.wait_for_room(24)) << "there is room";
}

// ---- hostile words

TEST_F(Ring, a_length_that_no_record_has_breaks_the_ring_for_good) {
  for (const std::uint64_t length :
       {std::uint64_t{1}, std::uint64_t{7}, std::uint64_t{9}, std::uint64_t{kRoom + 8},
        std::uint64_t{kCapacity}, std::uint64_t{1} << 32, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    memory_->write(0, length);
    EXPECT_EQ(take(), Take::kBroken) << length;
    EXPECT_EQ(take(), Take::kBroken) << length;
  }
}

TEST_F(Ring, a_record_longer_than_the_readers_room_breaks_the_ring) {
  ASSERT_EQ(writer_.put(record(64, 1)), Put::kPut);
  Record little(56);
  std::size_t size = 0;
  EXPECT_EQ(reader_.take(little, size), Take::kBroken);
}

TEST_F(Ring, a_reader_cannot_make_the_writer_believe_in_room_that_is_none) {
  while (writer_.put(record(24, 1)) == Put::kPut) continue;
  for (const std::uint64_t taken : {std::uint64_t{4}, std::uint64_t{232}, std::uint64_t{1} << 40,
                                    ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    memory_->header().taken = taken;
    EXPECT_EQ(writer_.put(record(24, 1)), Put::kBroken) << taken;
    EXPECT_FALSE(writer_.wait_for_room(24)) << "no sleep for who misbehaves";
  }
  memory_->header().taken = 224;
  EXPECT_EQ(writer_.put(record(24, 1)), Put::kPut);
  while (writer_.put(record(24, 1)) == Put::kPut) continue;
  memory_->header().taken = 192;
  EXPECT_EQ(writer_.put(record(24, 1)), Put::kBroken) << "it never takes back";
}

// Whatever the memory holds, each end touches nothing outside of it (AddressSanitizer looks on) and
// comes back at once with one of its answers.
TEST_F(Ring, noise_everywhere_at_any_time_is_survived) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 2'000; ++round) {
    auto memory = std::make_unique<Memory<kCapacity>>();
    RingWriter writer(memory->bytes);
    RingReader reader(memory->bytes);
    Record room(kRoom);
    for (int step = 0; step < 60; ++step) {
      const std::uint64_t noise = random() % 3 == 0 ? random() : random() % 300;
      const std::size_t place = 8 * (random() % (memory->bytes.size() / 8));
      std::memcpy(memory->bytes.data() + place, &noise, sizeof noise);
      std::size_t size = 0;
      if (reader.take(room, size) == Take::kTaken) {
        ASSERT_LE(size, room.size());
      }
      writer.put(record(8 * (1 + random() % (kRoom / 8)), 1));
      writer.wait_for_room(64);
      writer.must_ring();
      reader.fall_asleep();
      reader.must_ring();
    }
  }
}

// ---- two threads

// Catches a record that is seen before its bytes are there, room that is used before its bytes were
// read, and (with ThreadSanitizer) any access that is not ordered by length and `taken`.
TEST(RingOfTwoThreads, everything_arrives_in_order_and_unharmed) {
  constexpr std::uint64_t kCount = 200'000;
  auto memory = std::make_unique<Memory<1024>>();
  std::thread other([&] {
    RingWriter writer(memory->bytes);
    std::mt19937 random(1);
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const Record next = record(8 * (1 + random() % 40), i);
      while (writer.put(next) == Put::kFull) std::this_thread::yield();
    }
  });
  RingReader reader(memory->bytes);
  std::mt19937 random(1);
  Record taken(512);
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    std::size_t size = 0;
    while (reader.take(taken, size) == Take::kEmpty) std::this_thread::yield();
    const Record expected = record(8 * (1 + random() % 40), i);
    wrong +=
        size != expected.size() || !std::equal(expected.begin(), expected.end(), taken.begin());
  }
  other.join();
  EXPECT_EQ(wrong, 0u);
}

// Catches a lost bell: each side sleeps whenever it may, on a bell that is rung only when asked
// for, and nothing that comes later makes up for one. Without the fences both sleep for ever sooner
// or later (on two free cores: in each run), and the test never ends.
TEST(RingOfTwoThreads, nobody_sleeps_through_a_record_or_through_room) {
  constexpr std::uint64_t kCount = 100'000;
  auto memory = std::make_unique<Memory<64>>();  // room for one
  std::atomic<std::uint32_t> readers_bell{0}, writers_bell{0};
  const auto ring = [](std::atomic<std::uint32_t>& bell) {
    bell.fetch_add(1);
    bell.notify_one();
  };
  std::thread other([&] {
    RingWriter writer(memory->bytes);
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const Record next = record(40, i);
      for (;;) {
        const std::uint32_t seen = writers_bell.load();
        if (writer.put(next) == Put::kPut) break;
        if (writer.wait_for_room(next.size())) writers_bell.wait(seen);
      }
      if (writer.must_ring()) ring(readers_bell);
    }
  });
  RingReader reader(memory->bytes);
  Record taken(48);
  std::uint64_t bad = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    for (;;) {
      const std::uint32_t seen = readers_bell.load();
      std::size_t size = 0;
      if (reader.take(taken, size) == Take::kTaken) {
        bad += size != 40 || std::memcmp(taken.data(), record(40, i).data(), 40) != 0;
        break;
      }
      if (reader.fall_asleep()) readers_bell.wait(seen);
      reader.awake();
    }
    if (reader.must_ring()) ring(writers_bell);
  }
  other.join();
  EXPECT_EQ(bad, 0u);
}

}  // namespace
}  // namespace pp::transport
