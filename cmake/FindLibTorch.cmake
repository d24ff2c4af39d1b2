# Finds LibTorch's CPU part, and its CUDA part with COSFORMER_CUDA, inside a LibTorch folder or an installed torch package, without its own CMake package
# (which insists on a CUDA toolkit).
#
# Looks, in this order, at
#   LIBTORCH_ROOT (variable or environment): a folder that holds include/ and lib/,
#   the torch package of the python3 in use,
#   $COSFORMER_DEPS or ~/.cache/cosformer, where scripts/setup puts it.
# Defines the imported target LibTorch::cpu (torch_cpu and c10), with COSFORMER_CUDA also LibTorch::cuda (torch_cuda and
# c10_cuda), LibTorch_VERSION and LibTorch_ROOT_DIR.

function(_libtorch_version root result)
  set(version "")
  set(header ${root}/include/torch/headeronly/version.h)
  if(NOT EXISTS ${header})
    set(header ${root}/include/torch/csrc/api/include/torch/version.h)
  endif()
  if(EXISTS ${header})
    file(STRINGS ${header} lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
    foreach(part MAJOR MINOR PATCH)
      if("${lines}" MATCHES "TORCH_VERSION_${part} ([0-9]+)")
        list(APPEND version ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endif()
  list(JOIN version "." version)
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

set(_candidates "")
foreach(_given "${LIBTORCH_ROOT}" "$ENV{LIBTORCH_ROOT}")
  if(_given)
    list(APPEND _candidates "${_given}" "${_given}/torch")
    set(_explicit TRUE)
  endif()
endforeach()
if(NOT _explicit)
  execute_process(
    COMMAND python3 -c "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE _python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(_python_torch)
    list(APPEND _candidates "${_python_torch}")
  endif()
  if(DEFINED ENV{COSFORMER_DEPS})
    set(_deps "$ENV{COSFORMER_DEPS}")
  else()
    set(_deps "$ENV{HOME}/.cache/cosformer")
  endif()
  file(GLOB _downloads "${_deps}/libtorch-*/torch" "${_deps}/python-*/lib/python3*/site-packages/torch")
  list(APPEND _candidates ${_downloads})
endif()

set(_seen "")
foreach(_root IN LISTS _candidates)
  if(COSFORMER_CUDA AND NOT EXISTS "${_root}/lib/libtorch_cuda.so")
    list(APPEND _seen "${_root} (no CUDA part)")
  elseif(EXISTS "${_root}/lib/libtorch_cpu.so" AND EXISTS "${_root}/include/ATen/ATen.h")
    _libtorch_version("${_root}" _version)
    list(APPEND _seen "${_root} (${_version})")
    if(_version AND (NOT LibTorch_FIND_VERSION OR _version VERSION_EQUAL LibTorch_FIND_VERSION
        OR (NOT LibTorch_FIND_VERSION_EXACT AND _version VERSION_GREATER LibTorch_FIND_VERSION)))
      set(LibTorch_ROOT_DIR "${_root}")
      set(LibTorch_VERSION "${_version}")
      break()
    endif()
  endif()
endforeach()

list(JOIN _seen ", " _seen)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_ROOT_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "give LIBTORCH_ROOT or run scripts/setup (seen: ${_seen})")

if(LibTorch_FOUND AND NOT TARGET LibTorch::cpu)
  set(_lib "${LibTorch_ROOT_DIR}/lib")
  add_library(LibTorch::c10 SHARED IMPORTED)
  set_target_properties(LibTorch::c10 PROPERTIES
    IMPORTED_LOCATION "${_lib}/libc10.so"
    INTERFACE_INCLUDE_DIRECTORIES
      "${LibTorch_ROOT_DIR}/include;${LibTorch_ROOT_DIR}/include/torch/csrc/api/include")
  add_library(LibTorch::cpu SHARED IMPORTED)
  # libtorch_cpu names CUDA's runtime among its needs; nothing of it is called without a GPU, and the loader finds it
  # beside the package through libtorch_cpu's own search path.
  set_target_properties(LibTorch::cpu PROPERTIES
    IMPORTED_LOCATION "${_lib}/libtorch_cpu.so"
    INTERFACE_LINK_LIBRARIES LibTorch::c10
    INTERFACE_LINK_OPTIONS "LINKER:--allow-shlib-undefined;LINKER:--unresolved-symbols=ignore-in-shared-libs")
  if(COSFORMER_CUDA)
    add_library(LibTorch::c10_cuda SHARED IMPORTED)
    set_target_properties(LibTorch::c10_cuda PROPERTIES
      IMPORTED_LOCATION "${_lib}/libc10_cuda.so"
      INTERFACE_LINK_LIBRARIES "LibTorch::c10;CUDA::toolkit")
    # Its kernels register themselves when it is loaded, so it is loaded although no symbol of it is named.
    add_library(LibTorch::cuda SHARED IMPORTED)
    set_target_properties(LibTorch::cuda PROPERTIES
      IMPORTED_LOCATION "${_lib}/libtorch_cuda.so"
      INTERFACE_LINK_LIBRARIES "LibTorch::cpu;LibTorch::c10_cuda"
      INTERFACE_LINK_OPTIONS "LINKER:--no-as-needed")
  endif()
endif()
