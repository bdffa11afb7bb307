#pragma once

namespace CLI {
class App;
}

namespace omnifit::cli {

struct Invocation;

/// `predictor`, below `omnifit import`.
void add_import_predictor(CLI::App& parent, Invocation& invocation);

}  // namespace omnifit::cli
