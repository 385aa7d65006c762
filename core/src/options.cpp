#include "slabheap/core/options.hpp"

namespace slabheap {
namespace {

constexpr std::size_t classic_classes[] = {64, 128, 256, 512, 1024, 2048, 4096};

// Steps of a quarter of a doubling: at most a fifth of a block is wasted, where a block is a multiple of the request's alignment.
constexpr std::size_t compact_classes[] = {
    16,  20,  24,  28,  32,  40,  48,  56,   64,   80,   96,   112,  128,  160,  192,  224,  256,
    320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096,
};

template <std::size_t count>
constexpr Configuration preset(const std::size_t (&classes)[count], std::size_t set_blocks, std::size_t page_bytes,
                               PageLayerKind pages) {
  return {classes, count, set_blocks, static_cast<unsigned>(std::countr_zero(page_bytes)), pages};
}

constexpr Configuration classic = preset(classic_classes, max_set_blocks, 4096, PageLayerKind::buddy);
constexpr Configuration compact = preset(compact_classes, 0, 1024, PageLayerKind::best_fit);

const char* problem_of_classes(const std::size_t* classes, std::size_t count) {
  if (count > max_classes) return "there can be at most 128 size classes";
  for (std::size_t i = 0; i < count; ++i) {
    if (classes[i] < min_block_bytes) return "a size class must have at least 8 bytes";
    if (classes[i] > max_block_bytes) return "a size class must have at most 65536 bytes";
    if (i > 0 && classes[i] <= classes[i - 1]) return "size classes must ascend";
  }
  return nullptr;
}

}  // namespace

const char* problem_of(const Options& options) {
  if (options.preset != Preset::classic && options.preset != Preset::compact) return "there is no such preset";
  if (options.classes == nullptr && options.class_count != 0) return "size classes are counted but not given";
  if (options.classes != nullptr && options.class_count == 0) return "there must be at least one size class";
  if (options.set_blocks > max_set_blocks) return "a set has at most 64 blocks";
  const std::size_t page_bytes = options.page_bytes;
  if (page_bytes != 0 && (!is_power_of_two(page_bytes) || page_bytes < min_page_bytes || page_bytes > max_page_bytes)) {
    return "a page must have a power of two of bytes, 512 to 65536";
  }
  if (options.has_pages && options.pages != PageLayerKind::buddy && options.pages != PageLayerKind::best_fit) {
    return "there is no such page layer";
  }
  return problem_of_classes(options.classes, options.class_count);
}

Configuration configuration_of(const Options& options) {
  Configuration configuration = options.preset == Preset::compact ? compact : classic;
  if (options.class_count != 0) {
    configuration.classes = options.classes;
    configuration.class_count = options.class_count;
  }
  if (options.set_blocks != 0) configuration.set_blocks = options.set_blocks;
  if (options.page_bytes != 0) configuration.page_shift = static_cast<unsigned>(std::countr_zero(options.page_bytes));
  if (options.has_pages) configuration.pages = options.pages;
  configuration.has_cache = options.has_cache;
  return configuration;
}

}  // namespace slabheap
