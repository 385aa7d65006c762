/* What a replay does, as one would write it by hand in C, over the steps that a trace is compiled to. */
#ifndef HAND_WRITTEN_H
#define HAND_WRITTEN_H

#include <stddef.h>
#include <stdint.h>

#include "slabheap/slabheap.h"

/* A step in the layout of python/native/replay/step.hpp. */
struct step {
  uint64_t time;
  uint64_t size;
  uint64_t old_size;
  uint32_t slot;
  uint8_t operation; /* 0 allocate, 1 allocate zeroed, 2 reallocate, 3 free */
  uint8_t align_shift;
};

#ifdef __cplusplus
extern "C" {
#endif
/* Makes the calls of `count` steps and writes a byte into each new block; `blocks` has room for every slot. The number of
 * failures. */
size_t hand_written(Heap* heap, const struct step* steps, size_t count, void** blocks);
#ifdef __cplusplus
}
#endif

#endif
