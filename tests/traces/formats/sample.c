/* A program that calls every function of malloc's family, in a fixed order, for the tools of others to watch. With an argument it
 * stays in one thread. */
#include <malloc.h>
#include <mcheck.h>
#include <pthread.h>
#include <stdlib.h>

static void* make(size_t bytes) { return malloc(bytes); }

/* Frees a block of another thread, and gives one to it. */
static void* work(void* block) {
  void* table = calloc(5, 100);
  free(block);
  free(table);
  return make(77);
}

int main(int count, char** arguments) {
  (void)arguments;
  mtrace(); /* begins the log, if MALLOC_TRACE names one */
  char* grown = make(100);
  char* zeroed = calloc(10, 20);
  grown = realloc(grown, 5000);
  char* shrunk = realloc(NULL, 300);
  shrunk = realloc(shrunk, 30);
  free(zeroed);
  free(NULL);
  char* huge = malloc((size_t)1 << 62);
  void* aligned = aligned_alloc(64, 128);
  void* page = memalign(4096, 1000);
  void* posix = NULL;
  if (huge != NULL || posix_memalign(&posix, 128, 50) != 0) return 1;
  free(realloc(shrunk, 0));
  free(posix);
  free(page);
  if (count > 1) {
    free(aligned);
  } else {
    pthread_t thread;
    void* made = NULL;
    if (pthread_create(&thread, NULL, work, aligned) != 0 || pthread_join(thread, &made) != 0) return 1;
    free(made);
  }
  free(make(8)); /* `grown` stays */
  muntrace();
  return 0;
}
