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

/// A pickle as Python 2 writes it with protocols 0 and 1: lines of text, memo from 1.
inline Bytes seed_python2_object() {
  namespace p = pickle;
  const Bytes storage =
      "(S'storage'\np1\nctorch\nFloatStorage\np2\nU\x01"
      "0q\x03U\x03"
      "cpuq\x04L6L\ntQ";
  const Bytes rebuild = "ctorch._utils\n_rebuild_tensor_v2\n";
  const Bytes weight = rebuild + "(" + storage + "I0\n(L2L\nL3L\nt(L3L\nL1L\ntI00\n" +
                       p::global("collections", "OrderedDict") + "((ltRtR";
  const Bytes count =
      "ctorch._utils\n_rebuild_tensor_v2\n((g1\nctorch\nLongStorage\nU\x01"
      "1h\x04I1\ntQI0\n))I00\n" +
      p::global("collections", "OrderedDict") + "((ltRtR";
  const Bytes pairs = "(U\x01w" + weight + "l(U\x01n" + count + "l";
  return "(S'epoch'\nI12\nV\\u2603\nF0.5\nS'state_dict'\n" +
         p::global("collections", "OrderedDict") + "((" + pairs + "ltRd.";
}

}  // namespace omnifit::test
