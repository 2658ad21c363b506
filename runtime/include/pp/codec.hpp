// Codec: values to bytes and back, for jobs' arguments and results.
//
//   pp::codec::Bytes bytes;
//   pp::codec::encode(bytes, std::tuple{7, std::string("seven")});
//   std::span<const std::byte> in = bytes;
//   auto [number, name] = pp::codec::decode<std::tuple<int, std::string>>(in);
//
// The bytes are the same on every architecture (wire.hpp has the rules). Nothing that arrives is
// believed: decode() throws DecodeError and neither reads beyond its input nor allocates more than
// kMaxGrowth (16) times its length, apart from what a user's own `load` allocates.
#pragma once

#include <algorithm>
#include <pp/wire.hpp>

#pragma GCC visibility push(default)

namespace pp::codec {

template <class T>
void write(Writer& writer, const T& value);
template <class T>
T read(Reader& reader);

// --- values of fixed size: stores and loads at constant places ---

template <class T>
using Bits = std::conditional_t<
    sizeof(T) == 1, std::uint8_t,
    std::conditional_t<sizeof(T) == 2, std::uint16_t,
                       std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;

template <class T>
void store([[maybe_unused]] std::byte*& to, [[maybe_unused]] const T& value) {
  if constexpr (fixed_size<T>() == 0) {
    // nothing to say
  } else if constexpr (kCopiesOut<T>) {
    std::memcpy(to, &value, sizeof(T));
    to += sizeof(T);
  } else if constexpr (kKind<T> == Kind::kScalar) {
    if constexpr (kScalarWidth<T> != sizeof(T)) {  // a 32-bit long
      codec::store(
          to,
          static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(value));
    } else {
      const auto bits = std::bit_cast<Bits<T>>(value);
      for (std::size_t i = 0; i < sizeof(T); ++i)
        *to++ = static_cast<std::byte>(bits >> (8 * i) & 0xff);
    }
  } else if constexpr (kKind<T> == Kind::kEnum) {
    codec::store(to, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (requires { value.time_since_epoch(); }) {
    codec::store(to, value.time_since_epoch());
  } else if constexpr (kKind<T> == Kind::kTime) {
    codec::store(to, value.count());
  } else if constexpr (kKind<T> == Kind::kArray) {
    for (const auto& element : value) codec::store(to, element);
  } else if constexpr (requires { value.first; } && kKind<T> == Kind::kProduct) {
    codec::store(to, value.first);
    codec::store(to, value.second);
  } else if constexpr (kKind<T> == Kind::kProduct) {
    std::apply([&to](const auto&... part) { (codec::store(to, part), ...); }, value);
  } else {
    boost::pfr::for_each_field(value, [&to](const auto& field) { codec::store(to, field); });
  }
}

template <class T>
T load(const std::byte*& from, const Reader& reader);

template <class T, class... Parts>
T load_parts(const std::byte*& from, const Reader& reader, Types<Parts...>) {
  return T{codec::load<Parts>(from, reader)...};  // braces: left to right
}

template <class T, std::size_t... I>
T load_array(const std::byte*& from, const Reader& reader, std::index_sequence<I...>) {
  return T{{(void(I), codec::load<typename T::value_type>(from, reader))...}};
}

// REQUIRES: fixed_size<T>() bytes at `from`. `reader` is asked only to report what is wrong.
template <class T>
T load(const std::byte*& from, [[maybe_unused]] const Reader& reader) {
  if constexpr (fixed_size<T>() == 0 && std::is_default_constructible_v<T>) {
    return T{};
  } else if constexpr (kCopiesIn<T> && std::is_trivially_default_constructible_v<T>) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    from += sizeof(T);
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto byte = std::to_integer<unsigned>(*from++);
    if (byte > 1) reader.fail("a bool is neither 0 nor 1 but " + std::to_string(byte));
    return byte == 1;
  } else if constexpr (kKind<T> == Kind::kScalar) {
    if constexpr (kScalarWidth<T> != sizeof(T)) {
      using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
      const Wide wide = codec::load<Wide>(from, reader);
      if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max())
        reader.fail("a number does not fit this machine's long");
      return static_cast<T>(wide);
    } else {
      Bits<T> bits = 0;
      for (std::size_t i = 0; i < sizeof(T); ++i)
        bits = static_cast<Bits<T>>(bits | std::to_integer<Bits<T>>(*from++) << (8 * i));
      return std::bit_cast<T>(bits);
    }
  } else if constexpr (kKind<T> == Kind::kEnum) {
    return static_cast<T>(codec::load<std::underlying_type_t<T>>(from, reader));
  } else if constexpr (kKind<T> == Kind::kArray) {
    if constexpr (ArrayLength<T>::value <= 32) {
      return load_array<T>(from, reader, std::make_index_sequence<ArrayLength<T>::value>{});
    } else {
      T value;
      for (auto& element : value) element = codec::load<typename T::value_type>(from, reader);
      return value;
    }
  } else {
    return load_parts<T>(from, reader, typename Shape<T>::Parts{});
  }
}

// --- containers ---

template <class T>
concept Contiguous = requires(const T& t) {
  t.data();
}
&&kCopiesOut<typename T::value_type> &&
    !std::is_same_v<T, std::vector<bool, typename T::allocator_type>>;
template <class T>
concept BitVector = std::is_same_v<typename T::value_type, bool> &&
    std::is_same_v<T, std::vector<bool, typename T::allocator_type>>;
// The wire form is the number of elements, then they themselves as they lie in memory.
template <class T>
inline constexpr bool kIsCountAndBytes = false;
template <Contiguous T>
inline constexpr bool kIsCountAndBytes<T> = kKind<T> == Kind::kSequence;
template <class T>
concept HasMappedType = requires {
  typename T::mapped_type;
};

inline void write_count(Writer& writer, std::size_t count) {
  std::byte* to = writer.room(8);
  codec::store(to, static_cast<std::uint64_t>(count));
}

template <std::size_t size>
void write_filler(Writer& writer) {
  if constexpr (size > 0 && size <= Writer::kChunk) {
    std::memset(writer.room(size), 0, size);
  } else if constexpr (size > 0) {
    write_filler<Writer::kChunk>(writer);
    write_filler<size - Writer::kChunk>(writer);
  }
}

// Eight to a byte, lowest bit first.
template <class T>
void write_bits(Writer& writer, const T& bits) {
  write_count(writer, bits.size());
  for (std::size_t at = 0; at < bits.size(); at += 8) {
    unsigned byte = 0;
    for (std::size_t i = 0; i < 8 && at + i < bits.size(); ++i)
      byte |= (bits[at + i] ? 1u : 0u) << i;
    *writer.room(1) = static_cast<std::byte>(byte);
  }
}
template <class T>
T read_bits(Reader& reader) {
  const std::byte* from = reader.take(8);
  const auto count = codec::load<std::uint64_t>(from, reader);
  if (count / 8 + (count % 8 != 0) > reader.left())
    reader.fail(std::to_string(count) + " bits announced, only " + std::to_string(reader.left()) +
                " bytes left");
  from = reader.take(static_cast<std::size_t>((count + 7) / 8));
  T bits(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < bits.size(); ++i)
    bits[i] = (std::to_integer<unsigned>(from[i / 8]) >> (i % 8) & 1u) != 0;
  if (count % 8 != 0 && std::to_integer<unsigned>(from[count / 8]) >> (count % 8) != 0)
    reader.fail("bits after the last one are not zero");
  return bits;
}

template <class T>
void write_container(Writer& writer, const T& container) {
  write_count(writer, container.size());
  writer.enter();
  for (const auto& element : container) {
    if constexpr (HasMappedType<T>) {
      codec::write(writer, element.first);
      codec::write(writer, element.second);
    } else {
      codec::write(writer, element);
    }
    write_filler<kFiller<T>>(writer);
  }
  writer.leave();
}

// Zero-fills a piece at a time, while it is in the cache, instead of all of it before the copy.
template <class T>
T read_bulk(Reader& reader) {
  constexpr std::size_t kPiece = std::max<std::size_t>(1, 32768 / sizeof(typename T::value_type));
  const std::size_t count = reader.count(sizeof(typename T::value_type));
  const std::byte* from = reader.take(count * sizeof(typename T::value_type));
  T container;
  container.reserve(count);
  const std::size_t size = count * sizeof(typename T::value_type);
  if (size >= kLarge) codec::use_large_pages(container.data(), size);
  for (std::size_t done = 0; done < count;) {
    const std::size_t piece = std::min(kPiece, count - done);
    container.resize(done + piece);
    std::memcpy(container.data() + done, from, piece * sizeof(typename T::value_type));
    from += piece * sizeof(typename T::value_type);
    done += piece;
  }
  return container;
}

template <class T>
T read_container(Reader& reader) {
  const std::size_t count = reader.count(kElementLeast<T>);
  reader.enter();
  reader.owe(count * kElementLeast<T>);
  T container;
  if constexpr (requires { container.reserve(count); }) container.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    reader.pay(kElementLeast<T>);
    if constexpr (kKind<T> == Kind::kSequence) {
      if constexpr (requires {
                      container.emplace_back(codec::read<typename T::value_type>(reader));
                    })
        container.emplace_back(codec::read<typename T::value_type>(reader));
      else
        container.push_back(codec::read<typename T::value_type>(reader));  // a string
    } else if constexpr (kKind<T> == Kind::kSet) {
      container.emplace_hint(container.end(), codec::read<typename T::value_type>(reader));
    } else {
      auto key = codec::read<typename T::key_type>(reader);
      container.emplace_hint(container.end(), std::move(key),
                             codec::read<typename T::mapped_type>(reader));
    }
    if constexpr (kKind<T> == Kind::kSet || kKind<T> == Kind::kMap)
      if (container.size() != i + 1) reader.fail("a key comes twice");
    if constexpr (kFiller < T >> 0) reader.skip_filler(kFiller<T>);
  }
  reader.leave();
  return container;
}

