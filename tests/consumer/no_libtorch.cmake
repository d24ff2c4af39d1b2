# cmake -D MODULES=... -P no_libtorch.cmake: fails where LibTorch can be found.
list(APPEND CMAKE_MODULE_PATH ${MODULES})
find_package(LibTorch QUIET)
if(LibTorch_FOUND)
  message(FATAL_ERROR "expected no LibTorch in this environment, found ${LibTorch_ROOT_DIR}")
endif()
