// The example programs print on three nodes what they print alone.
#include <png.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace pp::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

class Apps : public Cluster {
 protected:
  // What the program says on three nodes.
  static std::string on_three(const std::vector<std::string>& program) {
    return output(launch(3, program));
  }
  // What it says alone.
  static std::string alone(const std::vector<std::string>& program, int workers) {
    return output(program, {"PP_WORKERS=" + std::to_string(workers)});
  }

 private:
  static std::string output(const std::vector<std::string>& command,
                            std::vector<std::string> environment = {}) {
    Process::Setting setting;
    setting.environment = std::move(environment);
    Process run(command, setting);
    EXPECT_EQ(run.wait(), 0) << run.out() << run.err();
    EXPECT_THAT(run.err(), Not(HasSubstr("rror"))) << run.out();
    EXPECT_THAT(run.family(), IsEmpty());
    return run.out();
  }
};

TEST_F(Apps, a_prepared_submit_gets_the_known_sums) {
  const std::string sums = on_three({PREPARED_PROGRAM});
  EXPECT_THAT(sums, StartsWith("Sum of primes below 100 is 1060\n"));
  EXPECT_THAT(sums, HasSubstr("\nSum of primes below 100000 is 454396537\n"));
  EXPECT_THAT(sums, HasSubstr("\nSum of primes below 100700 is 460217613\n"));
  EXPECT_EQ(count(sums, "\n"), 9u);
}

TEST_F(Apps, callbacks_add_what_other_nodes_computed) {
  EXPECT_EQ(on_three({CALLBACK_PROGRAM}),
            "Partial sum of 128 parts is 0.69314720556, off by 2.5e-08\n");
}

TEST_F(Apps, workers_come_and_go_beside_other_nodes) {
  const std::string lines = on_three({DYNAMIC_WORKERS_PROGRAM});
  std::string expected;
  for (const char* workers : {" 1", " 2", " 4", " 8", "16", " 1"}) {
    expected += std::string(workers) + " workers: partial sum 0.693147205559988, [^ ]+ ms\n";
  }
  EXPECT_THAT(lines, MatchesRegex(expected));
}

TEST_F(Apps, quicksort_sorts_the_same_numbers) {
  const std::string numbers = on_three({QUICKSORT_PROGRAM});
  EXPECT_THAT(numbers, StartsWith("First 30 of 1000000 numbers: 8 20 34 34 38 51 54 72 76 90 "));
  EXPECT_EQ(numbers, alone({QUICKSORT_PROGRAM}, 1));
}

TEST_F(Apps, member_functions_travel_with_their_object) {
  const std::string lines = on_three({AUTO_DIFF_PROGRAM});
  EXPECT_THAT(lines, StartsWith("t_log(1.031250) = 0.030772, t_log'(1.031250) = 0.969697\n"));
  EXPECT_EQ(lines, alone({AUTO_DIFF_PROGRAM}, 1));
}

TEST_F(Apps, a_search_ends_when_one_node_has_found_it) {
  EXPECT_EQ(on_three({REVERSE_MD5_PROGRAM}),
            "md5 48ae4d2d384dcc470e471f4169daa96a comes from 1829182\n");
}

TEST_F(Apps, pi_has_the_same_digits_on_any_number_of_cores_and_nodes) {
  const std::string digits = "pi is about 3.14149 after 50000000 darts\n";
  EXPECT_EQ(alone({PI_PROGRAM}, 1), digits);
  EXPECT_EQ(alone({PI_PROGRAM}, 2), digits);
  EXPECT_EQ(on_three({PI_PROGRAM}), digits);
}

// FNV-1a, 64 bits, of a picture's size and of the red, green and blue of every pixel.
std::uint64_t hash_of_picture(const std::string& file) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_file(&png, file.c_str())) << png.message;
  png.format = PNG_FORMAT_RGB;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(png));
  EXPECT_TRUE(png_image_finish_read(&png, nullptr, pixels.data(), 0, nullptr)) << png.message;
  EXPECT_EQ(png.width, 1200u);
  EXPECT_EQ(png.height, 800u);
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t byte : pixels) hash = (hash ^ byte) * 0x100000001b3;
  return hash;
}

TEST_F(Apps, the_picture_is_the_same_pixel_by_pixel) {
  const auto expect = [](const std::string& printed, const std::string& file) {
    EXPECT_EQ(printed, file + ": 1200 x 800 pixels, 143520 of them in the set\n");
    EXPECT_EQ(hash_of_picture(file), 0xf2a19a52327ed5f0u);
  };
  const std::string one = folder_ / "one.png", two = folder_ / "two.png";
  const std::string nodes = folder_ / "three.png";
  expect(alone({MANDELBROT_PROGRAM, one}, 1), one);
  expect(alone({MANDELBROT_PROGRAM, two}, 2), two);
  expect(on_three({MANDELBROT_PROGRAM, nodes}), nodes);
}

}  // namespace
}  // namespace pp::test
