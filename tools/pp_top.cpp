// pp-top: a live view of a cluster, from one of its nodes.
#define NCURSES_NOMACROS  // scroll, timeout and others are names of people, too
#include <ncurses.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <clocale>
#include <iostream>
#include <memory>
#include <pp/error.hpp>
#include <pp/watch_point.hpp>
#include <string>
#include <vector>

#include "http_get.hpp"
#include "status.hpp"
#include "top_view.hpp"

namespace {

using pp::tools::DoorUrl;
using pp::tools::Status;
using pp::tools::TopView;

constexpr int kUsage = 2;  // exit code: the command line makes no sense
constexpr std::chrono::milliseconds kLimit{3000};

constexpr char kExamples[] = R"(Examples:
  pp-launch -n 4 --http -- ./app     in one terminal, and in another one:
  pp-top                             the newest run of yours on this host that can be watched
  pp-top --once                      the same, once, on standard output
  pp-top --why sum_primes            where the jobs of this name are, and what they wait for
  pp-top 'http://127.0.0.1:40323/?token=5f...'   another one: the address that it has printed

A node can be watched when it was started with PP_HTTP=on or pp-launch --http. From another host:
  ssh -L 8080:127.0.0.1:40323 host   and then the address with 8080 in place of 40323

Keys: q quits, s sorts by another column, arrows and page keys scroll the nodes.

Exit code: 0; 1 there is no such node, or it refuses; 2 the command line makes no sense.)";

class Help : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: pp-top [OPTIONS] [URL]\n";
  }
};

int complain(const std::string& sentence, int code) {
  std::cerr << "pp-top: " << sentence << '\n';
  return code;
}

std::string newest() {
  const std::vector<pp::WatchPoint> points = pp::WatchPoint::local();
  if (points.empty()) {
    throw pp::Error(
        "no run of yours on this host can be watched: start it with PP_HTTP=on or pp-launch "
        "--http, or name the address that another one has printed");
  }
  return points.front().url;
}

int list() {
  for (const pp::WatchPoint& point : pp::WatchPoint::local())
    std::cout << point.url << "  " << point.name << (point.driver ? " (driver)\n" : " (worker)\n");
  return 0;
}

