# Helpers that give every target of the project the same warnings, sanitizers and include paths.

# cosformer_configure(target): warnings, sanitizers, include paths.
function(cosformer_configure target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;$<$<BOOL:${COSFORMER_WERROR}>:-Werror>>
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;$<$<BOOL:${COSFORMER_WERROR}>:-Werror=all-warnings>>)
  if(COSFORMER_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${COSFORMER_SANITIZE} -fno-sanitize-recover=all
      -fno-omit-frame-pointer)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # Instrumented code hides from GCC what has been written.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
    target_link_options(${target} PUBLIC -fsanitize=${COSFORMER_SANITIZE})
    if(COSFORMER_SANITIZE MATCHES thread)
      # An uninstrumented OpenMP runtime shows false races, so threads come from the standard library.
      target_compile_definitions(${target} PRIVATE COSFORMER_STD_THREADS)
    endif()
  endif()
endfunction()

# cosformer_library(name STATIC|SHARED SOURCES ... LINK_PUBLIC ... LINK_PRIVATE ...): target cosformer_<name>,
# alias cosformer::<name>.
function(cosformer_library name kind)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK_PUBLIC;LINK_PRIVATE" ${ARGN})
  add_library(cosformer_${name} ${kind} ${arg_SOURCES})
  add_library(cosformer::${name} ALIAS cosformer_${name})
  set_target_properties(cosformer_${name} PROPERTIES EXPORT_NAME ${name} DEFINE_SYMBOL "")
  target_link_libraries(cosformer_${name} PUBLIC ${arg_LINK_PUBLIC} PRIVATE ${arg_LINK_PRIVATE})
  cosformer_configure(cosformer_${name})
endfunction()

# cosformer_test(name SOURCES ... LINK ... [LABELS ...]): a GoogleTest program, each of its tests known to ctest as
# <prefix><name>.<Suite>.<Test>, where the prefix tells apart builds that one ctest runs.
set(COSFORMER_TEST_PREFIX "" CACHE STRING "What the names of this build's tests begin with")
function(cosformer_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK;LABELS;PROPERTIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} GTest::gtest_main)
  cosformer_configure(${name})
  # What is under test is compiled as users have it; its tests need not be.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(arg_LABELS)
    list(APPEND arg_PROPERTIES LABELS ${arg_LABELS})
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${COSFORMER_TEST_PREFIX}${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive ${arg_PROPERTIES})
endfunction()
