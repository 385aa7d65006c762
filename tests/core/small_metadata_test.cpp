// Damage that leads behind the metadata of a small heap: validation does not follow it there.
#include <sys/mman.h>

#include <algorithm>
#include <iterator>

#include "core_heap.hpp"

using namespace slabheap;
using slabheap::test::CoreHeap;

namespace {

/// A heap of one class and few pages, which are closed, right behind metadata that is shorter than as many fronts as there can
/// be.
class Small : public CoreHeap {
 public:
  Small() : CoreHeap{8, options()}, pages_{reinterpret_cast<void*>((*this)->regions().by_address(0).pages_start)} {
    REQUIRE((*this)->allocate(64, 1) != nullptr);
    REQUIRE(mprotect(pages_, 4096, PROT_NONE) == 0);
  }
  ~Small() { CHECK(mprotect(pages_, 4096, PROT_READ | PROT_WRITE) == 0); }
  Small(const Small&) = delete;
  Small& operator=(const Small&) = delete;

 private:
  static Options options() {
    static const std::size_t classes[] = {64};
    Options options = slabheap::test::options(Preset::classic, min_page_bytes, 5);
    options.classes = classes;
    options.class_count = 1;
    return options;
  }

  void* pages_;
};

}  // namespace

TEST_CASE("validate answers a count of classes for which the metadata has no room, and looks at nothing else") {
  Small heap;
  auto* bytes = reinterpret_cast<unsigned char*>(heap.operator->());
  const unsigned char shift_count_and_blocks[] = {9, 1, 5};
  auto* found =
      std::search(bytes, bytes + sizeof(slabheap::Heap), std::begin(shift_count_and_blocks), std::end(shift_count_and_blocks));
  REQUIRE(found != bytes + sizeof(slabheap::Heap));
  for (unsigned count = 0; count < 256; ++count) {
    found[1] = static_cast<unsigned char>(count);
    CHECK(heap->validate() == (count == 1));
  }
  found[1] = 1;
  CHECK(heap->validate());
}

TEST_CASE("validate answers a front of the recent set for which the metadata has no room, and looks at nothing else") {
  Small heap;
  const RecentSet& recent = heap->pages().recent();
  REQUIRE(recent.bytes != 0);
  auto& set = const_cast<Page&>(*recent.set);
  const std::uint8_t own = set.front;
  REQUIRE(reinterpret_cast<const unsigned char*>(heap.operator->()) + own * sizeof(slabheap::SlabFront) ==
          reinterpret_cast<const unsigned char*>(&heap->slab(0).front()));
  for (unsigned other = 0; other < 256; ++other) {
    set.front = static_cast<std::uint8_t>(other);
    CHECK(heap->validate() == (other == own));
  }
  set.front = own;
  CHECK(heap->validate());
}
