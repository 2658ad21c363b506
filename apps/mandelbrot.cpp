// mandelbrot: a picture of the Mandelbrot set, each row a call of one map. Rows through the set
// cost a hundred times what others do; nobody has to say how to share them.
//
//   mandelbrot                              alone: writes mandelbrot.png, 1200 x 800 pixels
//   pp-launch -n 4 -- ./mandelbrot set.png  four nodes: the same picture, under another name
//
// It prints "mandelbrot.png: 1200 x 800 pixels, ... of them in the set"; it ends with 1 if the file
// cannot be written, with 2 after a mistake on the command line.
#include <png.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>
#include <iostream>
#include <pp/pp.hpp>
#include <ranges>
#include <string>
#include <vector>

using Colour = std::array<std::uint8_t, 3>;  // red, green, blue

constexpr int kWidth = 1200;
constexpr int kHeight = 800;
constexpr int kMostSteps = 500;
constexpr Colour kInTheSet{0, 0, 0};

// Where the picture lies in the plane, and how large a pixel is there. An aggregate: it travels.
struct View {
  double real = -0.75;
  double imaginary = 0;
  double pixel = 2.6 / kHeight;
};

// Blue to white to gold and back; not a step but its fraction, so that no bands are seen.
Colour colour_of(double steps) {
  const double turn = 0.4 * std::log(steps + 1) - 0.38;
  const auto shade = [turn](double phase) {
    return static_cast<std::uint8_t>(255 * (0.5 - 0.5 * std::cos(6.2831853 * (turn + phase))));
  };
  return {shade(0.00), shade(0.06), shade(0.18)};
}

// z = z * z + c, until z is far away; or for ever, if c belongs to the set.
Colour colour_at(std::complex<double> c) {
  double x = 0, y = 0;
  for (int step = 0; step < kMostSteps; ++step) {
    const double xx = x * x, yy = y * y;
    if (xx + yy > 1000) return colour_of(step + 1 - std::log2(std::log2(xx + yy) / 2));
    y = 2 * x * y + c.imag();
    x = xx - yy + c.real();
  }
  return kInTheSet;
}

std::vector<Colour> row(int y, const View& view) {
  std::vector<Colour> colours;
  for (int x = 0; x < kWidth; ++x) {
    colours.push_back(colour_at({view.real + (x - kWidth / 2) * view.pixel,
                                 view.imaginary + (kHeight / 2 - y) * view.pixel}));
  }
  return colours;
}

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "mandelbrot.png";
  if (argc > 2 || file.empty()) {
    std::cerr << "mandelbrot: which file? One name, for example: mandelbrot set.png\n";
    return 2;
  }
  return pp::run(argc, argv, [&file](pp::Runtime& rt) {
    std::vector<Colour> pixels;
    for (const auto& line : rt.map<row>(std::views::iota(0, kHeight), View{}).get()) {
      pixels.insert(pixels.end(), line.begin(), line.end());
    }
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.format = PNG_FORMAT_RGB;
    png.width = kWidth;
    png.height = kHeight;
    if (!png_image_write_to_file(&png, file.c_str(), 0, pixels.data(), 0, nullptr)) {
      std::cerr << "mandelbrot: " << file << " cannot be written: " << png.message << '\n';
      return 1;
    }
    std::cout << file << ": " << kWidth << " x " << kHeight << " pixels, "
              << std::ranges::count(pixels, kInTheSet) << " of them in the set\n";
    return 0;
  });
}
