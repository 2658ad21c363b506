// SimJob: encoded and decoded by the codec that ships.
#include "sim_job.hpp"

#include <cstdlib>
#include <memory>
#include <pp/error.hpp>
#include <pp/function_table.hpp>
#include <tuple>
#include <utility>

#include "sim_node.hpp"

namespace pp::simulation {

using runtime::Failure;
using runtime::Job;

// Never called: whoever simulates knows what it would have returned.
std::uint64_t run_errand(std::uint32_t, std::uint64_t, std::uint32_t, bool,
                         std::vector<std::byte>) {
  std::abort();
}

const runtime::Function& errand_function() {
  return runtime::function_of<runtime::Constant<run_errand>>();
}

namespace {

using Arguments =
    std::tuple<std::uint32_t, std::uint64_t, std::uint32_t, bool, std::vector<std::byte>>;

using Value = std::tuple<std::uint64_t, std::vector<std::byte>>;

void encode_arguments(const Job& job, codec::Bytes& out) {
  const auto& self = static_cast<const SimJob&>(job);
  if (self.script().stays) throw Error("its arguments do not travel");
  const Errand& errand = self.errand();
  auto arguments =
      std::make_shared<const Arguments>(errand.serial, errand.id, errand.depth, errand.once,
                                        std::vector<std::byte>(self.script().padding));
  runtime::encode_arguments(out, *arguments);
  self.keep(std::move(arguments));
}

bool store_encoded(Job& job, std::span<const std::byte> result, codec::Bytes*) {
  static_cast<SimJob&>(job).store(std::get<0>(codec::decode_whole<Value>(result)));
  return false;
}

void store_failure(Job& job, Failure&& failure) {
  static_cast<SimJob&>(job).store(std::move(failure));
}

}  // namespace

const runtime::JobKind SimJob::kKind{
    .run = [](Job&) noexcept -> runtime::Ran { std::abort(); },
    .encode_arguments = &encode_arguments,
    .store_encoded = &store_encoded,
    .store_failure = &store_failure,
    .decode = [](Job&) {},
    .failure =
        [](const Job& job) {
          return std::get_if<Failure>(&static_cast<const SimJob&>(job).outcome_);
        },
    .deliver = nullptr,
    .destroy = [](Job* job) noexcept { delete static_cast<SimJob*>(job); }};

SimJob::SimJob(SimNode& owner, Errand errand, Script script, std::uint64_t parent)
    : Job(kKind, &errand_function(), 2),
      owner_(owner),
      errand_(errand),
      script_(std::move(script)),
      parent_(parent) {
  id = errand.id;
  owner_.witness().made();
}

SimJob::~SimJob() { owner_.witness().unmade(); }

void SimJob::store(Outcome outcome) {
  outcome_ = std::move(outcome);
  if (++times_stored_ > 1) owner_.witness().stored_again(*this);
}

void SimJob::done(Job&) noexcept { owner_.done(*this); }

Errand errand_of(const runtime::BorrowedJob& job) {
  runtime::Luggage luggage;
  if (job.blobs) luggage = runtime::Luggage(luggage.eager(), job.blobs->arrived);
  const runtime::Luggage::Scope scope(&luggage);
  const auto [serial, id, depth, once, padding] =
      runtime::decode_arguments<Arguments>(job.arguments());
  return {serial, id, depth, once};
}

Errand errand_of(std::span<const std::byte> arguments) {
  const auto [serial, id, depth, once] =
      codec::decode<std::tuple<std::uint32_t, std::uint64_t, std::uint32_t, bool>>(arguments);
  return {serial, id, depth, once};
}

codec::Bytes encoded(std::uint64_t value, std::size_t padding) {
  codec::Bytes bytes;
  codec::encode(bytes, Value(value, std::vector<std::byte>(padding)));
  return bytes;
}

}  // namespace pp::simulation
