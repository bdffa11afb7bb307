#pragma once

#include <exception>
#include <optional>
#include <string>

namespace omnifit::supernet {

/// One line for an error that says memory ran out, of the machine or of an accelerator: "out of
/// memory", and how much was asked for where the error tells. Nothing for any other error.
///
/// LibTorch's allocators throw their own kind, which is neither std::bad_alloc nor an
/// EnvironmentError, and whose text goes on for a page.
std::optional<std::string> out_of_memory(const std::exception& error);

}  // namespace omnifit::supernet
