# Runs COMMAND (the program's path, then its arguments); fails unless it ends with EXIT_CODE and prints what matches PATTERN.
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE exit_code OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(NOT exit_code STREQUAL EXIT_CODE)
  message(FATAL_ERROR "exit code ${exit_code}, expected ${EXIT_CODE}\n${output}${errors}")
endif()
if(EXIT_CODE STREQUAL 0)
  set(looked_at "${output}")   # a healthy program says on stdout what it has to say
else()
  set(looked_at "${errors}")
endif()
if(NOT looked_at MATCHES "${PATTERN}")
  message(FATAL_ERROR "expected: ${PATTERN}\nprinted: ${output}${errors}")
endif()
