#include "replay/residency.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace slabheap::replay {
namespace {

/// Addresses from `start` up to `end`.
struct Range {
  std::uintptr_t start;
  std::uintptr_t end;
};

/// All pages of the heap, a range for each region: runs come by address, one behind the other.
std::vector<Range> ranges_of(const Heap* heap) {
  std::vector<Range> ranges;
  const HeapRunVisitor collect = [](void* context, const HeapRun* run) {
    auto& found = *static_cast<std::vector<Range>*>(context);
    const auto start = reinterpret_cast<std::uintptr_t>(run->start);
    if (found.empty() || found.back().end != start) found.push_back({start, start});
    found.back().end += run->bytes;
    return true;
  };
  (void)heap_visit_runs(heap, collect, &ranges);
  return ranges;
}

/// The OS pages that lie in a range, wholly or in part, and are resident.
std::uint64_t resident_pages(Range range, std::uintptr_t os_page_bytes) {
  const std::uintptr_t start = range.start & ~(os_page_bytes - 1);
  const std::uintptr_t bytes = range.end - start;
  std::vector<unsigned char> pages((bytes + os_page_bytes - 1) / os_page_bytes);
  if (mincore(reinterpret_cast<void*>(start), bytes, pages.data()) != 0) return 0;
  return static_cast<std::uint64_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; }));
}

}  // namespace

std::uint64_t resident_bytes(const Heap* heap) {
  const auto os_page_bytes = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const HeapStats stats = heap_stats(heap);
  std::vector<Range> ranges = ranges_of(heap);
  std::uint64_t apart = stats.used_metadata_bytes;
  if (stats.region_count == 1 && !ranges.empty()) {
    // The metadata begins with the heap object, at either end of the pages.
    const auto start = reinterpret_cast<std::uintptr_t>(heap);
    ranges.front() = {std::min(ranges.front().start, start), std::max(ranges.front().end, start + stats.metadata_bytes)};
    apart = 0;
  }
  std::uint64_t pages = 0;
  for (const Range& range : ranges) pages += resident_pages(range, os_page_bytes);
  return pages * os_page_bytes + apart;
}

}  // namespace slabheap::replay
