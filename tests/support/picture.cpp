#include "support/picture.hpp"

#include <bit>

namespace slabheap::test {
namespace {

struct Drawing {
  std::string text;
  std::size_t page_bytes;
  const char* end = nullptr;
};

bool draw(void* context, const HeapRun* run) {
  auto& drawing = *static_cast<Drawing*>(context);
  const auto* start = static_cast<const char*>(run->start);
  if (drawing.end != nullptr) drawing.text += drawing.end == start ? " " : " | ";
  drawing.end = start + run->bytes;
  const std::string pages = std::to_string(run->bytes / drawing.page_bytes);
  if (run->kind == HEAP_RUN_KIND_FREE) {
    drawing.text += "[free " + pages + "]";
  } else if (run->kind == HEAP_RUN_KIND_LARGE) {
    drawing.text += "[large " + pages + "]";
  } else {
    drawing.text += "[" + std::to_string(run->block_size) + ": " + std::to_string(std::popcount(run->used)) + "/" +
                    std::to_string(run->total_blocks) + "]";
  }
  return true;
}

}  // namespace

std::string picture(const ::Heap* heap, std::size_t page_bytes) {
  Drawing drawing{{}, page_bytes, nullptr};
  (void)heap_visit_runs(heap, draw, &drawing);
  return drawing.text;
}

}  // namespace slabheap::test
