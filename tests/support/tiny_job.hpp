#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace omnifit::test {

/// A whole job that takes a second or two: the tiny space, few images, a short search.
inline std::string tiny_job_text() {
  return R"(project: project/tiny.db
space: tiny
seed: 7
threads: 1
compute: cpu
data: {format: synthetic, num_classes: 10, image_px: 16, num_train: 256, num_validation: 100, num_test: 100}
train:
  batch_size: 32
  calibration_images: 64
  checkpoint_every_s: 0.05
  phases:
    - {name: full, epochs: 2, learning_rate: 0.1, open_resolutions: 1}
    - {name: kernel, epochs: 1, learning_rate: 0.03, open_kernel_sizes: 0}
    - {name: expand, epochs: 1, learning_rate: 0.03, open_kernel_sizes: 0, open_depths: 0, open_expand_ratios: 0, subnets_per_step: 2}
profile: {min_samples: 5, max_samples: 20, correction_networks: 5, check_networks: 6}
collect: {samples: 24}
search:
  evolution: {population_size: 10, generations: 5, max_evaluations: 60}
  budgets:
    - {latency: 50%}
    - {macs: 40%}
)";
}

inline std::filesystem::path write_tiny_job(const std::filesystem::path& folder,
                                            const std::string& text = tiny_job_text()) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path file = folder / "job.yaml";
  std::ofstream(file) << text;
  return file;
}

}  // namespace omnifit::test
