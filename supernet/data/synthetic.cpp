#include "supernet/data/synthetic.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "core/threads.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace omnifit::supernet {
namespace {

// Lengths are in units of a 32-pixel image, so that other sizes show the same picture.
constexpr float kSide = 32.0F;

struct Vec {
  float x = 0.0F;
  float y = 0.0F;
};
Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y}; }
float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y; }
float length(Vec a) { return std::sqrt(dot(a, a)); }
/// `a` as seen in a frame whose x axis is the unit vector `axis`.
Vec turned(Vec a, Vec axis) { return {dot(a, axis), axis.x * a.y - axis.y * a.x}; }

using Colour = std::array<float, 3>;

float clamp01(float value) { return std::min(std::max(value, 0.0F), 1.0F); }
Colour mix(const Colour& a, const Colour& b, float share) {
  return {a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share};
}

float draw(core::Rng& rng, float low, float high) {
  return low + (high - low) * static_cast<float>(rng.uniform());
}

/// A direction, without the trigonometric functions of the C library: those differ between
/// versions.
Vec draw_direction(core::Rng& rng) {
  while (true) {
    const Vec v{draw(rng, -1.0F, 1.0F), draw(rng, -1.0F, 1.0F)};
    const float r2 = dot(v, v);
    if (r2 < 0.01F || r2 > 1.0F) continue;
    const float r = std::sqrt(r2);
    return {v.x / r, v.y / r};
  }
}

Colour draw_colour(core::Rng& rng) {
  return {draw(rng, 0.1F, 0.9F), draw(rng, 0.1F, 0.9F), draw(rng, 0.1F, 0.9F)};
}

/// Another colour about `contrast` away per channel: brighter or darker as a whole, tinted.
Colour draw_contrasting(core::Rng& rng, const Colour& base, float contrast) {
  const float mean = (base[0] + base[1] + base[2]) / 3.0F;
  const float sign = mean < 0.5F ? 1.0F : -1.0F;
  Colour other;
  for (std::size_t c = 0; c < 3; ++c) {
    other[c] = clamp01(base[c] + sign * contrast * draw(rng, 0.4F, 1.4F));
  }
  return other;
}

// ---- shapes: signed distance (negative inside) in a frame where a shape fits the unit disc ----

enum class Shape {
  kDisc,
  kSquare,
  kTriangle,
  kHexagon,
  kStar,
  kRing,
  kCross,
  kDome,
  kTee,
  kCrescent
};
constexpr std::array<const char*, 10> kShapeNames = {
    "disc", "square", "triangle", "hexagon", "star", "ring", "cross", "dome", "tee", "crescent"};

float box_distance(Vec p, float half_width, float half_height) {
  return std::max(std::fabs(p.x) - half_width, std::fabs(p.y) - half_height);
}

float star_distance(Vec p) {
  // Mirror the plane into one tenth: the wedge between a tip (up) and the notch beside it.
  constexpr Vec kFirst{0.80901699F, -0.58778525F};  // normal of the line through the notch at 36°
  constexpr Vec kSecond{-0.80901699F, -0.58778525F};
  p.x = std::fabs(p.x);
  for (const Vec& normal : {kFirst, kSecond}) {
    const float beyond = std::max(dot(p, normal), 0.0F);
    p = {p.x - 2.0F * beyond * normal.x, p.y - 2.0F * beyond * normal.y};
  }
  p.x = std::fabs(p.x);
  constexpr Vec kTip{0.0F, 1.0F};
  constexpr Vec kEdgeNormal{0.83F, 0.557763F};  // of the edge from the tip to the notch
  return dot(p - kTip, kEdgeNormal);
}

