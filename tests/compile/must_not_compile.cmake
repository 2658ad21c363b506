# Compiles SOURCE, which must fail: with the sentence that its line "// expect: REGEX" wants in the first error, with what its line
# "// names: REGEX" wants somewhere, and with no more output than fits on a screen.
#
#   cmake -DCXX=g++ -DFLAGS= -DINCLUDES=dir;dir -DSOURCE=mistakes/x.cpp -P must_not_compile.cmake
set(most_lines 40)
set(most_characters_per_line 200)   # on average

file(STRINGS ${SOURCE} expected REGEX "^// expect: ")
file(STRINGS ${SOURCE} named REGEX "^// names: ")
if(NOT expected OR NOT named)
  message(FATAL_ERROR "${SOURCE}: its head needs the lines \"// expect: REGEX\" and \"// names: REGEX\".")
endif()
string(REGEX REPLACE "^// expect: " "" expected "${expected}")
string(REGEX REPLACE "^// names: " "" named "${named}")

separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
list(TRANSFORM INCLUDES PREPEND -I)
set(ENV{LC_ALL} C)   # plain quotation marks
get_filename_component(folder ${SOURCE} DIRECTORY)
get_filename_component(file ${SOURCE} NAME)
execute_process(COMMAND ${CXX} ${FLAGS} -std=c++20 -Wall -Wextra -fsyntax-only -fno-diagnostics-color ${INCLUDES} ${file}
  WORKING_DIRECTORY ${folder} RESULT_VARIABLE failed OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(NOT failed)
  message(FATAL_ERROR "${SOURCE} compiles, but has a mistake that must be refused.")
endif()

string(REGEX MATCH "error: [^\n]*" first_error "${said}")
if(NOT first_error MATCHES "${expected}")
  message(NOTICE "${said}")
  message(FATAL_ERROR "The first error should match \"${expected}\", but is:\n${first_error}")
endif()
if(NOT said MATCHES "${named}")
  message(NOTICE "${said}")
  message(FATAL_ERROR "The compiler should name \"${named}\", but did not.")
endif()

string(LENGTH "${said}" characters)
string(REGEX REPLACE "[^\n]" "" lines "${said}")
string(LENGTH "${lines}" lines)
math(EXPR bound "${lines} * ${most_characters_per_line}")
if(lines GREATER most_lines OR characters GREATER bound)
  message(NOTICE "${said}")
  message(FATAL_ERROR "${lines} lines and ${characters} characters do not fit on one screen: "
                      "${most_lines} lines of ${most_characters_per_line} on average.")
endif()
message(STATUS "${lines} lines, ${characters} characters")
