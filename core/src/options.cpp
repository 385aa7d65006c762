#include "slabheap/core/options.hpp"

namespace slabheap {
namespace {

constexpr std::size_t classic_classes[] = {64, 128, 256, 512, 1024, 2048, 4096};

// Steps of a third of a doubling, and of a quarter above 512 bytes: at most a quarter of a block is wasted on a request of more
// than 17 bytes, and on one that is a multiple of its alignment. All are multiples of 8, as fine as requests are routed by.
constexpr std::size_t compact_classes[] = {
    16,  24,  32,  40,  48,   64,   80,   96,   128,  160,  192,  256,  320,  384,
    512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096,
};

// Eight a doubling from 64 bytes up, for heaps that have room for so many sets. Above 512 bytes, so many blocks as fill some
// pages with a small tail; and each but the two of whole pages serves all that routes to it.
constexpr std::size_t fine_classes[] = {
    16,  24,   32,   40,   48,   56,   64,   72,   80,   88,   96,   104,  112,  120,  128,  144,  160,  176,  192, 208,
    224, 240,  256,  288,  320,  352,  384,  416,  448,  480,  512,  544,  576,  608,  640,  672,  704,  768,  832, 896,
    960, 1024, 1088, 1152, 1280, 1344, 1408, 1536, 1664, 1792, 2048, 2304, 2560, 2688, 3072, 3328, 3584, 4096,
};
constexpr std::size_t fine_heap_bytes = std::size_t{8} << 20;

constexpr std::size_t small_heap_bytes = std::size_t{64} << 10;
constexpr std::size_t most_routed_if_small = 512;
constexpr std::size_t most_routed_if_compact = 2048;  // and not fine

template <std::size_t count>
constexpr Configuration preset(const std::size_t (&classes)[count], std::size_t set_blocks, std::size_t page_bytes,
                               PageLayerKind pages) {
  return {classes, count, set_blocks, static_cast<unsigned>(std::countr_zero(page_bytes)), pages, true, 0};
}

constexpr Configuration classic = preset(classic_classes, max_set_blocks, 4096, PageLayerKind::buddy);
constexpr Configuration compact = preset(compact_classes, 0, 1024, PageLayerKind::best_fit);
constexpr Configuration fine = preset(fine_classes, 0, 1024, PageLayerKind::best_fit);

/// Where the routing table ends that ends there at the latest.
std::size_t routed_end(std::size_t largest_class, std::size_t most) {
  return largest_class < most ? round_down(largest_class, std::size_t{1} << granule_shift) : most;
}

std::size_t most_routed(Preset preset, std::size_t bytes) {
  if (bytes < small_heap_bytes) return most_routed_if_small;
  return preset == Preset::compact && bytes < fine_heap_bytes ? most_routed_if_compact : most_routed_bytes;
}

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

bool is_routed_end(std::size_t routed_bytes, std::size_t largest_class) {
  return routed_bytes == routed_end(largest_class, most_routed_if_small) ||
         routed_bytes == routed_end(largest_class, most_routed_if_compact) ||
         routed_bytes == routed_end(largest_class, most_routed_bytes);
}

Configuration configuration_of(const Options& options, std::size_t bytes) {
  Configuration configuration = classic;
  if (options.preset == Preset::compact) configuration = bytes < fine_heap_bytes ? compact : fine;
  if (options.class_count != 0) {
    configuration.classes = options.classes;
    configuration.class_count = options.class_count;
  }
  if (options.set_blocks != 0) configuration.set_blocks = options.set_blocks;
  if (options.page_bytes != 0) configuration.page_shift = static_cast<unsigned>(std::countr_zero(options.page_bytes));
  if (options.has_pages) configuration.pages = options.pages;
  configuration.has_cache = options.has_cache;
  configuration.routed_bytes =
      routed_end(configuration.classes[configuration.class_count - 1], most_routed(options.preset, bytes));
  return configuration;
}

}  // namespace slabheap
