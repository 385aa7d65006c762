#include "support/picture.hpp"

#include <bit>
#include <sstream>

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
  const std::size_t pages = run->bytes / drawing.page_bytes;
  std::ostringstream box;
  if (run->kind == HEAP_RUN_KIND_FREE) {
    box << "[free " << pages << "]";
  } else if (run->kind == HEAP_RUN_KIND_LARGE) {
    box << "[large " << pages << "]";
  } else {
    box << "[" << run->block_size << ": " << std::popcount(run->used) << "/" << run->total_blocks << "]";
  }
  drawing.text += box.str();
  return true;
}

}  // namespace

std::string picture(const ::Heap* heap, std::size_t page_bytes) {
  Drawing drawing{{}, page_bytes, nullptr};
  (void)heap_visit_runs(heap, draw, &drawing);
  return drawing.text;
}

}  // namespace slabheap::test
