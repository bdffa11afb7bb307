"""Writes python2_protocol1.pth and python2_protocol2.pth as torch.save() did under Python 2.

Run with Python 2.7, whose cPickle numbers its memo from 1 and writes sizes as long integers:
python2 python2_files.py FOLDER. Protocol 0 cannot hold the persistent ids of tensors.
"""
import cPickle
import collections
import io
import os
import struct
import sys
import types


class FloatStorage(object):
    pass


class LongStorage(object):
    pass


def _rebuild_tensor_v2(*arguments):
    return arguments


def install_torch():
    """Makes the pickled names what PyTorch's are."""
    torch = types.ModuleType("torch")
    utils = types.ModuleType("torch._utils")
    for storage in (FloatStorage, LongStorage):
        storage.__module__ = "torch"
        setattr(torch, storage.__name__, storage)
    _rebuild_tensor_v2.__module__ = "torch._utils"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    sys.modules.update({"torch": torch, "torch._utils": utils})


class Storage(object):
    def __init__(self, kind, key, count):
        self.persistent_id = ("storage", kind, key, "cuda:0", count, None)


class Tensor(object):
    def __init__(self, *view):
        self.view = view

    def __reduce__(self):
        return (_rebuild_tensor_v2, self.view + (False, collections.OrderedDict()))


def state_dict():
    weight = Storage(FloatStorage, "94205", 6L)
    state = collections.OrderedDict()
    state["module.weight"] = Tensor(weight, 0, (2L, 3L), (3L, 1L))
    state["module.bias"] = Tensor(weight, 3L, (3,), (1,))
    state["module.count"] = Tensor(Storage(LongStorage, "94206", 1L), 0, (), ())
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    return state


def write(path, protocol):
    content = io.BytesIO()

    def dump(value):
        pickler = cPickle.Pickler(content, protocol)
        pickler.persistent_id = lambda item: getattr(item, "persistent_id", None)
        pickler.dump(value)

    dump(0x1950A86A20F9469CFC6C)
    dump(1001)
    sizes = {"short": 2, "int": 4, "long": 4}
    dump({"protocol_version": 1001, "little_endian": True, "type_sizes": sizes})
    dump({"epoch": 12, "best": 75.5, "note": "it's \"new\"\n", "arch": u"caf\xe9 \u2603",
          "state_dict": state_dict()})
    dump(["94205", "94206"])
    content.write(struct.pack("<q6f", 6, 1, 2, 3, 4, 5, 6))
    content.write(struct.pack("<qq", 1, 7))
    with open(path, "wb") as file:
        file.write(content.getvalue())


install_torch()
for version in (1, 2):
    write(os.path.join(sys.argv[1], "python2_protocol%d.pth" % version), version)