float shape_distance(Shape shape, Vec p) {
  switch (shape) {
    case Shape::kDisc:
      return length(p) - 0.82F;
    case Shape::kSquare:
      return box_distance(p, 0.72F, 0.72F);
    case Shape::kTriangle: {
      const float slanted = 0.8660254F * std::fabs(p.x) + 0.5F * p.y;
      return std::max(slanted, -p.y) - 0.54F;
    }
    case Shape::kStar:
      return star_distance(p);
    case Shape::kCross:
      return std::min(box_distance(p, 0.3F, 0.92F), box_distance(p, 0.92F, 0.3F));
    case Shape::kRing:
      return std::fabs(length(p) - 0.64F) - 0.27F;
    case Shape::kCrescent:
      return std::max(length(p) - 0.9F, 0.68F - length(p - Vec{0.5F, 0.0F}));
    case Shape::kHexagon: {
      const float x = std::fabs(p.x);
      return std::max(0.8660254F * x + 0.5F * std::fabs(p.y), std::fabs(p.y)) - 0.78F;
    }
    case Shape::kDome:
      return std::max(length(p - Vec{0.0F, -0.35F}) - 0.95F, -0.35F - p.y);
    case Shape::kTee:
      return std::min(box_distance(p - Vec{0.0F, 0.55F}, 0.85F, 0.3F),
                      box_distance(p - Vec{0.0F, -0.25F}, 0.3F, 0.65F));
  }
  return 1.0F;
}

// ---- textures: share of the second colour at a point ----

enum class Texture { kStripes, kChecker, kDots, kZigzag };
constexpr std::array<const char*, 4> kTextureNames = {"stripes", "checker", "dots", "zigzag"};

/// Distance to the middle of the nearest line of a family of period 1, in [0, 1/2].
float line_distance(float t) { return std::fabs(t - std::floor(t) - 0.5F); }

struct TextureField {
  Texture texture = Texture::kStripes;
  Vec axis{1.0F, 0.0F};
  Vec phase;
  float period = 5.0F;

  /// @param blur width of the transition between the colours: one pixel.
  [[nodiscard]] float at(Vec p, float blur) const {
    const Vec q = turned(p, axis);
    const float u = q.x / period + phase.x;
    const float v = q.y / period + phase.y;
    float edge = 0.0F;  // signed distance to the border between the colours, in periods
    switch (texture) {
      case Texture::kStripes:
        edge = line_distance(u) - 0.25F;
        break;
      case Texture::kChecker: {
        const float a = line_distance(u * 0.8F) - 0.25F;
        const float b = line_distance(v * 0.8F) - 0.25F;
        const float nearest = std::min(std::fabs(a), std::fabs(b)) * 1.25F;
        edge = (a < 0.0F) == (b < 0.0F) ? nearest : -nearest;
        break;
      }
      case Texture::kDots:
        edge = 0.33F - length({line_distance(u), line_distance(v)});
        break;
      case Texture::kZigzag:
        edge = (line_distance(u + 1.4F * line_distance(v * 0.5F)) - 0.25F) * 0.8F;
        break;
    }
    return clamp01(0.5F + edge * period / blur);
  }
};

TextureField draw_field(core::Rng& rng, Texture texture) {
  TextureField field;
  field.texture = texture;
  field.axis = draw_direction(rng);
  field.phase = {draw(rng, 0.0F, 1.0F), draw(rng, 0.0F, 1.0F)};
  field.period = draw(rng, 4.8F, 6.4F);
  return field;
}

// ---- the picture ----

class Canvas {
 public:
  explicit Canvas(int image_px)
      : px_(image_px),
        step_(kSide / static_cast<float>(image_px)),
        pixels_(static_cast<std::size_t>(image_px * image_px)) {}

  /// Calls paint(point, colour&) for the pixels whose centre is within `radius` of `centre`.
  template <class Paint>
  void paint_around(Vec centre, float radius, const Paint& paint) {
    const auto first = [this](float at) {
      return std::clamp(static_cast<int>(std::floor(at / step_)), 0, px_);
    };
    const int x_end = std::min(first(centre.x + radius) + 1, px_);
    const int y_end = std::min(first(centre.y + radius) + 1, px_);
    for (int y = first(centre.y - radius); y < y_end; ++y) {
      for (int x = first(centre.x - radius); x < x_end; ++x) {
        const Vec point{(static_cast<float>(x) + 0.5F) * step_,
                        (static_cast<float>(y) + 0.5F) * step_};
        paint(point, pixels_[static_cast<std::size_t>(y * px_ + x)]);
      }
    }
  }

  template <class Paint>
  void paint_all(const Paint& paint) {
    paint_around({kSide / 2, kSide / 2}, kSide, paint);
  }

