#pragma once

#include "formats/tensor_file.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace omnifit::formats {

/// Files of torch.save() that hold a state dict, in either container: the zip archive of PyTorch
/// 1.6 and later (stored entries, zip64 too) and the row of pickles before it.
///
/// Nothing in the file is run. The pickle may build plain containers and tensors; every other
/// opcode and global is refused by name. Memory and time stay linear in the file's size, whatever
/// it says.
///
/// The state dict is the file's top value or lies below it: under the key "state_dict", or else
/// under the one key whose value is a dict of tensors. A prefix "module." that all names share
/// (DataParallel) is dropped. Tensors come row-major, in the file's order, each with data of its
/// own. Plain values beside the state dict (an epoch, an accuracy) become metadata as text, at most
/// 1,000 of 64 KiB together.
///
/// Where a storage lay when it was saved ("cuda:0") does not matter.

/// @throws DataError "PATH: …", one line: missing, larger than 4 GiB, none of the two containers,
/// truncated, bytes left over, an opcode or global that is not allowed, wrong endianness, a storage
/// shorter than its tensors need, overlapping strides, compressed or repeated zip entries, no state
/// dict or several, too many plain values beside it, repeated names, values that are no tensors
/// (all listed).
TensorFile read_torch_file(const std::filesystem::path& file);

/// The same for bytes in memory; `where` names them in messages.
TensorFile parse_torch_file(const std::string& where, std::span<const std::byte> bytes);

}  // namespace omnifit::formats
