// Job log format: the header, the records, and the chain that holds them together.
#include "job_log_format.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace pp::runtime::job_log {

namespace {

constexpr char kMagic[] = "pp jobs\n";
constexpr std::size_t kMagicSize = sizeof kMagic - 1;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVersionAt = kMagicSize;
constexpr std::size_t kNumbersAt = kVersionAt + 8;
constexpr std::size_t kBuildAt = kNumbersAt + 3 * 8;
constexpr std::size_t kChainAt = kBuildAt + kBuildSize;
static_assert(kMagicSize == 8 && kChainAt + 8 == kHeaderSize);

template <class Number>
void store(std::byte* to, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i)
    to[i] = static_cast<std::byte>(number >> (8 * i) & 0xff);
}
template <class Number>
Number load(const std::byte* from) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number |= static_cast<Number>(static_cast<Number>(std::to_integer<Number>(from[i])) << (8 * i));
  return number;
}

std::uint64_t hash(std::uint64_t before, std::span<const std::byte> bytes) {
  std::byte key[8];
  store(key, before);
  const Digest digest = [&] {
    Hasher hasher;
    hasher.add(key);
    hasher.add(bytes);
    return hasher.digest();
  }();
  return load<std::uint64_t>(std::as_bytes(std::span(digest)).data());
}

std::uint32_t guard_of(std::uint32_t length, std::uint64_t chain) {
  return ~length ^ static_cast<std::uint32_t>(chain);
}

// Room for what seal() writes, around a body that `write` appends.
template <class F>
void append_record(codec::Bytes& out, F write) {
  const std::size_t begin = out.size();
  try {
    out.resize(begin + kBeforeBody);
    write();
    const std::size_t body = out.size() - begin - kBeforeBody;
    if (body > kMostBody) throw Error("a record of a job log that is too long");
    out.resize(out.size() + kBehindBody);
    store(out.data() + begin, static_cast<std::uint32_t>(body));
  } catch (...) {
    out.resize(begin);
    throw;
  }
}

Kind take_kind(std::span<const std::byte>& body) {
  return static_cast<Kind>(codec::decode<std::uint8_t>(body));
}

}  // namespace

static_assert(sizeof(crypto_generichash_state) <= 384 && alignof(crypto_generichash_state) <= 64);

Hasher::Hasher() {
  crypto_generichash_init(reinterpret_cast<crypto_generichash_state*>(state_.data()), nullptr, 0,
                          Digest{}.size());
}

