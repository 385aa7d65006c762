#include "status_text.hpp"

namespace slabheap {

const char* text_of(Status status) {
  switch (status) {
    case Status::ok: return "done";
    case Status::out_of_memory: return "there is no memory for it";
    case Status::invalid_argument: return "an argument is outside of its range";
    case Status::not_owned: return "no region of this heap holds the pointer";
    case Status::not_allocated: return "the pointer is in no live block: freed before, or never handed out";
    case Status::misaligned: return "the pointer is inside a live block, not at its start";
    case Status::wrong_layout: return "the block was not allocated with this size and alignment";
    case Status::overlap: return "the memory overlaps a region of this heap";
    case Status::too_small: return "the memory cannot hold the heap's metadata and one page";
    case Status::too_many_regions: return "the heap has as many regions as it can number";
    case Status::corrupt: return "the heap's metadata was written over";
    case Status::unsupported: return "this build of slabheap cannot do it";
  }
  return "not a status of slabheap";
}

}  // namespace slabheap
