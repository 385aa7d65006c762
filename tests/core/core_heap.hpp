// A heap of the core over memory of its own, with its picture.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "slabheap/core/heap_walks.hpp"
#include "support/memory.hpp"
#include "support/picture.hpp"

namespace slabheap::test {

/// Options of a preset with some parts chosen. Freed runs are merged at once, so that a picture shows them whole.
[[nodiscard]] inline Options options(Preset preset, std::size_t page_bytes = 0, std::size_t set_blocks = 0) {
  Options options;
  options.preset = preset;
  options.page_bytes = page_bytes;
  options.set_blocks = set_blocks;
  options.has_cache = false;
  return options;
}

/// The same where freed runs are kept, and nothing else is chosen.
[[nodiscard]] inline Options keeping(Preset preset = Preset::classic) {
  Options options;
  options.preset = preset;
  return options;
}

/// Calls `look()` with each bit of some bytes flipped, one at a time.
template <typename Look>
void with_each_bit_flipped(void* start, std::size_t bytes, Look look) {
  auto* const begin = static_cast<unsigned char*>(start);
  for (auto* byte = begin; byte < begin + bytes; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      *byte = static_cast<unsigned char>(*byte ^ 1U << bit);
      look();
      *byte = static_cast<unsigned char>(*byte ^ 1U << bit);
    }
  }
}

class CoreHeap {
 public:
  /// A heap with exactly `pages` pages, the first on a multiple of Memory::alignment, its metadata in front of them.
  explicit CoreHeap(std::size_t pages, const Options& options = test::options(Preset::classic))
      : page_bytes_{std::size_t{1} << configuration_of(options, 0).page_shift},
        room_{131072 + pages * 2 * metadata_per_page},
        memory_{room_ + pages * page_bytes_, Memory::alignment - room_ % Memory::alignment} {
    const Address first_page = reinterpret_cast<Address>(memory_.start()) + room_;
    const auto create = [&](std::size_t metadata_bytes) {
      const Span span{first_page - metadata_bytes, metadata_bytes + pages * page_bytes_};
      const Heap::Created created = Heap::create(span, options, false, 0);
      REQUIRE(created.status == Status::ok);
      return created.heap;
    };
    // With all the room, the heap tells how much it wants for itself; what it wants for its pages is known.
    const Configuration configuration = configuration_of(options, pages * page_bytes_);
    const MetadataNeed of_pages = PageAllocator::first_need(0, configuration.page_shift, configuration.pages);
    const Stats trial = create(room_)->stats();
    const auto own = static_cast<std::size_t>(trial.metadata_bytes) -
                     of_pages.bytes(static_cast<std::size_t>(trial.total_bytes) / page_bytes_);
    heap_ = create(round_up(own + of_pages.bytes(pages), 64));
    REQUIRE(heap_->stats().total_bytes == pages * page_bytes_);
  }

  Heap* operator->() { return heap_; }
  /// So many blocks of so many bytes.
  std::vector<void*> allocate(std::size_t count, std::size_t size) {
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < count; ++i) {
      blocks.push_back(heap_->allocate(size, 1));
      REQUIRE(blocks.back() != nullptr);
    }
    return blocks;
  }
  std::string picture() {
    CHECK(heap_->validate());
    return test::picture(reinterpret_cast<const ::Heap*>(heap_), page_bytes_);
  }

 private:
  std::size_t page_bytes_;
  std::size_t room_;
  Memory memory_;
  Heap* heap_ = nullptr;
};

}  // namespace slabheap::test