// --- one value or none, one of several ---

template <class T>
void write_optional(Writer& writer, const T& value) {
  *writer.room(1) = value ? std::byte{1} : std::byte{0};
  if (!value) return;
  writer.enter();
  codec::write(writer, *value);
  if constexpr (kKind<T> == Kind::kBox) write_filler<kFiller<T>>(writer);
  writer.leave();
}
template <class T, class Value>
T read_optional(Reader& reader, Types<Value>) {
  const std::byte* from = reader.take(1);
  if (!codec::load<bool>(from, reader)) return T{};
  reader.enter();
  if constexpr (kKind<T> == Kind::kBox) {
    T box(new Value(codec::read<Value>(reader)));
    if constexpr (kFiller < T >> 0) reader.skip_filler(kFiller<T>);
    reader.leave();
    return box;
  } else {
    T optional(std::in_place, codec::read<Value>(reader));
    reader.leave();
    return optional;
  }
}

template <std::size_t I = 0, class T>
void write_alternative(Writer& writer, const T& value) {
  if constexpr (I < std::variant_size_v<T>) {
    if (value.index() == I)
      codec::write(writer, *std::get_if<I>(&value));
    else
      write_alternative<I + 1>(writer, value);
  } else {
    throw Error("cannot encode: a std::variant holds no value (valueless_by_exception)");
  }
}
template <class T, std::size_t I = 0>
T read_alternative(Reader& reader, std::size_t index) {
  if constexpr (I < std::variant_size_v<T>) {
    if (index == I)
      return T(std::in_place_index<I>, codec::read<std::variant_alternative_t<I, T>>(reader));
    return read_alternative<T, I + 1>(reader, index);
  } else {
    reader.fail("a variant has no alternative " + std::to_string(index));
  }
}

