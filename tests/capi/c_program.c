/* A C program that uses all of the interface; compiled by every C and C++ standard that the header promises, linked by a C
 * compiler. */
#include <slabheap/slabheap.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

#define EXPECT(condition)                                             \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                     \
    }                                                                 \
  } while (0)

static union {
  char bytes[1 << 20];
  double alignment;
} memory, spare;

static bool count_block(void* context, void* block, size_t bytes) {
  (void)block;
  (void)bytes;
  ++*(size_t*)context;
  return true;
}

static bool add_bytes(void* context, const HeapRun* run) {
  *(size_t*)context += run->bytes;
  return true;
}

static bool give_spare(void* context, Heap* heap, size_t size, size_t align) {
  (void)context;
  (void)size;
  (void)align;
  return heap_add_memory(heap, spare.bytes, sizeof spare.bytes) == HEAP_STATUS_OK;
}

static void use(Heap* heap) {
  size_t count = 0;
  size_t bytes = 0;
  HeapClassStats first;
  HeapStats stats;
  char* block = (char*)heap_allocate(heap, 100, 8);
  char* zeroed = (char*)heap_allocate_zeroed(heap, 10000, 64);
  EXPECT(block != NULL && zeroed != NULL && zeroed[9999] == 0);
  memset(block, 'x', 100);
  block = (char*)heap_reallocate(heap, block, 100, 8, 5000);
  EXPECT(block != NULL && block[99] == 'x');
  EXPECT(heap_block_size(heap, block) == heap_usable_size(heap, 5000, 8).max);
  EXPECT(heap_visit(heap, count_block, &count) == HEAP_STATUS_OK && count == 2);
  EXPECT(heap_visit_runs(heap, add_bytes, &bytes) == HEAP_STATUS_OK && bytes == heap_total_bytes(heap));
  stats = heap_stats(heap);
  EXPECT(stats.live_blocks == 2 && stats.used_bytes == heap_used_bytes(heap));
  EXPECT(stats.available_bytes == heap_available_bytes(heap));
  EXPECT(heap_class_count(heap) == 7 && heap_class_stats(heap, 0, &first) == HEAP_STATUS_OK && first.block_size == 64);
  EXPECT(heap_deallocate(heap, block, 5000, 8) == HEAP_STATUS_OK);
  EXPECT(heap_deallocate(heap, block, 5000, 8) == HEAP_STATUS_NOT_ALLOCATED);
  EXPECT(heap_free(heap, zeroed) == HEAP_STATUS_OK);
  EXPECT(heap_check(heap) == HEAP_STATUS_OK);
  (void)heap_trim(heap);
  EXPECT(heap_reset(heap) == HEAP_STATUS_OK);
}

int main(void) {
  static const size_t classes[] = {64, 128, 256, 512, 1024, 2048, 4096};
  HeapOptions options = heap_options_default();
  Heap* heap = heap_new(memory.bytes, sizeof memory.bytes);
  EXPECT(heap != NULL);
  use(heap);
  heap_destroy(heap);

  options.memory = memory.bytes;
  options.bytes = sizeof memory.bytes;
  options.classes = classes;
  options.class_count = sizeof classes / sizeof classes[0];
  options.pages = HEAP_PAGE_LAYER_BEST_FIT;
  options.out_of_memory = give_spare;
  EXPECT(heap_options_problem(&options) == NULL);
  EXPECT(heap_new_with(&options, &heap) == HEAP_STATUS_OK);
  use(heap);
  EXPECT(heap_allocate(heap, 900000, 8) != NULL && heap_allocate(heap, 900000, 8) != NULL);
  EXPECT(heap_stats(heap).region_count == 2);
  heap_destroy(heap);

  EXPECT(strcmp(heap_status_message(HEAP_STATUS_OK), "done") == 0);
  printf("slabheap %s: %d failures\n", heap_version(), failures);
  return failures != 0;
}
