// A chart: axes with round marks, lines with dots, a legend beside them.
#include "svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "unit.hpp"

namespace pp::bench {
namespace {

constexpr double kWidth = 860, kHeight = 480;
constexpr double kLeft = 78, kRight = 620, kTop = 44, kBottom = 420;  // of the plot itself

// Told apart by most eyes that do not see all colours (Okabe and Ito).
constexpr std::array<std::string_view, 8> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                      "#e69f00", "#56b4e9", "#000000", "#999933"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

// From values to places along one axis.
class Scale {
 public:
  Scale(double low, double high, bool logarithmic, double begin, double end)
      : logarithmic_(logarithmic), low_(map(low)), high_(map(high)), begin_(begin), end_(end) {}

  double at(double value) const {
    const double share = high_ > low_ ? (map(value) - low_) / (high_ - low_) : 0.5;
    return begin_ + share * (end_ - begin_);
  }

 private:
  double map(double value) const { return logarithmic_ ? std::log10(value) : value; }

  bool logarithmic_;
  double low_, high_, begin_, end_;
};

std::string text_at(double x, double y, std::string_view anchor, std::string_view text,
                    std::string_view more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, escaped(text));
}

std::string line_between(double x1, double y1, double x2, double y2, std::string_view colour) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2,
      y2, colour);
}

bool shown(double value, bool logarithmic) {
  return std::isfinite(value) && (!logarithmic || value > 0);
}

std::vector<ChartLine> drawable(const Axis& x, const Axis& y, std::vector<ChartLine> lines) {
  for (ChartLine& line : lines) {
    std::erase_if(line.points, [&](const auto& point) {
      return !shown(point.first, x.logarithmic) || !shown(point.second, y.logarithmic);
    });
  }
  std::erase_if(lines, [](const ChartLine& line) { return line.points.empty(); });
  return lines;
}

// The range of an axis; linear ones begin at zero, so that a small change looks small.
std::pair<double, double> range(const std::vector<ChartLine>& lines, bool of_x, bool logarithmic) {
  double low = INFINITY, high = -INFINITY;
  for (const ChartLine& line : lines) {
    for (const auto& [x, y] : line.points) {
      low = std::min(low, of_x ? x : y);
      high = std::max(high, of_x ? x : y);
    }
  }
  if (!std::isfinite(low)) return {logarithmic ? 1 : 0, logarithmic ? 10 : 1};
  if (!logarithmic) low = std::min(low, 0.0);
  if (low == high) high = logarithmic ? low * 10 : low + 1;
  if (!of_x) high = logarithmic ? high * 1.2 : high + (high - low) * 0.05;
  return {low, high};
}

}  // namespace

std::vector<double> marks(double low, double high, bool logarithmic) {
  std::vector<double> at;
  if (logarithmic) {
    const double first = std::floor(std::log10(low)), last = std::ceil(std::log10(high));
    const bool few = last - first <= 3;
    const double step = std::max(1.0, std::ceil((last - first) / 8));
    for (double power = first; power <= last; power += step) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double mark = factor * std::pow(10, power);
        if ((factor == 1 || few) && mark >= low * 0.999 && mark <= high * 1.001) at.push_back(mark);
      }
    }
    return at;
  }
  const double raw = (high - low) / 6;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power > 5   ? 10
                               : raw / power > 2 ? 5
                               : raw / power > 1 ? 2
                                                 : 1);
  for (double mark = std::ceil(low / step) * step; mark <= high + step * 1e-6; mark += step)
    at.push_back(std::abs(mark) < step * 1e-6 ? 0 : mark);
  return at;
}

std::string svg_chart(const std::string& title, const Axis& x, const Axis& y,
                      const std::vector<ChartLine>& all) {
  const std::vector<ChartLine> lines = drawable(x, y, all);
  const auto [x_low, x_high] = range(lines, true, x.logarithmic);
  const auto [y_low, y_high] = range(lines, false, y.logarithmic);
  const Scale across(x_low, x_high, x.logarithmic, kLeft, kRight);
  const Scale up(y_low, y_high, y.logarithmic, kBottom, kTop);

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" "
      "fill=\"white\"/>\n",
      kWidth, kHeight);
  svg += text_at(kLeft, 24, "start", title, " font-size=\"15\"");
  for (const double mark : marks(x_low, x_high, x.logarithmic)) {
    svg += line_between(across.at(mark), kTop, across.at(mark), kBottom, "#e4e4e4");
    svg += text_at(across.at(mark), kBottom + 18, "middle", fmt::format("{:g}", mark));
  }
  for (const double mark : marks(y_low, y_high, y.logarithmic)) {
    svg += line_between(kLeft, up.at(mark), kRight, up.at(mark), "#e4e4e4");
    svg += text_at(kLeft - 8, up.at(mark) + 4, "end", fmt::format("{:g}", mark));
  }
  svg += line_between(kLeft, kBottom, kRight, kBottom, "black");
  svg += line_between(kLeft, kTop, kLeft, kBottom, "black");
  svg += text_at((kLeft + kRight) / 2, kBottom + 40, "middle", x.says);
  svg += text_at(18, (kTop + kBottom) / 2, "middle", y.says,
                 fmt::format(" transform=\"rotate(-90 18 {:.1f})\"", (kTop + kBottom) / 2));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view colour = kColours[i % kColours.size()];
    const std::string_view dashes = i < kColours.size() ? "" : " stroke-dasharray=\"6 3\"";
    std::string points;
    for (const auto& [at, value] : lines[i].points)
      points += fmt::format("{:.1f},{:.1f} ", across.at(at), up.at(value));
    svg +=
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{}/>\n",
                    points, colour, dashes);
    for (const auto& [at, value] : lines[i].points) {
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n",
                         across.at(at), up.at(value), colour);
    }
    const double row = kTop + 10 + 20 * static_cast<double>(i);
    svg += fmt::format(
        "<polyline points=\"{0:.1f},{1:.1f} {2:.1f},{1:.1f}\" fill=\"none\" stroke=\"{3}\" "
        "stroke-width=\"3\"{4}/>\n",
        kRight + 12, row - 4, kRight + 30, colour, dashes);
    svg += text_at(kRight + 34, row, "start", lines[i].name);
  }
  return svg + "</svg>\n";
}

}  // namespace pp::bench
