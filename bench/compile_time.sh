#!/usr/bin/env bash
# Measures what <pp/pp.hpp> costs a user's file to compile, beside the standard headers that such a file has anyway.
#
#   bench/compile_time.sh [ROUNDS]      default: 5; the compiler: CXX=g++-12
#
# Prints the median of ROUNDS compilations of each program, taken in turn, in seconds of wall time. Run it on an otherwise quiet
# machine.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5} compiler=${CXX:-g++-12}

includes=(-Iruntime/include -Itransport/include)   # cereal and Boost lie where the compiler looks anyway

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

standard='#include <functional>
#include <future>
#include <string>
#include <vector>'
cat >"$folder/standard.cpp" <<END
$standard
int main() { return 0; }
END
cat >"$folder/one_submit.cpp" <<END
$standard
#include <pp/pp.hpp>
int f(int n) { return n + 1; }
int main() {
  pp::Runtime rt;
  return rt.submit<f>(1).get();
}
END
five_submits="$standard
#include <pp/pp.hpp>
struct Point { double x, y; };
int f(int n) { return n + 1; }
std::string g(const std::string& a, int n) { return a + std::to_string(n); }
std::vector<double> h(std::vector<double> v, double by) { for (double& x : v) x *= by; return v; }
double k(const std::vector<Point>& points, std::size_t i) { return points[i].x; }
int main() {
  pp::Runtime rt;
  int sum = rt.submit<f>(1).get();
  sum += static_cast<int>(rt.submit<g>(std::string(\"a\"), 1).get().size());
  sum += static_cast<int>(rt.submit<h>(std::vector<double>(3), 2.0).get().size());
  sum += static_cast<int>(rt.submit<k>(std::vector<Point>(3), 1).get());
  sum += rt.submit([](short a, long b) { return a + static_cast<int>(b); }, 1, 2).get();"
cat >"$folder/five_submits.cpp" <<END
$five_submits
  return sum;
}
END
cat >"$folder/five_and_map.cpp" <<END
$five_submits
  const std::vector<int> range(10);
  return sum + rt.map<f>(range).get()[0];
}
END

once() {   # seconds that one compilation takes
  local from=$EPOCHREALTIME
  "$compiler" -O2 -std=c++20 "${includes[@]}" -c "$folder/$1.cpp" -o "$folder/$1.o"
  awk -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN {printf "%.3f\n", to - from}'
}
programs=(standard one_submit five_submits five_and_map)
for program in "${programs[@]}"; do once "$program" >/dev/null; done   # what they read is in memory from here on
for ((round = 0; round < rounds; ++round)); do
  for program in "${programs[@]}"; do once "$program" >>"$folder/$program.times"; done
done

echo "$("$compiler" --version | head -1), -O2, median of $rounds"
for program in "${programs[@]}"; do
  median=$(sort -n "$folder/$program.times" | sed -n "$(((rounds + 1) / 2))p")
  [[ $program == standard ]] && base=$median
  awk -v name="$program" -v median="$median" -v base="$base" 'BEGIN {printf "%-14s %6.2f s  %5.2f x\n", name, median, median / base}'
done
