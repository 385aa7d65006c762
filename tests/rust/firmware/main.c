/* The device: calls what the library offers. */
#include <stddef.h>
#include <stdint.h>

extern uint32_t most_frequent(uint32_t seed, uint32_t count);
extern size_t heap_in_use(void);

int main(void) {
  uint32_t counts[17] = {0};
  for (uint32_t n = 0; n < 1000; n++) counts[(n * 2654435761u) % 17]++;
  uint32_t best = 0;
  for (uint32_t value = 0; value < 17; value++) best = counts[value] >= counts[best] ? value : best;
  return most_frequent(2654435761u, 1000) == best && heap_in_use() == 0 ? 0 : 1;
}