  [[nodiscard]] float step() const { return step_; }
  [[nodiscard]] const std::vector<Colour>& pixels() const { return pixels_; }

 private:
  int px_;
  float step_;
  std::vector<Colour> pixels_;
};

void paint_ground(core::Rng& rng, Canvas& canvas, const Colour& ground) {
  const Colour other = draw_contrasting(rng, ground, draw(rng, 0.0F, 0.06F));
  const Colour far = draw_colour(rng);
  const Vec axis = draw_direction(rng);
  const float drift = draw(rng, 0.0F, 0.4F);
  const TextureField field = draw_field(rng, static_cast<Texture>(rng.below(4)));
  canvas.paint_all([&](Vec point, Colour& colour) {
    const float along = dot(point - Vec{kSide / 2, kSide / 2}, axis) / kSide + 0.5F;
    colour = mix(mix(ground, other, field.at(point, canvas.step())), far, clamp01(drift * along));
  });
}

struct Figure {
  Shape shape = Shape::kDisc;
  Vec centre;
  Vec axis;
  float radius = 10.0F;
  float stretch = 1.0F;
  TextureField field;
  Colour first{};
  Colour second{};
};

void paint_figure(Canvas& canvas, const Figure& figure) {
  canvas.paint_around(figure.centre, figure.radius * 1.3F, [&](Vec point, Colour& colour) {
    const Vec local = turned(point - figure.centre, figure.axis);
    const Vec unit{local.x * figure.stretch / figure.radius,
                   local.y / (figure.stretch * figure.radius)};
    const float distance = shape_distance(figure.shape, unit) * figure.radius;
    const float cover = clamp01(0.5F - distance / canvas.step());
    if (cover == 0.0F) return;
    const float share = figure.field.at(point - figure.centre, canvas.step());
    colour = mix(colour, mix(figure.first, figure.second, share), cover);
  });
}

void paint_fragments(core::Rng& rng, Canvas& canvas) {
  const std::uint64_t count = 1 + rng.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    Figure fragment;
    fragment.shape = static_cast<Shape>(rng.below(kShapeNames.size()));
    fragment.centre = {draw(rng, 0.0F, kSide), draw(rng, 0.0F, kSide)};
    fragment.axis = draw_direction(rng);
    fragment.radius = draw(rng, 2.0F, 4.0F);
    fragment.field = draw_field(rng, static_cast<Texture>(rng.below(4)));
    fragment.first = draw_colour(rng);
    fragment.second = draw_contrasting(rng, fragment.first, draw(rng, 0.1F, 0.5F));
    paint_figure(canvas, fragment);
  }
}

void paint_subject(core::Rng& rng, Canvas& canvas, const Colour& ground, Shape shape,
                   Texture texture) {
  Figure subject;
  subject.shape = shape;
  subject.radius = draw(rng, 10.5F, 14.0F);
  const float slack = kSide / 2 - 0.9F * subject.radius;
  subject.centre = {kSide / 2 + draw(rng, -slack, slack), kSide / 2 + draw(rng, -slack, slack)};
  subject.axis = draw_direction(rng);
  subject.stretch = draw(rng, 0.9F, 1.1F);
  subject.field = draw_field(rng, texture);
  // Both colours lie on the same side of the ground, so that the outline is never lost.
  const Colour body = draw_contrasting(rng, ground, draw(rng, 0.4F, 0.65F));
  const float depth = draw(rng, 0.3F, 0.65F);
  subject.first = mix(body, ground, depth);
  subject.second = mix(body, ground, -depth);
  paint_figure(canvas, subject);
}

void paint_bars(core::Rng& rng, Canvas& canvas) {
  const std::uint64_t count = rng.below(2);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Vec through{draw(rng, 4.0F, kSide - 4.0F), draw(rng, 4.0F, kSide - 4.0F)};
    const Vec axis = draw_direction(rng);
    const float half_width = draw(rng, 0.5F, 1.1F);
    const Colour bar = draw_colour(rng);
    canvas.paint_all([&](Vec point, Colour& colour) {
      const float distance = std::fabs(dot(point - through, axis)) - half_width;
      colour = mix(colour, bar, clamp01(0.5F - distance / canvas.step()));
    });
  }
}

