// Errand's stages.
#include "errand.hpp"

#include <utility>
#include <vector>

#include "obituary.hpp"
#include "report_line.hpp"

namespace pp::tools::daemon {
namespace {

// Often enough that a daemon never waits for it (Lease::Limits::unheard).
constexpr std::uint64_t kTellEvery = std::uint64_t{128} << 10;
// A daemon sends a MiB (Lease::Limits::unheard) and what was left in the pipes of processes that
// ended; this is more than that.
constexpr std::uint64_t kMostUnwritten = std::uint64_t{64} << 20;

}  // namespace

void Errand::take(const Message& message) {
  if (over()) return;
  if (std::holds_alternative<Wanted>(message)) {
    if (stage_ != Stage::kAsking) return fail("it asked for the program twice");
    stage_ = Stage::kSending;
  } else if (std::holds_alternative<Started>(message)) {
    stage_ = Stage::kRunning;
  } else if (const auto* output = std::get_if<Output>(&message)) {
    received_ += output->bytes.size();
    if (received_ - written_ > kMostUnwritten) return fail("it sent more than it was asked for");
    hands_.write(output->error, output->bytes);
  } else if (const auto* report = std::get_if<ReportLine>(&message)) {
    if (report->line.find('\n') != std::string::npos) return fail("a report of several lines");
    hands_.report(report->line);
    received_ += report->line.size();
    written(report->line.size());
  } else if (const auto* ended = std::get_if<Ended>(&message)) {
    if (ended->replaced) return;
    // The worst counts: one that failed is what the user must hear of.
    if (!status_ || status_->clean()) status_ = ended->status;
    if (ended->status.clean()) return;
    hands_.tell("the process there " + ended->status.sentence() + " after " +
                time_in_words(std::chrono::milliseconds(ended->milliseconds)) + ", peak memory " +
                memory_in_words(ended->peak_bytes));
  } else if (std::holds_alternative<Over>(message)) {
    if (!status_ && why_.empty()) why_ = "it ended the lease before anything ran";
    stage_ = Stage::kOver;
  } else if (const auto* refused = std::get_if<Refused>(&message)) {
    fail(printable(refused->why));
  } else if (!std::holds_alternative<Profile>(message)) {
    fail("it sent what only a launcher sends");
  }
}

void Errand::piece(std::span<const std::byte> bytes) {
  sent_ += bytes.size();
  hands_.say(Piece{std::vector<std::byte>(bytes.begin(), bytes.end())});
}

void Errand::written(std::uint64_t bytes) {
  written_ += bytes;
  if (written_ - told_ < kTellEvery) return;
  told_ = written_;
  hands_.say(Heard{written_});
}

void Errand::lost(const std::string& why) {
  if (!over()) fail(why);
}

void Errand::fail(std::string why) {
  why_ = std::move(why);
  stage_ = Stage::kOver;
}

}  // namespace pp::tools::daemon
