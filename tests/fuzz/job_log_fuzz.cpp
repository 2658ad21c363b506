// Finds job logs that are taken for more than they hold. The first byte of an input says what the
// others are: a file from its beginning (0), or one body (1), which no hash keeps from the decoder.
#include <algorithm>
#include <cstdint>
#include <pp/error.hpp>
#include <span>

#include "job_log_format.hpp"
#include "memory.hpp"
#include "promise.hpp"

using namespace pp::runtime;
using pp::fuzz::promise;

namespace {

using Bytes = std::span<const std::byte>;

// What append() makes of it is the same body again.
template <class Record>
bool is_said_again(const Record& record, Bytes body) {
  pp::codec::Bytes again;
  job_log::append(again, record);
  const Bytes written = Bytes(again).subspan(job_log::kBeforeBody, body.size());
  return job_log::record_size(again) == job_log::kBeforeBody + body.size() + job_log::kBehindBody &&
         std::equal(written.begin(), written.end(), body.begin());
}

void read_body(Bytes body) {
  if (body.empty()) return;
  const auto kind = job_log::kind_of(body);
  if (!kind) return;
  try {
    if (*kind == job_log::Kind::kBatch) {
      promise(is_said_again(job_log::decode_batch(body), body), "a batch is read as written");
      return;
    }
    const job_log::Elements elements = job_log::decode_elements(body);
    promise(elements.first < elements.last, "a part holds something");
    promise(elements.values.size() <= body.size(), "values are part of the body");
    std::uint64_t end = elements.first;
    for (const auto& [first, last] : elements.holes) {
      promise(end <= first && first < last && last <= elements.last, "holes are where they belong");
      end = last;
    }
    promise(is_said_again(elements, body), "elements are read as written");
  } catch (const pp::Error&) {
  }
}

// As a driver reads it: what is not whole, and all behind it, is left.
void read_file(Bytes file) {
  job_log::Header header;
  std::uint64_t chain = 0;
  const Bytes head = file.first(std::min(file.size(), job_log::kHeaderSize));
  if (job_log::decode_header(head, header, chain) != job_log::Beginning::kHeader) return;
  promise(header.build.size() <= job_log::kBuildSize, "a build's name is not longer than its room");
  std::uint64_t same = 0;
  const pp::codec::Bytes again = job_log::encode_header(header, same);
  promise(same == chain, "a header is read as written");
  Bytes rest = file.subspan(head.size());
  while (rest.size() >= job_log::kBeforeBody) {
    const auto length = job_log::body_size(rest.first(job_log::kBeforeBody), chain);
    if (!length) return;
    promise(*length <= job_log::kMostBody, "no body is too long");
    const std::size_t whole = job_log::kBeforeBody + *length + job_log::kBehindBody;
    if (whole > rest.size() || !job_log::accept(rest.first(whole), chain)) return;
    read_body(rest.subspan(job_log::kBeforeBody, *length));
    rest = rest.subspan(whole);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes input = std::as_bytes(std::span(data, size)).subspan(1);
  const pp::fuzz::Memory memory;
  data[0] % 2 == 0 ? read_file(input) : read_body(input);
  promise(memory.peak() <= 16 * size + 4096, "memory is bounded by what was read");
  return 0;
}
