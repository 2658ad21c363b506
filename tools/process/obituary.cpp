// Obituary in words.
#include "obituary.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "report_line.hpp"

namespace pp::tools {

namespace {

constexpr std::size_t kMostJobs = 8;  // named; a line should stay one
constexpr std::size_t kLongestName = 128;

// "12.3", "340"
std::string three_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 99.95 ? "%.1f" : "%.0f", value);
  std::string out = text;
  if (out.ends_with(".0")) out.resize(out.size() - 2);
  return out;
}

std::string words_for(const Obituary::Job& job) {
  std::string text =
      job.function.empty() ? "a function without a name" : printable(job.function, kLongestName);
  if (!job.owner.empty()) text += " of " + printable(job.owner, kLongestName);
  return text + " (attempt " + std::to_string(job.attempt) + ", for " + time_in_words(job.running) +
         ")";
}

}  // namespace

std::string memory_in_words(std::uint64_t bytes) {
  constexpr std::array kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return three_digits(value) + " " + kUnits[unit];
}

std::string time_in_words(std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(std::max(time, time.zero())).count();
  if (seconds < 0.001) return three_digits(seconds * 1e6) + " us";
  if (seconds < 1) return three_digits(seconds * 1e3) + " ms";
  if (seconds < 120) return three_digits(seconds) + " s";
  if (seconds < 7200) return three_digits(seconds / 60) + " min";
  return three_digits(seconds / 3600) + " h";
}

std::string Obituary::sentence() const {
  std::string text = "node " + std::to_string(node);
  text += node == 0 ? " (driver, pid " : " (pid ";
  text += std::to_string(pid) + ") " + status.sentence() + " after " + time_in_words(lived) +
          ", peak memory " + memory_in_words(peak_bytes);
  const std::string running = last_jobs();
  return running.empty() ? text : text + "; " + running;
}

std::string Obituary::last_jobs() const {
  if (!name) return "";
  std::string text = printable(*name, kLongestName) + " was running ";
  if (jobs.empty()) return text + (complete ? "no job" : "jobs that it had no room to note");
  for (std::size_t i = 0; i < std::min(jobs.size(), kMostJobs); ++i)
    text += (i == 0 ? "" : ", ") + words_for(jobs[i]);
  if (jobs.size() > kMostJobs) text += " and " + std::to_string(jobs.size() - kMostJobs) + " more";
  if (!complete) text += ", and jobs that it had no room to note";
  return text;
}

void add_last_jobs(Obituary& obituary, const runtime::BlackBox& box,
                   const runtime::BlackBox::Sighting& sighting, std::chrono::nanoseconds now) {
  obituary.name = sighting.name;
  obituary.complete = sighting.running.complete;
  for (const runtime::BlackBox::Entry& entry : sighting.running.jobs) {
    std::string owner;
    if (entry.owner != sighting.node) {
      owner = box.name_of(entry.owner);
      if (owner.empty()) owner = "another node";
    }
    obituary.jobs.push_back({box.function_name(sighting.node, entry.function), std::move(owner),
                             entry.attempt, now - entry.since});
  }
}

}  // namespace pp::tools
