// The best size classes for a histogram of requests: the list that rounds them up to the fewest bytes.
//
// A request is served by the least class that holds its size and whose block size is a multiple of its alignment. What a list
// costs depends, for requests of one alignment, on the classes alone that have it: between two of them, every request is rounded
// up to the upper.
//
// With one alignment, the best list is a shortest path over the sizes that occur. A step to an upper class costs its size times
// the requests below it, so the steps from one class to the next are lines in the size, and the lower envelope of the lines gives
// the best of them in constant time each (the convex hull trick): classes times sizes steps in all.
//
// With several, a class that lacks an alignment is passed over by requests that want it, which then pay for the next class above
// that has it. The best list is found by a best-first search (A*) from the largest class down, whose state is the least class so
// far of each alignment, and whose bound for what is still to come is the cost if alignments did not matter: the shortest paths
// above.
#pragma once

#include <cstdint>
#include <vector>

namespace slabheap::classes {

/// So many requests of a size and alignment, in bytes; the alignment is a power of two.
struct Requests {
  std::uint64_t size;
  std::uint64_t align;
  std::uint64_t count;
};

/// The block sizes, ascending, at most `most_classes` and none above `largest`, with which the requests take the fewest bytes, if
/// each is to be served by a class. Every size rounded up to its alignment is at most `largest`, and there is at least one
/// request. Cost: see above; the search is exponential in the number of alignments at the worst.
[[nodiscard]] std::vector<std::uint64_t> best_classes(const std::vector<Requests>& requests, unsigned most_classes,
                                                      std::uint64_t largest);

}  // namespace slabheap::classes
