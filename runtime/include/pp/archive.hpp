// Archives: where encoded bytes are put and taken from, by the codec and by a user's cereal
// functions.
#pragma once

#include <algorithm>
#include <cereal/cereal.hpp>
#include <cereal/types/common.hpp>
#include <cereal/types/string.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <pp/error.hpp>
#include <pp/large_memory.hpp>
#include <span>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::codec {

class OutArchive;  // what a user's `serialize` is handed when its object leaves ...
class InArchive;   // ... and when it arrives

// Containers in containers, deeper than this, are refused on both sides: only recursive types get
// there, and a hostile message must not exhaust the stack.
inline constexpr int kMaxDepth = 100;

// What arrived is not what was expected. `offset()` is the number of bytes that had been
// understood.
class DecodeError : public Error {
 public:
  explicit DecodeError(const std::string& what, std::size_t offset = 0)
      : Error("cannot decode: " + what + ", at byte " + std::to_string(offset) +
              "; sender and receiver must run the same build, and the bytes must arrive unchanged"),
        offset_(offset) {}

  std::size_t offset() const { return offset_; }

 private:
  std::size_t offset_;
};

// Out of line: inlined, the vector's growth makes g++ 12 warn of overflows that cannot be, and
// every caller large.
[[gnu::noinline]] inline void append(Bytes& out, const std::byte* from, std::size_t size) {
  if (size >= kLarge && out.capacity() - out.size() < size) codec::grow_large(out, size);
  out.insert(out.end(), from, from + size);
}

// Appends to a Bytes. Small values collect in a buffer of its own and move over together; large
// ones go straight through. Until finish() the output counts as unfinished: a Writer destroyed
// before it (a user's `save` has thrown) leaves the Bytes as they were.
class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out), start_(out.size()) {}
  ~Writer() {
    if (!finished_) out_.resize(start_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  static constexpr std::size_t kChunk = 512;

  // The next `count` bytes of output, to be filled now. REQUIRES: count <= kChunk.
  std::byte* room(std::size_t count) {
    if (kChunk - used_ < count) flush();
    std::byte* at = chunk_ + used_;
    used_ += count;
    return at;
  }

  void copy(const void* from, std::size_t count) {
    if (count <= kChunk) {
      if (count > 0) std::memcpy(room(count), from, count);
    } else {
      flush();
      const auto* bytes = static_cast<const std::byte*>(from);
      codec::append(out_, bytes, count);
    }
  }

  void finish() {
    flush();
    finished_ = true;
  }

  void enter() {
    if (++depth_ > kMaxDepth) too_deep();
  }
  void leave() { --depth_; }

  OutArchive* archive = nullptr;  // set by encode() for types that may call a user's function

 private:
  void flush() {
    if (used_ > 0) codec::append(out_, chunk_, used_);
    used_ = 0;
  }

  [[noreturn, gnu::cold, gnu::noinline]] static void too_deep() {
    throw Error("cannot encode: containers within containers are nested deeper than " +
                std::to_string(kMaxDepth) +
                "; flatten the structure (a list linked by unique_ptr into a vector, a tree into "
                "nodes with indices)");
  }

  Bytes& out_;
  std::size_t start_;
  std::size_t used_ = 0;
  int depth_ = 0;
  bool finished_ = false;
  std::byte chunk_[kChunk];
};

// Takes bytes from what arrived and never reads beyond it: each claim about lengths is held against
// what is left before it is believed.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> in)
      : begin_(in.data()), at_(in.data()), end_(in.data() + in.size()) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // The next `count` bytes.
  const std::byte* take(std::size_t count) {
    if (left() < count) too_short(count);
    const std::byte* from = at_;
    at_ += count;
    return from;
  }

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::size_t offset() const { return static_cast<std::size_t>(at_ - begin_); }

  void enter() {
    if (++depth_ > kMaxDepth)
      fail("containers within containers are nested deeper than " + std::to_string(kMaxDepth));
  }
  void leave() { --depth_; }

  // A number of elements that occupy at least `each` bytes. REQUIRES: each > 0.
  std::size_t count(std::size_t each) {
    std::uint64_t claimed = 0;
    const std::byte* from = take(8);
    for (int i = 7; i >= 0; --i) claimed = claimed << 8 | std::to_integer<std::uint64_t>(from[i]);
    if (claimed > (left() - std::min(owed_, left())) / each) too_many(claimed);
    return static_cast<std::size_t>(claimed);
  }

  // Bytes that the containers around the value at hand still need for their other elements: what
  // is in it cannot claim them too.
  void owe(std::size_t bytes) { owed_ += bytes; }
  void pay(std::size_t bytes) { owed_ -= bytes; }

  // The zeros after an element (wire.hpp).
  void skip_filler(std::size_t size) {
    const std::byte* from = take(size);
    for (std::size_t i = 0; i < size; ++i)
      if (from[i] != std::byte{0}) fail("filler of an element is not zero");
  }

  [[noreturn, gnu::cold, gnu::noinline]] void fail(const std::string& what) const {
    throw DecodeError(what, offset());
  }

  InArchive* archive = nullptr;  // set by decode() for types that may call a user's function

 private:
  [[noreturn, gnu::cold, gnu::noinline]] void too_short(std::size_t needed) const {
    fail(std::to_string(needed) + " bytes needed, " + std::to_string(left()) + " left");
  }
  [[noreturn, gnu::cold, gnu::noinline]] void too_many(std::uint64_t claimed) const {
    fail(std::to_string(claimed) + " elements announced, only " + std::to_string(left()) +
         " bytes left");
  }

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  std::size_t owed_ = 0;
  int depth_ = 0;
};

