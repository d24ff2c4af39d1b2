# cmake -D SOURCE=... -D FILE=... -P WriteCommit.cmake: writes a header with the commit of a checkout, marked where files
# differ from it. The header changes only with them.
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit unknown)
else()
  execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(changes)
    string(APPEND commit "-changed")
  endif()
endif()
file(CONFIGURE OUTPUT ${FILE} CONTENT "#define COSFORMER_COMMIT \"@commit@\"\n" @ONLY)
