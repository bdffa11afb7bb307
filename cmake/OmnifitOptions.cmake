# Flags of every target of this tree, carried by one interface library.
add_library(omnifit_options INTERFACE)
target_include_directories(omnifit_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(omnifit_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor)
if(OMNIFIT_WERROR)
  target_compile_options(omnifit_options INTERFACE -Werror)
endif()
if(OMNIFIT_NATIVE)
  # One flag for the whole tree: it changes the alignment of Eigen types.
  target_compile_options(omnifit_options INTERFACE -march=native)
endif()
if(OMNIFIT_SANITIZE)
  target_compile_options(omnifit_options INTERFACE
    -fsanitize=${OMNIFIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC takes its own instrumentation of std::regex and std::vector for uninitialised and oversized; the builds without
    # sanitizers keep both warnings.
    target_compile_options(omnifit_options INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow)
  endif()
  target_link_options(omnifit_options INTERFACE -fsanitize=${OMNIFIT_SANITIZE})
endif()
if(OMNIFIT_FUZZ)
  # Coverage of everything that a fuzz target calls; its main() comes from the target itself.
  target_compile_options(omnifit_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(omnifit_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# LibTorch translation units need over a gigabyte each: never more than two at a time.
set_property(GLOBAL APPEND PROPERTY JOB_POOLS omnifit_torch_pool=2)
