/* Frees large blocks between `count` free ones, for a count of the instructions in heap_free. Usage: free_cost LAYER COUNT */
#include <slabheap/slabheap.h>
#include <stdio.h>
#include <stdlib.h>

enum { measured = 1000, bytes = 5000 };

int main(int argc, char** argv) {
  HeapOptions options = heap_options_default();
  Heap* heap = NULL;
  if (argc != 3) return 2;
  size_t count = strtoul(argv[2], NULL, 10);
  options.bytes = sizeof(size_t) > 4 ? (size_t)1 << 33 : (size_t)1 << 30;
  options.freed_runs = HEAP_FREED_RUNS_MERGED;
  options.pages = (HeapPageLayer)strtoul(argv[1], NULL, 10);
  if (heap_new_with(&options, &heap) != HEAP_STATUS_OK) return 2;

  /* Free and used blocks alternate, so that no two free ones merge: twice the count, and every other one is freed. */
  size_t all = 2 * count + 2 * measured;
  void** blocks = malloc(all * sizeof *blocks);
  for (size_t i = 0; i < all; ++i) {
    blocks[i] = heap_allocate(heap, bytes, 8);
    if (blocks[i] == NULL) return 2;
  }
  for (size_t i = 0; i < all; i += 2) {
    if (heap_deallocate(heap, blocks[i], bytes, 8) != HEAP_STATUS_OK) return 2;
  }
  /* These merge with free blocks on both sides. */
  for (size_t i = 0; i < measured; ++i) {
    if (heap_free(heap, blocks[count + 2 * i + 1 - count % 2]) != HEAP_STATUS_OK) return 2;
  }
  free(blocks);
  return heap_check(heap) == HEAP_STATUS_OK ? 0 : 1;
}
