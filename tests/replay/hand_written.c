#include "hand_written.h"

size_t hand_written(Heap* heap, const struct step* steps, size_t count, void** blocks) {
  size_t failures = 0;
  for (size_t i = 0; i < count; ++i) {
    const struct step* step = &steps[i];
    const size_t align = (size_t)1 << step->align_shift;
    void** block = &blocks[step->slot];
    void* made = NULL;
    switch (step->operation) {
      case 0: made = heap_allocate(heap, step->size, align); break;
      case 1: made = heap_allocate_zeroed(heap, step->size, align); break;
      case 2:
        made = heap_reallocate(heap, *block, step->old_size, align, step->size);
        if (made == NULL) {
          ++failures;
        } else {
          *block = made;
        }
        continue;
      default:
        if (heap_deallocate(heap, *block, step->old_size, align) != HEAP_STATUS_OK) ++failures;
        continue;
    }
    *block = made;
    if (made == NULL) {
      ++failures;
    } else if (step->size != 0) {
      *(volatile unsigned char*)made = 1;
    }
  }
  return failures;
}
