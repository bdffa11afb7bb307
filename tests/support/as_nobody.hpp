#pragma once

#include <unistd.h>

#include <exception>
#include <filesystem>
#include <stdexcept>

namespace omnifit::test {

/// Runs code without the administrator's right to ignore file permissions; does nothing for other
/// users.
class AsNobody {
 public:
  /// `folder` (a TempDir) becomes reachable for everybody.
  explicit AsNobody(const std::filesystem::path& folder) {
    std::filesystem::permissions(folder, std::filesystem::perms(0755));
  }

  template <class Body>
  void run(const Body& body) const {
    const Switch unprivileged;
    body();
  }

 private:
  struct Switch {
    Switch() {
      if (administrator && seteuid(65534) != 0) throw std::runtime_error("seteuid failed");
    }
    ~Switch() {
      if (administrator && seteuid(0) != 0) std::terminate();
    }
    Switch(const Switch&) = delete;
    Switch& operator=(const Switch&) = delete;
    bool administrator = geteuid() == 0;
  };
};

}  // namespace omnifit::test
