# Writes commit.cpp, which says what was compiled: run at every build, rewrites the file when it would differ.
#
#   cmake -DSOURCE=... -DOUT=... -P commit.cmake
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
endif()
set(text "// Made by commit.cmake: the commit that was compiled.\nnamespace pp::bench {\nextern const char kCommit[];\n")
string(APPEND text "const char kCommit[] = \"${commit}\";\n}  // namespace pp::bench\n")
set(before)
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