template <class T, class... Parts>
T read_parts(Reader& reader, Types<Parts...>) {
  return T{codec::read<Parts>(reader)...};  // braces: left to right
}
template <class T, std::size_t... I>
T read_array(Reader& reader, std::index_sequence<I...>) {
  return T{{(void(I), codec::read<typename T::value_type>(reader))...}};
}

template <class T>
T read_user(Reader& reader) {
  T value{};
  reader.enter();
  try {
    (*reader.archive)(value);
  } catch (const DecodeError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {  // the user's `load` does not like what it reads
    reader.fail(error.what());
  }
  reader.leave();
  return value;
}

// --- any value ---

template <class T>
void write(Writer& writer, const T& value) {
  if constexpr (fixed_size<T>() <= Writer::kChunk) {
    std::byte* to = writer.room(fixed_size<T>());
    codec::store(to, value);
  } else if constexpr (kCopiesOut<T>) {
    writer.copy(&value, sizeof(T));
  } else if constexpr (kKind<T> == Kind::kSequence) {
    if constexpr (BitVector<T>) {
      write_bits(writer, value);
    } else if constexpr (Contiguous<T>) {
      write_count(writer, value.size());
      writer.copy(value.data(), value.size() * sizeof(typename T::value_type));
    } else {
      write_container(writer, value);
    }
  } else if constexpr (kKind<T> == Kind::kSet || kKind<T> == Kind::kMap) {
    write_container(writer, value);
  } else if constexpr (kKind<T> == Kind::kOptional || kKind<T> == Kind::kBox) {
    write_optional(writer, value);
  } else if constexpr (kKind<T> == Kind::kVariant) {
    *writer.room(1) = static_cast<std::byte>(value.index());
    write_alternative(writer, value);
  } else if constexpr (kKind<T> == Kind::kArray) {
    for (const auto& element : value) codec::write(writer, element);
  } else if constexpr (kKind<T> == Kind::kProduct) {
    std::apply([&writer](const auto&... part) { (codec::write(writer, part), ...); }, value);
  } else if constexpr (kKind<T> == Kind::kUser) {
    writer.enter();
    (*writer.archive)(value);
    writer.leave();
  } else {
    boost::pfr::for_each_field(value,
                               [&writer](const auto& field) { codec::write(writer, field); });
  }
}

template <class T>
T read(Reader& reader) {
  if constexpr (fixed_size<T>() != kVaries) {
    const std::byte* from = reader.take(fixed_size<T>());
    return codec::load<T>(from, reader);
  } else if constexpr (kKind<T> == Kind::kSequence) {
    if constexpr (BitVector<T>)
      return read_bits<T>(reader);
    else if constexpr (Contiguous<T> && kCopiesIn<typename T::value_type> &&
                       std::is_default_constructible_v<typename T::value_type>)
      return read_bulk<T>(reader);
    else
      return read_container<T>(reader);
  } else if constexpr (kKind<T> == Kind::kSet || kKind<T> == Kind::kMap) {
    return read_container<T>(reader);
  } else if constexpr (kKind<T> == Kind::kOptional || kKind<T> == Kind::kBox) {
    return read_optional<T>(reader, typename Shape<T>::Parts{});
  } else if constexpr (kKind<T> == Kind::kVariant) {
    return read_alternative<T>(reader, std::to_integer<std::size_t>(*reader.take(1)));
  } else if constexpr (kKind<T> == Kind::kArray) {
    if constexpr (ArrayLength<T>::value <= 32) {
      return read_array<T>(reader, std::make_index_sequence<ArrayLength<T>::value>{});
    } else {
      T value;
      for (auto& element : value) element = codec::read<typename T::value_type>(reader);
      return value;
    }
  } else if constexpr (kKind<T> == Kind::kUser) {
    return read_user<T>(reader);
  } else {
    return read_parts<T>(reader, typename Shape<T>::Parts{});
  }
}

// --- what a user's cereal functions hand to the archive ---

template <class T>
inline constexpr bool kIsBase = false;
template <class T>
inline constexpr bool kIsBase<cereal::base_class<T>> = true;

// What the codec carries without asking cereal.
template <class T>
concept CarriedByCodec = (kKind<T> != Kind::kUser) && Travels<T>;

template <class V>
void OutArchive::put(const V& value) {
  if constexpr (kIsBase<V>) {
    put(*value.base_ptr);  // which may be a plain struct
  } else if constexpr (std::is_array_v<V>) {
    for (const auto& element : value) put(element);
  } else if constexpr (CarriedByCodec<V>) {
    codec::write(writer_, value);
  } else {
    Cereal::operator()(value);
  }
}

template <class V>
void InArchive::get(V& value) {
  if constexpr (kIsBase<std::remove_const_t<V>>) {
    get(*value.base_ptr);
  } else if constexpr (std::is_array_v<V>) {
    for (auto& element : value) get(element);
  } else if constexpr (CarriedByCodec<V>) {
    value = codec::read<V>(reader_);
  } else {
    Cereal::operator()(value);
  }
}

// cereal's decorations, and the numbers that save_minimal gives: it looks for these names.
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(OutArchive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(InArchive& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(OutArchive& archive, cereal::SizeTag<T>& tag) {
  archive(static_cast<std::uint64_t>(tag.size));
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(InArchive& archive, cereal::SizeTag<T>& tag) {
  tag.size = static_cast<std::remove_reference_t<T>>(archive.loadCount());
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(OutArchive& archive, const cereal::BinaryData<T>& data) {
  archive.saveBinary(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(InArchive& archive, cereal::BinaryData<T>& data) {
  archive.loadBinary(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
requires std::is_arithmetic_v<T>
void CEREAL_SAVE_FUNCTION_NAME(OutArchive& archive, const T& value) { archive(value); }
template <class T>
requires std::is_arithmetic_v<T>
void CEREAL_LOAD_FUNCTION_NAME(InArchive& archive, T& value) { archive(value); }

// --- the door ---

// Appends the value to `out`. What throws (a user's `save`, memory, nesting deeper than kMaxDepth)
// leaves `out` as it was.
template <Travels T>
void encode(Bytes& out, const T& value) {
  if constexpr (fixed_size<T>() == 0) {
    // nothing to say
  } else if constexpr (fixed_size<T>() <= Writer::kChunk) {
    std::byte bytes[fixed_size<T>()];
    std::byte* to = bytes;
    codec::store(to, value);
    codec::append(out, bytes, fixed_size<T>());
  } else {
    Writer writer(out);
    if constexpr (needs_archive<T>()) {
      OutArchive archive(writer);
      writer.archive = &archive;
      codec::write(writer, value);
      writer.finish();
    } else {
      codec::write(writer, value);
      writer.finish();
    }
  }
}

// Appends what encode() appends for a std::vector<T> of these values, without one being made.
template <Travels T>
void encode_sequence(Bytes& out, std::span<const T> values) {
  Writer writer(out);
  const auto put = [&] {
    write_count(writer, values.size());
    if constexpr (kCopiesOut<T>) {
      writer.copy(values.data(), values.size() * sizeof(T));
    } else {
      writer.enter();
      for (const T& value : values) {
        codec::write(writer, value);
        write_filler<kFiller<std::vector<T>>>(writer);
      }
      writer.leave();
    }
    writer.finish();
  };
  if constexpr (needs_archive<T>()) {
    OutArchive archive(writer);
    writer.archive = &archive;
    put();
  } else {
    put();
  }
}

// Takes one value from the front of `in` and moves `in` past it. Throws DecodeError, which leaves
// `in` as it was; std::bad_alloc; nothing else.
template <Travels T>
T decode(std::span<const std::byte>& in) {
  Reader reader(in);
  if constexpr (needs_archive<T>()) {
    InArchive archive(reader);
    reader.archive = &archive;
    T value = codec::read<T>(reader);
    in = in.subspan(reader.offset());
    return value;
  } else {
    T value = codec::read<T>(reader);
    in = in.subspan(reader.offset());
    return value;
  }
}

// The same for bytes that hold this value and nothing else: what is left over is a DecodeError.
template <Travels T>
T decode_whole(std::span<const std::byte> in) {
  std::span<const std::byte> left = in;
  T value = decode<T>(left);
  if (!left.empty())
    throw DecodeError(std::to_string(left.size()) + " bytes left over", in.size() - left.size());
  return value;
}

}  // namespace pp::codec

#pragma GCC visibility pop