/// Light that falls off to one side, noise of random strength, and eight bits.
void develop(core::Rng& rng, const Canvas& canvas, int image_px, std::span<std::uint8_t> rgb) {
  const Vec axis = draw_direction(rng);
  const float falloff = draw(rng, 0.0F, 0.5F);
  const float gain = draw(rng, 0.75F, 1.15F);
  const float noise = draw(rng, 0.01F, 0.045F);
  const Vec middle{kSide / 2, kSide / 2};
  std::size_t at = 0;
  for (int y = 0; y < image_px; ++y) {
    for (int x = 0; x < image_px; ++x) {
      const Vec point{(static_cast<float>(x) + 0.5F) * canvas.step(),
                      (static_cast<float>(y) + 0.5F) * canvas.step()};
      const float light = gain * (1.0F - falloff * (dot(point - middle, axis) / kSide + 0.5F));
      const std::uint64_t bits = rng.next();
      const Colour& colour = canvas.pixels()[at / 3];
      for (std::size_t c = 0; c < 3; ++c) {
        // Two dice of ten bits: a triangular distribution of deviation 1 after scaling.
        const auto dice = static_cast<std::uint32_t>(bits >> (20 * c));
        const auto sum = static_cast<float>((dice & 1023U) + ((dice >> 10) & 1023U));
        const float deviate = (sum - 1023.0F) * (1.0F / 417.8F);
        const float value = clamp01(colour[c] * light + noise * deviate);
        rgb[at++] = static_cast<std::uint8_t>(value * 255.0F + 0.5F);
      }
    }
  }
}

/// In each block of ten classes every shape occurs once, and two or three of them share a texture.
Shape shape_of(int label) { return static_cast<Shape>(label % 10); }
Texture texture_of(int label) { return static_cast<Texture>((label % 10 + label / 10) % 4); }

}  // namespace

std::string synthetic_class_name(int label) {
  OMNIFIT_CHECK(label >= 0 && label < kMaxSyntheticClasses, "synthetic class {}", label);
  return fmt::format("{}, {}", kShapeNames[static_cast<std::size_t>(shape_of(label))],
                     kTextureNames[static_cast<std::size_t>(texture_of(label))]);
}

void draw_synthetic_image(std::uint64_t seed, int split, std::int64_t index, int label,
                          int image_px, std::span<std::uint8_t> rgb) {
  OMNIFIT_CHECK(label >= 0 && label < kMaxSyntheticClasses, "synthetic class {}", label);
  OMNIFIT_CHECK(rgb.size() == static_cast<std::size_t>(image_px * image_px * 3),
                "{} bytes for an image of {} pixels a side", rgb.size(), image_px);
  core::Rng rng =
      core::Rng::stream(seed, core::Purpose::kSynthetic,
                        {static_cast<std::uint64_t>(split), static_cast<std::uint64_t>(index)});
  Canvas canvas(image_px);
  const Colour ground = draw_colour(rng);
  paint_ground(rng, canvas, ground);
  paint_fragments(rng, canvas);
  paint_subject(rng, canvas, ground, shape_of(label), texture_of(label));
  paint_bars(rng, canvas);
  develop(rng, canvas, image_px, rgb);
}

ImageSplit draw_synthetic_split(std::uint64_t seed, int split, std::int64_t count, int num_classes,
                                int image_px) {
  constexpr std::int64_t kImagesPerTask = 64;
  const auto image_bytes = static_cast<std::size_t>(image_px * image_px * 3);
  ImageSplit drawn;
  drawn.pixels.resize(static_cast<std::size_t>(count) * image_bytes);
  drawn.labels.resize(static_cast<std::size_t>(count));
  const std::int64_t num_tasks = (count + kImagesPerTask - 1) / kImagesPerTask;
  core::parallel_for(num_tasks, core::available_cores(), [&](std::int64_t task) {
    const std::int64_t end = std::min(count, (task + 1) * kImagesPerTask);
    for (std::int64_t i = task * kImagesPerTask; i < end; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const int label = static_cast<int>(i % num_classes);
      drawn.labels[at] = label;
      draw_synthetic_image(seed, split, i, label, image_px,
                           std::span(drawn.pixels).subspan(at * image_bytes, image_bytes));
    }
  });
  return drawn;
}

}  // namespace omnifit::supernet
