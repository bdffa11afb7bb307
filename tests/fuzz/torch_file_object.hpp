#pragma once

#include "tests/formats/torch_file_builder.hpp"

#include <vector>

/// The object that mutations of PyTorch files start from.
namespace omnifit::test {

/// Storages of seed_object().
inline std::vector<StoredBytes> seed_storages() {
  return {stored<float>("0", {1, 2, 3, 4, 5, 6}), stored<std::int64_t>("1", {7})};
}

/// A pickle with every kind of value that the reader takes.
inline Bytes seed_object() {
  namespace p = pickle;
  const Bytes weight = p::tensor(p::storage("FloatStorage", "0", 6), 0, {2, 3}, {3, 1});
  const Bytes counter = p::tensor(p::storage("LongStorage", "1", 1), 0, {}, {});
  const Bytes parameter = p::call(p::global("torch._utils", "_rebuild_parameter"),
                                  {weight, p::flag(true), p::ordered_dict()});
  const Bytes dict =
      p::named({{"module.w", weight}, {"module.n", counter}, {"module.p", parameter}});
  return p::whole(p::named({{"epoch", p::integer(3)},
                            {"best", p::number(0.5)},
                            {"note", p::list({p::text("a"), p::none(), p::flag(false)})},
                            {"state_dict", dict}},
                           p::op(p::Opcode::kEmptyDict)));
}

}  // namespace omnifit::test
