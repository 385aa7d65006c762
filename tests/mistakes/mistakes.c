/* A program that makes the mistake it is told to make, on heap memory, after much that is right. A tool that says that it sees
 * the mistake has to report it; "none", "readers" and "same-size" make none, and no tool may say a word. */
#include <pthread.h>
#include <slabheap/slabheap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { slots = 64, rounds = 20000, readers = 2 };

static volatile int sink;

struct Slot {
  unsigned char* block;
  size_t size;
};

/* Every function, every byte of every block written and read. */
static void use_all(Heap* heap) {
  struct Slot all[slots];
  uint64_t random = 1;
  memset(all, 0, sizeof all);
  for (int i = 0; i < rounds; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    struct Slot* slot = &all[random >> 58];
    const size_t size = (size_t)(random >> 33) % ((size_t)1 << (random >> 20 & 15));
    if (slot->block == NULL) {
      slot->size = size;
      slot->block = (i & 1) ? heap_allocate(heap, size, 16) : heap_allocate_zeroed(heap, size, 16);
      if (slot->block != NULL && !(i & 1)) {
        for (size_t at = 0; at < size; ++at) {
          if (slot->block[at] != 0) abort();
        }
      }
    } else if (i % 3 == 0) {
      unsigned char* moved = heap_reallocate(heap, slot->block, slot->size, 16, size);
      if (moved == NULL) continue;
      for (size_t at = 0; at < (size < slot->size ? size : slot->size); ++at) {
        if (moved[at] != 0x5a) abort();
      }
      slot->block = moved;
      slot->size = size;
    } else {
      if (heap_deallocate(heap, slot->block, slot->size, 16) != HEAP_STATUS_OK) abort();
      slot->block = NULL;
    }
    if (slot->block != NULL) memset(slot->block, 0x5a, slot->size);
    if (i % 1000 == 0 && heap_check(heap) != HEAP_STATUS_OK) abort();
    if (i % 5000 == 4999) {
      (void)heap_reset(heap);
      (void)heap_trim(heap);
      memset(all, 0, sizeof all);
    }
  }
  for (int i = 0; i < slots; ++i) {
    if (heap_free(heap, all[i].block) != HEAP_STATUS_OK) abort();
  }
}

struct Reading {
  const Heap* heap;
  const void* block;
  size_t size;
  unsigned long count;
};

static bool expect_size(void* context, void* block, size_t bytes) {
  (void)block;
  if (bytes != *(const size_t*)context) abort();
  return true;
}

static void* read_often(void* context) {
  struct Reading* reading = context;
  for (unsigned long i = 0; i < reading->count; ++i) {
    if (heap_block_size(reading->heap, reading->block) != reading->size) abort();
    if (i % 64 == 0 && heap_visit(reading->heap, expect_size, &reading->size) != HEAP_STATUS_OK) abort();
  }
  return NULL;
}

/* Threads that ask at once for the sizes of the blocks of a heap that nobody changes, all of which are of one size. */
static void read_at_once(const Heap* heap, const void* block, unsigned long count) {
  struct Reading reading = {heap, block, heap_block_size(heap, block), count};
  pthread_t threads[readers];
  for (int i = 0; i < readers; ++i) {
    if (pthread_create(&threads[i], NULL, read_often, &reading) != 0) abort();
  }
  for (int i = 0; i < readers; ++i) {
    if (pthread_join(threads[i], NULL) != 0) abort();
  }
}

/* A block that is reallocated to its own size stays: where there is room to move to, and where there is none. */
static void keep_size(Heap* heap, unsigned char* block, size_t size) {
  memset(block, 0x5a, size);
  if (heap_reallocate(heap, block, size, 8, size) != block) abort();
  while (heap_allocate(heap, size, 8) != NULL) continue;
  if (heap_reallocate(heap, block, size, 8, size) != block) abort();
  for (size_t at = 0; at < size; ++at) {
    if (block[at] != 0x5a) abort();
  }
}

/* What is no mistake; 0 if there is none of this name. */
static int do_right(const char* name, Heap* heap, void* block, size_t size, unsigned long readings) {
  if (strcmp(name, "none") == 0) {
    use_all(heap);
  } else if (strcmp(name, "readers") == 0) {
    read_at_once(heap, block, readings);
  } else if (strcmp(name, "same-size") == 0) {
    keep_size(heap, block, size);
  } else {
    return 0;
  }
  return 1;
}

/* Pointers that are gone but for what the heap knows. */
static void leak(Heap* heap, size_t size) {
  for (int i = 0; i < 8; ++i) sink = *(unsigned char*)heap_allocate_zeroed(heap, size, 8);
}

static size_t count_live(const Heap* heap) { return heap_stats(heap).live_blocks; }

/* The mistake, on blocks of this size, with so many readings; 0 if there is none of this name. */
static int make(const char* mistake, Heap* heap, size_t size, unsigned long readings) {
  volatile unsigned char* before = heap_allocate_zeroed(heap, size, 8);
  volatile unsigned char* block = heap_allocate(heap, size, 8);
  if (before == NULL || block == NULL) abort();
  if (do_right(mistake, heap, (void*)block, size, readings)) return 1;
  if (strcmp(mistake, "overflow") == 0) {
    block[size] = 1;
  } else if (strcmp(mistake, "read-overflow") == 0) {
    sink = before[size];
  } else if (strcmp(mistake, "underflow") == 0) {
    block[-1] = 1;
  } else if (strcmp(mistake, "use-after-free") == 0) {
    (void)heap_free(heap, (void*)block);
    block[size / 2] = 1;
  } else if (strcmp(mistake, "use-after-reallocate") == 0) {
    if (heap_reallocate(heap, (void*)block, size, 8, 2 * size) == NULL) abort();
    block[0] = 1;
  } else if (strcmp(mistake, "use-after-reset") == 0) {
    (void)heap_reset(heap);
    block[0] = 1;
  } else if (strcmp(mistake, "uninitialised-read") == 0) {
    if (block[size / 2] != 0) sink = 1;
  } else if (strcmp(mistake, "leak") == 0) {
    leak(heap, size);
    printf("live blocks: %zu\n", count_live(heap) - 2);
  } else if (strcmp(mistake, "double-free") == 0) {
    (void)heap_free(heap, (void*)block);
    printf("double free: %s\n", heap_status_message(heap_free(heap, (void*)block)));
  } else {
    return 0;
  }
  return 1;
}

int main(int count, char** arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: mistakes MISTAKE SIZE READINGS\n");
    return 2;
  }
  Heap* heap = heap_new(NULL, (size_t)16 << 20);
  if (heap == NULL) return 2;
  if (!make(arguments[1], heap, (size_t)strtoul(arguments[2], NULL, 10), strtoul(arguments[3], NULL, 10))) {
    fprintf(stderr, "mistakes: there is no mistake '%s'\n", arguments[1]);
    return 2;
  }
  /* A leak is what is left when the program ends: the heap then is still there. */
  if (strcmp(arguments[1], "leak") != 0) heap_destroy(heap);
  return 0;
}
