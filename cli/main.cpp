#include "cli/app.hpp"

int main(int argc, char** argv) { return omnifit::cli::run(argc, argv, {}); }
