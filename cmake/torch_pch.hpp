#pragma once
// The one precompiled header of all LibTorch translation units (about a minute once per flag set).
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <vector>
