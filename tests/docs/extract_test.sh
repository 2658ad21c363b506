#!/usr/bin/env bash
# Cuts small pages: what keeps to the convention of extract.awk comes out as it should, what does not is refused with its line.
#
#   extract_test.sh AWK EXTRACT_AWK
set -euo pipefail
awk=$1
script=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

cut_page() {
  rm -f "$work"/*
  cat >"$work/page"
  "$awk" -v stem=p -v shown=page.md -v out="$work" -f "$script" "$work/page" 2>&1
}
# refused LINE WORDS, the page on standard input: it must be refused there, with these words.
refused() {
  local said
  if said=$(cut_page); then
    echo "accepted, and should not be: $2"
    failures=$((failures + 1))
  elif [[ $said != "page.md:$1: "*"$2"* ]]; then
    echo "refused with other words than '$2': $said"
    failures=$((failures + 1))
  fi
}
# holds FILE TEXT: what was cut last has this line.
holds() {
  if ! grep -qxF -- "$2" "$work/$1" 2>/dev/null; then
    echo "$1 lacks: $2"
    failures=$((failures + 1))
  fi
}

cut_page <<'END'
# A page
## 1. The first, of two
```cpp
int twice(int n) { return 2 * n; }
```
```cpp body
std::cout << rt.submit<twice>(4).get() << '\n';
```
It prints
```text
8
```
## Other
```cpp
int main() {}
```
```sh
rm -rf nothing
```
END
holds p.list "p_1_the_first_of_two compare"
holds p.list "p_other_program run"
holds p_1_the_first_of_two.cpp '#line 4 "page.md"'
holds p_1_the_first_of_two.cpp 'int twice(int n) { return 2 * n; }'
holds p_1_the_first_of_two.cpp '    p_1_the_first_of_two::body_at_line_7(rt);'
holds p_1_the_first_of_two.expected '8'
holds p_other_program.cpp 'int main() {}'

refused 3 "is not closed" <<'END'
## A
```cpp
int n;
END
refused 4 "is not closed" <<'END'
## A
```cpp
int n;
  ```
END
refused 3 "before the first chapter" <<'END'
```cpp
int n;
```
END
refused 2 "its language" <<'END'
## A
```
something
```
END
refused 2 "at the beginning of the line" <<'END'
## A
  ```cpp
END
refused 2 "not c" <<'END'
## A
```c
END
refused 2 "sh hosts" <<'END'
## A
```sh elsewhere
END
refused 2 "cpp body" <<'END'
## A
```cpp boddy
END

((failures == 0)) && echo "pages are cut as they say"
