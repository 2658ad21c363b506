// Blobs: strings of bytes that travel by their name, and what encoded values have of them with
// them.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <pp/codec.hpp>
#include <pp/content_hash.hpp>
#include <span>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <typeinfo>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace pp::runtime {

struct BlobId {
  ContentHash hash;
  std::uint64_t size =
      0;  // bytes; in front of everything that is said of it, so that room is there

  friend auto operator<=>(const BlobId&, const BlobId&) = default;
};

// Encoded bytes without a name: `front`, and behind it `rest`, which lies in the value itself. They
// are good for as long as that is neither changed nor destroyed, which `value` sees to if it is not
// null.
struct LooseBytes {
  codec::Bytes front;
  std::span<const std::byte> rest;
  std::shared_ptr<const void> value;

  std::size_t size() const { return front.size() + rest.size(); }
  // So much of it from `at` on, part of which may lie in `front`. REQUIRES: it has that much.
  std::array<std::span<const std::byte>, 2> part(std::size_t at, std::size_t length) const;
  // All of it in one piece; `rest` is copied.
  codec::Bytes whole() &&;
};

class Blob;
using BlobPtr = std::shared_ptr<const Blob>;

// What is encoded once, is never changed, and is sent to a node once however many jobs there need
// it (blob_store.hpp, blob_fetcher.hpp). It also keeps what it was decoded to, for the next who
// asks. Any thread.
class Blob {
 public:
  // Names it: hashes all of it, on this thread. `mentions`: what is shared inside of the value.
  static BlobPtr make(codec::Bytes bytes, std::vector<BlobPtr> mentions = {});
  // What has arrived and was found to have this name.
  Blob(const BlobId& id, codec::Bytes bytes, std::vector<BlobPtr> mentions = {})
      : id_(id), bytes_(std::move(bytes)), mentions_(std::move(mentions)) {}
  // What lies in a value that lives as long, `loose.value`. It is put together when it is asked
  // for, which those who send it need not do.
  Blob(const BlobId& id, LooseBytes loose) : id_(id), loose_(std::move(loose)), is_loose_(true) {}
  ~Blob() { codec::put_aside(std::move(bytes_)); }
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;

  const BlobId& id() const { return id_; }
  std::span<const std::byte> bytes() const { return is_loose_ ? put_together() : bytes_; }
  // As LooseBytes::part().
  std::array<std::span<const std::byte>, 2> part(std::size_t at, std::size_t length) const {
    if (is_loose_) return loose_.part(at, length);
    return {std::span<const std::byte>(), std::span(bytes_).subspan(at, length)};
  }

  // The value, which `make` (returning a T) decodes for the first who asks for a T; others wait for
  // that.
  // It lives as long as the blob. Throws what `make` throws; then the next one tries again.
  template <class T, class Make>
  const T& object(Make&& make) const {
    const std::lock_guard lock(mutex_);
    for (const Object& object : objects_)
      if (object.type == typeid(T)) return *static_cast<const T*>(object.value.get());
    auto value = std::make_shared<const T>(std::forward<Make>(make)());
    const T& reference = *value;
    objects_.push_back({typeid(T), std::move(value)});
    return reference;
  }

  // What is shared inside of it, at any depth.
  std::vector<BlobPtr> mentions() const {
    const std::lock_guard lock(mutex_);
    return mentions_;
  }
  // Known once it is decoded.
  void set_mentions(std::vector<BlobPtr> mentions) const {
    const std::lock_guard lock(mutex_);
    mentions_ = std::move(mentions);
  }

 private:
  struct Object {
    std::type_index type;
    std::shared_ptr<const void> value;
  };

  std::span<const std::byte> put_together() const;

  const BlobId id_;
  codec::Bytes bytes_;  // never changed while it lives
  LooseBytes loose_;    // likewise
  const bool is_loose_ = false;
  // Guards what follows; held while a value is decoded, so that nobody does it twice. Recursive:
  // the user's own functions are called then.
  mutable std::recursive_mutex mutex_;
  mutable std::vector<Object> objects_;
  mutable std::vector<BlobPtr> mentions_;
  mutable codec::Bytes together_;  // of what is loose, once it was asked for
};

// What belongs to encoded values besides their bytes: arguments too large to be sent with each job,
// and what is shared inside of the rest. Whoever encodes or decodes for another node lays one out
// for the time of that; the values' own functions find it there. A value; one thread at a time.
class Luggage {
 public:
  // Arguments that take more than so many bytes travel as blobs.
  static constexpr std::size_t kEager = 64 * 1024;