void Hasher::add(std::span<const std::byte> bytes) {
  crypto_generichash_update(reinterpret_cast<crypto_generichash_state*>(state_.data()),
                            reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

Digest Hasher::digest() const {
  Hasher last = *this;  // the end changes the state
  Digest digest;
  crypto_generichash_final(reinterpret_cast<crypto_generichash_state*>(last.state_.data()),
                           digest.data(), digest.size());
  return digest;
}

codec::Bytes encode_header(const Header& header, std::uint64_t& chain) {
  codec::Bytes bytes(kHeaderSize);
  std::memcpy(bytes.data(), kMagic, kMagicSize);
  store(bytes.data() + kVersionAt, kVersion);
  store(bytes.data() + kNumbersAt, header.functions);
  store(bytes.data() + kNumbersAt + 8, header.seed);
  store(bytes.data() + kNumbersAt + 16, header.id);
  std::memcpy(bytes.data() + kBuildAt, header.build.data(),
              std::min(header.build.size(), kBuildSize));
  chain = hash(0, std::span(bytes).first(kChainAt));
  store(bytes.data() + kChainAt, chain);
  return bytes;
}

Beginning decode_header(std::span<const std::byte> file, Header& header, std::uint64_t& chain) {
  const std::size_t magic = std::min(file.size(), kMagicSize);
  if (!std::equal(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(magic),
                  std::as_bytes(std::span(kMagic)).begin())) {
    return Beginning::kForeign;
  }
  if (file.size() < kHeaderSize) return Beginning::kUnfinished;
  if (load<std::uint32_t>(file.data() + kVersionAt) != kVersion) return Beginning::kOther;
  Header said;
  said.functions = load<std::uint64_t>(file.data() + kNumbersAt);
  said.seed = load<std::uint64_t>(file.data() + kNumbersAt + 8);
  said.id = load<std::uint64_t>(file.data() + kNumbersAt + 16);
  const auto* build = reinterpret_cast<const char*>(file.data() + kBuildAt);
  said.build.assign(build, std::find(build, build + kBuildSize, '\0'));
  // What encode_header() writes, to the last byte: nothing may stand behind the build's name.
  std::uint64_t behind = 0;
  const codec::Bytes whole = encode_header(said, behind);
  if (!std::equal(whole.begin(), whole.end(), file.begin())) return Beginning::kDamaged;
  header = std::move(said);
  chain = behind;
  return Beginning::kHeader;
}

void append(codec::Bytes& out, const Batch& batch) {
  append_record(out, [&] {
    codec::encode(out, static_cast<std::uint8_t>(Kind::kBatch));
    codec::encode(out, batch.number);
    codec::encode(out, batch.function);
    codec::encode(out, batch.signature);
    codec::encode(out, batch.elements);
    codec::encode(out, batch.input);
    codec::encode(out, batch.seed);
    codec::encode(out, batch.name);
  });
}

void append(codec::Bytes& out, const Elements& elements) {
  append_record(out, [&] {
    codec::encode(out, static_cast<std::uint8_t>(Kind::kElements));
    codec::encode(out, elements.batch);
    codec::encode(out, std::pair(elements.first, elements.last));
    codec::encode(out, elements.holes);
    codec::append(out, elements.values.data(), elements.values.size());
  });
}

std::size_t record_size(std::span<const std::byte> records) {
  return kBeforeBody + load<std::uint32_t>(records.data()) + kBehindBody;
}

namespace {

// The chain behind a whole record.
std::uint64_t chain_behind(std::span<const std::byte> record, std::uint64_t chain) {
  // The guard hangs on length and chain alone: it adds nothing, and does no harm.
  return hash(chain, record.first(record.size() - kBehindBody));
}

}  // namespace

void seal(std::span<std::byte> record, std::uint64_t& chain) {
  store(record.data() + 4, guard_of(load<std::uint32_t>(record.data()), chain));
  chain = chain_behind(record, chain);
  store(record.data() + record.size() - kBehindBody, chain);
}

std::optional<std::size_t> body_size(std::span<const std::byte> head, std::uint64_t chain) {
  const auto length = load<std::uint32_t>(head.data());
  if (load<std::uint32_t>(head.data() + 4) != guard_of(length, chain) || length == 0 ||
      length > kMostBody) {
    return std::nullopt;
  }
  return length;
}

bool accept(std::span<const std::byte> record, std::uint64_t& chain) {
  const std::uint64_t behind = chain_behind(record, chain);
  if (load<std::uint64_t>(record.data() + record.size() - kBehindBody) != behind) return false;
  chain = behind;
  return true;
}

std::optional<Kind> kind_of(std::span<const std::byte> body) {
  const Kind kind = take_kind(body);
  if (kind != Kind::kBatch && kind != Kind::kElements) return std::nullopt;
  return kind;
}

Batch decode_batch(std::span<const std::byte> body) {
  take_kind(body);
  Batch batch;
  batch.number = codec::decode<std::uint32_t>(body);
  batch.function = codec::decode<std::uint64_t>(body);
  batch.signature = codec::decode<std::uint64_t>(body);
  batch.elements = codec::decode<std::uint64_t>(body);
  batch.input = codec::decode<Digest>(body);
  batch.seed = codec::decode<std::uint64_t>(body);
  batch.name = codec::decode_whole<std::string>(body);
  return batch;
}

Elements decode_elements(std::span<const std::byte> body) {
  take_kind(body);
  Elements elements;
  elements.batch = codec::decode<std::uint32_t>(body);
  std::tie(elements.first, elements.last) = codec::decode<Elements::Range>(body);
  elements.holes = codec::decode<std::vector<Elements::Range>>(body);
  if (elements.first >= elements.last) throw Error("a part of a batch that holds nothing");
  std::uint64_t reached = elements.first;
  for (const auto& [first, last] : elements.holes) {
    if (first < reached || last <= first || last > elements.last)
      throw Error("holes that do not lie in a part of a batch");
    reached = last;
  }
  elements.values = body;
  return elements;
}

}  // namespace pp::runtime::job_log
