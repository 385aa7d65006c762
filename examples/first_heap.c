/* A heap of one's own, in memory of one's own: allocate, look, get a wrong free refused, give everything back. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "slabheap/slabheap.h"

static uint64_t memory[64 * 1024 / sizeof(uint64_t)];

int main(void) {
  Heap *heap = heap_new(memory, sizeof memory);
  if (heap == NULL) {
    fputs("64 KiB are enough for a heap\n", stderr);
    return 1;
  }

  char *name = heap_allocate(heap, 100, 8);
  if (name == NULL) return 1;
  strcpy(name, "slabheap");
  const HeapStats stats = heap_stats(heap);
  printf("%s: %zu of %zu bytes used, in %zu block\n", name, stats.used_bytes, stats.total_bytes, stats.live_blocks);

  printf("freeing inside a block: %s\n", heap_status_message(heap_free(heap, name + 16)));
  printf("freeing it: %s\n", heap_status_message(heap_deallocate(heap, name, 100, 8)));
  printf("freeing it again: %s\n", heap_status_message(heap_free(heap, name)));

  const HeapStatus whole = heap_check(heap);
  printf("and the heap: %s, %" PRIu64 " wrong frees refused\n", heap_status_message(whole), heap_stats(heap).rejected_frees);
  heap_destroy(heap);
  return whole == HEAP_STATUS_OK ? 0 : 1;
}
