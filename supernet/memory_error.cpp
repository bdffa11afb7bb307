#include "supernet/memory_error.hpp"

#include "core/units.hpp"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <charconv>
#include <new>
#include <string_view>

namespace omnifit::supernet {
namespace {

/// The number behind "tried to allocate " in the text of LibTorch's allocators for the CPU.
std::optional<std::uint64_t> requested_bytes(std::string_view text) {
  constexpr std::string_view kBefore = "tried to allocate ";
  const std::size_t at = text.find(kBefore);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + kBefore.size());
  std::uint64_t bytes = 0;
  const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), bytes);
  const std::string_view unit(stop, static_cast<std::size_t>(rest.data() + rest.size() - stop));
  if (error != std::errc() || !unit.starts_with(" bytes")) return std::nullopt;
  return bytes;
}

bool is_allocation_failure(const c10::Error& error) {
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  const std::string_view text = error.what_without_backtrace();
  return text.find("can't allocate memory") != std::string_view::npos ||
         text.find("not enough memory") != std::string_view::npos;
}

}  // namespace

std::optional<std::string> out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "out of memory";
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  if (torch_error == nullptr || !is_allocation_failure(*torch_error)) return std::nullopt;
  const auto bytes = requested_bytes(torch_error->what_without_backtrace());
  if (!bytes) return "out of memory";
  return fmt::format("out of memory: a tensor of {} does not fit",
                     core::format_bytes(static_cast<double>(*bytes)));
}

}  // namespace omnifit::supernet
