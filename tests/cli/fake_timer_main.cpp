#include "cli/app.hpp"
#include "tests/support/fake_timer.hpp"

#include <memory>

int main(int argc, char** argv) {
  omnifit::pipeline::Services services;
  services.make_timer = [](const omnifit::pipeline::DeviceConfig&, const std::string&) {
    return std::make_unique<omnifit::test::FakeTimer>();
  };
  return omnifit::cli::run(argc, argv, services);
}