  // Which argument of the function the blob is; or one of these.
  using Place = std::uint32_t;
  static constexpr Place kMentioned = 0xffffffff;  // some value in the rest refers to it
  static constexpr Place kWhole = 0xfffffffe;  // all the bytes that are left: there are no others
  struct Item {
    Place place;
    BlobPtr blob;
  };

  // An argument or result that was left without a name, since one job alone has it: whoever sends
  // it says what it is called.
  struct Loose {
    Place place;
    LooseBytes bytes;
  };
  static constexpr std::size_t kNever = static_cast<std::size_t>(-1);

  // `arrived`: what came with the bytes that are to be decoded.
  explicit Luggage(std::size_t eager = kEager, std::vector<Item> arrived = {})
      : eager_(eager), arrived_(std::move(arrived)) {}

  // For whoever encodes.
  std::size_t eager() const { return eager_; }
  // What takes so many bytes is left loose. To hash them would take longer than to encode
  // them, and what lies in a value as it is on the wire need not even be copied.
  std::size_t loose_from() const { return loose_from_; }
  void leave_loose(std::size_t from) { loose_from_ = from; }
  void pack(Loose loose) { loose_.push_back(std::move(loose)); }
  std::vector<Loose>& loose() { return loose_; }
  // What is mentioned once only, with what is mentioned in it.
  void pack(Place place, BlobPtr blob);
  const std::vector<Item>& packed() const { return packed_; }
  std::vector<Item> take_packed() { return std::exchange(packed_, {}); }

  // For whoever decodes. Null: it has not come.
  const std::vector<Item>& arrived() const { return arrived_; }
  BlobPtr at(Place place) const;
  BlobPtr unpack(const BlobId& id);
  // What unpack() gave.
  const std::vector<BlobPtr>& unpacked() const { return unpacked_; }

  // The one that is laid out on this thread; null if there is none.
  static Luggage* current() noexcept;
  class Scope {
   public:
    // `luggage` may be null, and must outlive this.
    explicit Scope(Luggage* luggage) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Luggage* const before_;
  };

 private:
  std::size_t eager_;
  std::size_t loose_from_ = kNever;
  std::vector<Loose> loose_;
  std::vector<Item> packed_;
  std::vector<Item> arrived_;
  std::vector<BlobPtr> unpacked_;
};

// Decodes with the luggage that is laid out, and notes in `blob`, whose bytes they are, what was
// shared inside: whoever passes it on sends that too.
template <class T>
T decode_blob(const Blob& blob) {
  const Luggage* luggage = Luggage::current();
  Luggage inside;
  if (luggage != nullptr) inside = Luggage(luggage->eager(), luggage->arrived());
  const Luggage::Scope scope(&inside);
  T value = codec::decode_whole<T>(blob.bytes());
  blob.set_mentions(inside.unpacked());
  return value;
}

// --- arguments ---

template <std::size_t I, class T>
void encode_argument(codec::Bytes& out, const T& argument, Luggage& luggage) {
  constexpr auto kPlace = static_cast<Luggage::Place>(I);
  if constexpr (codec::kIsCountAndBytes<T>) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(argument));
    if (bytes.size() >= luggage.loose_from()) {
      codec::Bytes count;
      codec::encode(count, static_cast<std::uint64_t>(argument.size()));
      return luggage.pack({kPlace, {std::move(count), bytes, nullptr}});
    }
  }
  const std::size_t before = out.size();
  codec::encode(out, argument);
  if constexpr (codec::fixed_size<T>() == codec::kVaries) {
    if (out.size() - before <= luggage.eager()) return;
    codec::Bytes large;
    if (before == 0) {
      large.swap(out);
    } else {
      large.assign(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
      out.resize(before);
    }
    if (large.size() >= luggage.loose_from())
      return luggage.pack({kPlace, {std::move(large), {}, nullptr}});
    luggage.pack(kPlace, Blob::make(std::move(large)));
  }
}

// As codec::encode() of the tuple; where a Luggage is laid out, without what it takes.
template <class... A>
void encode_arguments(codec::Bytes& out, const std::tuple<A...>& arguments) {
  if constexpr (codec::fixed_size<std::tuple<A...>>() == codec::kVaries) {
    if (Luggage* luggage = Luggage::current()) {
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        (encode_argument<I>(out, std::get<I>(arguments), *luggage), ...);
      }
      (std::index_sequence_for<A...>{});
    }
  }
  codec::encode(out, arguments);
}