// The cereal archive that a user's `serialize` or `save` meets.
class OutArchive : public cereal::OutputArchive<OutArchive, cereal::AllowEmptyClassElision> {
  using Cereal = cereal::OutputArchive<OutArchive, cereal::AllowEmptyClassElision>;

 public:
  explicit OutArchive(Writer& writer) : Cereal(this), writer_(writer) {}

  template <class... Values>
  OutArchive& operator()(Values&&... values) {
    (put(values), ...);
    return *this;
  }
  template <class Value>
  OutArchive& operator&(Value&& value) {
    return (*this)(value);
  }
  template <class Value>
  OutArchive& operator<<(Value&& value) {
    return (*this)(value);
  }

  // Bytes as they are, under the name that cereal's own archives have for it.
  void saveBinary(const void* from, std::size_t size) { writer_.copy(from, size); }

 private:
  template <class V>
  void put(const V& value);  // codec.hpp

  Writer& writer_;
};

// The cereal archive that a user's `serialize` or `load` meets.
class InArchive : public cereal::InputArchive<InArchive, cereal::AllowEmptyClassElision> {
  using Cereal = cereal::InputArchive<InArchive, cereal::AllowEmptyClassElision>;

 public:
  explicit InArchive(Reader& reader) : Cereal(this), reader_(reader) {}

  template <class... Values>
  InArchive& operator()(Values&&... values) {
    (get(values), ...);
    return *this;
  }
  template <class Value>
  InArchive& operator&(Value&& value) {
    return (*this)(value);
  }
  template <class Value>
  InArchive& operator>>(Value&& value) {
    return (*this)(value);
  }

  void loadBinary(void* to, std::size_t size) {
    const std::byte* from = reader_.take(size);
    if (size > 0) std::memcpy(to, from, size);
  }

  // A number of elements: not more than bytes are left.
  std::size_t loadCount() { return reader_.count(1); }

 private:
  template <class V>
  void get(V& value);  // codec.hpp

  Reader& reader_;
};

}  // namespace pp::codec

CEREAL_SETUP_ARCHIVE_TRAITS(pp::codec::InArchive, pp::codec::OutArchive)

#pragma GCC visibility pop
