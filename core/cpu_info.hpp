#pragma once

#include <string>
#include <vector>

namespace omnifit::core {

/// The kernel's name for the processor, "unknown" where it has none.
std::string cpu_model();
/// Those of the processor's extensions that decide how fast networks run: "avx2", "avx512f",
/// "asimd" …
std::vector<std::string> cpu_flags();
/// What sets the clock of the first core: "performance", "powersave"; "unknown" where the kernel
/// does not say, as in virtual machines.
std::string cpu_governor();

}  // namespace omnifit::core