template <std::size_t I, class T>
T decode_argument(std::span<const std::byte>& in, const Luggage& luggage) {
  if constexpr (codec::fixed_size<T>() == codec::kVaries) {
    if (const BlobPtr large = luggage.at(static_cast<Luggage::Place>(I)))
      return codec::decode_whole<T>(large->bytes());
  }
  return codec::decode<T>(in);
}

// The reverse of encode_arguments().
template <class Tuple>
Tuple decode_arguments(std::span<const std::byte> in) {
  const Luggage* luggage = Luggage::current();
  if (luggage == nullptr || luggage->arrived().empty()) return codec::decode_whole<Tuple>(in);
  Tuple arguments = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return Tuple{decode_argument<I, std::tuple_element_t<I, Tuple>>(in, *luggage)...};
  }
  (std::make_index_sequence<std::tuple_size_v<Tuple>>{});
  if (!in.empty())
    throw codec::DecodeError(std::to_string(in.size()) + " bytes left over behind the arguments");
  return arguments;
}

// --- results ---

// As codec::encode(). A large value that lies in memory as it is on the wire is not copied: it goes
// into the luggage, and nothing is appended.
template <class R>
void encode_result(codec::Bytes& out, R&& value) {
  using Value = std::remove_cvref_t<R>;
  if constexpr (codec::kIsCountAndBytes<Value> && !std::is_lvalue_reference_v<R>) {
    Luggage* luggage = Luggage::current();
    if (luggage != nullptr && out.empty() &&
        std::as_bytes(std::span(value)).size() >= luggage->loose_from()) {
      auto kept = std::make_shared<const Value>(std::move(value));
      codec::Bytes count;
      codec::encode(count, static_cast<std::uint64_t>(kept->size()));
      const std::span<const std::byte> bytes = std::as_bytes(std::span(*kept));
      return luggage->pack({Luggage::kWhole, {std::move(count), bytes, std::move(kept)}});
    }
  }
  codec::encode<Value>(out, value);
}

// Arguments that all calls of a map have in common. If they are large they are encoded once, sent
// once to each node and decoded once there.
template <class Tuple>
class Common {
 public:
  Common(Tuple&& values) : values_(std::make_shared<const Tuple>(std::move(values))) {}

  const Tuple& operator*() const { return *values_; }

  // As it is; for a job log.
  void encode_plain(codec::Bytes& out) const { codec::encode(out, *values_); }

  // With what Luggage is laid out. REQUIRES: one caller at a time.
  void encode(codec::Bytes& out) const {
    Luggage* luggage = Luggage::current();
    if (!kMayBeLarge || luggage == nullptr) {
      if (kMayBeLarge) codec::encode(out, false);
      return codec::encode(out, *values_);
    }
    if (large_ == nullptr) {
      Luggage inside(luggage->eager());
      codec::Bytes bytes;
      {
        const Luggage::Scope scope(&inside);
        codec::encode(bytes, *values_);
      }
      if (bytes.size() <= luggage->eager()) {
        for (const Luggage::Item& item : inside.packed()) luggage->pack(item.place, item.blob);
        codec::encode(out, false);
        return codec::append(out, bytes.data(), bytes.size());
      }
      std::vector<BlobPtr> mentions;
      for (const Luggage::Item& item : inside.packed()) mentions.push_back(item.blob);
      large_ = Blob::make(std::move(bytes), std::move(mentions));
    }
    codec::encode(out, true);
    luggage->pack(kPlace, large_);
  }

  static Common decode(std::span<const std::byte>& in) {
    if constexpr (kMayBeLarge) {
      if (codec::decode<bool>(in)) {
        const Luggage* luggage = Luggage::current();
        const BlobPtr large = luggage == nullptr ? nullptr : luggage->at(kPlace);
        if (large == nullptr) throw codec::DecodeError("the arguments of all calls are missing");
        Common common(std::shared_ptr<const Tuple>(
            large, &large->object<Tuple>([&] { return decode_blob<Tuple>(*large); })));
        common.large_ = large;
        return common;
      }
    }
    return Common(codec::decode<Tuple>(in));
  }

 private:
  static constexpr bool kMayBeLarge = codec::fixed_size<Tuple>() == codec::kVaries;
  static constexpr Luggage::Place kPlace = 0;

  explicit Common(std::shared_ptr<const Tuple> values) : values_(std::move(values)) {}

  std::shared_ptr<const Tuple> values_;
  mutable BlobPtr large_;
};

}  // namespace pp::runtime

#pragma GCC visibility pop