// While it lives, the terminal is ncurses'.
class Screen {
 public:
  Screen() {
    if (::newterm(nullptr, stdout, stdin) == nullptr)
      throw pp::Error("this terminal (TERM) is unknown: pp-top --once needs none");
    ::cbreak();
    ::noecho();
    ::keypad(stdscr, TRUE);
    ::curs_set(0);
    if (::has_colors()) {
      ::start_color();
      ::use_default_colors();
      ::init_pair(1, COLOR_GREEN, -1);
      ::init_pair(2, COLOR_YELLOW, -1);
      ::init_pair(3, COLOR_RED, -1);
    }
  }
  ~Screen() { ::endwin(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static std::size_t width() { return static_cast<std::size_t>(std::max(COLS, 1)); }
  static std::size_t height() { return static_cast<std::size_t>(std::max(LINES, 1)); }

  static void show(const std::vector<TopView::Line>& lines) {
    ::erase();
    int row = 0;
    for (const TopView::Line& line : lines) {
      const attr_t style = attributes(line.style);
      ::attrset(static_cast<int>(style));
      ::mvaddstr(row++, 0, line.text.c_str());
    }
    ::attrset(A_NORMAL);
    ::refresh();
  }

 private:
  static attr_t attributes(TopView::Line::Style style) {
    using Style = TopView::Line::Style;
    switch (style) {
      case Style::kPlain:
        return A_NORMAL;
      case Style::kTitle:
        return A_BOLD;
      case Style::kHeading:
        return A_REVERSE;
      case Style::kGood:
        return static_cast<attr_t>(COLOR_PAIR(1));
      case Style::kWarning:
        return static_cast<attr_t>(COLOR_PAIR(2));
      case Style::kBad:
        return static_cast<attr_t>(COLOR_PAIR(3)) | A_BOLD;
      case Style::kFaint:
        return A_DIM;
    }
    return A_NORMAL;
  }
};

// A page up or down moves so far.
std::size_t page() { return std::max<std::size_t>(Screen::height() / 3, 1); }

int watch(const DoorUrl& door, std::chrono::milliseconds every) {
  using Clock = std::chrono::steady_clock;
  const Screen screen;
  TopView view;
  Clock::time_point due = Clock::now();
  for (;;) {
    if (Clock::now() >= due) {
      try {
        view.take(Status::parse(http_get(door, "/status.json", kLimit)));
      } catch (const pp::Error& error) {
        view.complaint = std::string(error.what()) + " (q quits)";
      }
      due = Clock::now() + every;
    }
    Screen::show(view.lines(Screen::width(), Screen::height()));
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(due - Clock::now()).count();
    ::timeout(static_cast<int>(std::max<std::int64_t>(left, 0)));
    switch (::getch()) {
      case 'q':
      case 27:
        return 0;
      case 's':
        view.sort = view.sort == TopView::kLastSort
                        ? TopView::Sort::kBusy
                        : static_cast<TopView::Sort>(static_cast<int>(view.sort) + 1);
        break;
      case KEY_DOWN:
        view.scroll(1, Screen::height());
        break;
      case KEY_UP:
        view.scroll(-1, Screen::height());
        break;
      case KEY_NPAGE:
        view.scroll(static_cast<std::ptrdiff_t>(page()), Screen::height());
        break;
      case KEY_PPAGE:
        view.scroll(-static_cast<std::ptrdiff_t>(page()), Screen::height());
        break;
      case KEY_HOME:
        view.scrolled = 0;
        break;
      case KEY_END:
        view.scroll(PTRDIFF_MAX, Screen::height());
        break;
      default:
        break;
    }
  }
}

std::size_t columns() {
  winsize size{};
  if (::ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 120;
}

}  // namespace

int main(int argc, char** argv) {
  std::setlocale(LC_ALL, "");
  std::string url;
  std::string job;
  bool once = false;
  bool json = false;
  bool lists = false;
  double seconds = 1;
  CLI::App app("Shows what a running pp program does, on all its nodes.", "pp-top");
  app.formatter(std::make_shared<Help>());
  app.footer(kExamples);
  app.set_version_flag("--version", "pp-top " PP_VERSION);
  app.add_option("url", url, "The address that a node has printed (default: your newest run here)");
  app.add_flag("-1,--once", once, "Print the view once, and end");
  app.add_flag("-j,--json", json, "Print what the node says as JSON, and end");
  app.add_option("-w,--why", job,
                 "Say where the jobs of this name, label or number are and what they wait for");
  app.add_flag("-l,--list", lists, "List your runs on this host that can be watched");
  app.add_option("-d,--delay", seconds, "Seconds between two looks")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return complain(std::string(error.what()) + " (pp-top --help tells more)", kUsage);
  }
  DoorUrl door;
  try {
    if (!url.empty()) door = DoorUrl::parse(url);
  } catch (const pp::Error& error) {
    return complain(error.what(), kUsage);
  }
  try {
    if (lists) return list();
    if (url.empty()) door = DoorUrl::parse(newest());
    if (!job.empty()) {
      std::cout << http_get(door, "/why?job=" + pp::tools::percent_encoded(job), kLimit);
      return 0;
    }
    if (json) {
      std::cout << http_get(door, "/status.json", kLimit);
      return 0;
    }
    if (once || ::isatty(1) == 0) {
      TopView view;
      view.take(Status::parse(http_get(door, "/status.json", kLimit)));
      for (const TopView::Line& line : view.lines(columns(), 0)) std::cout << line.text << '\n';
      return 0;
    }
    return watch(door, std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
