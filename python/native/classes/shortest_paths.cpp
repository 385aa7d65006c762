#include "classes/shortest_paths.hpp"

namespace slabheap::classes {
namespace {

__extension__ using Wide = __int128;

}  // namespace

ShortestPaths::ShortestPaths(const Candidates& candidates, unsigned most_classes) : candidates_{candidates} {
  const std::size_t count = candidates.sizes.size();
  costs_.emplace_back(count);
  next_.emplace_back(count, none);
  for (std::size_t i = 0; i < count; ++i) costs_[0][i] = candidates.sizes[i] * candidates.below[i];
  for (unsigned others = 1; others < most_classes; ++others) add_class();
}

/// What a class of `size` costs less, compared with all requests below it, if `line` is the next smaller one; may wrap around, as
/// only sums and differences of it are taken.
std::uint64_t ShortestPaths::line_at(const std::vector<std::uint64_t>& costs, std::size_t line, std::uint64_t size) const {
  return costs[line] - size * candidates_.below[line];
}

/// Whether line b is nowhere below both a and c, whose slopes -below descend from a to c.
bool ShortestPaths::is_hidden(const std::vector<std::uint64_t>& costs, std::size_t a, std::size_t b, std::size_t c) const {
  const auto difference = [](std::uint64_t x, std::uint64_t y) { return static_cast<Wide>(x) - static_cast<Wide>(y); };
  const std::vector<std::uint64_t>& below = candidates_.below;
  return difference(costs[c], costs[a]) * difference(below[b], below[a]) <=
         difference(costs[b], costs[a]) * difference(below[c], below[a]);
}

void ShortestPaths::add_class() {
  const std::vector<std::uint64_t>& before = costs_.back();
  std::vector<std::uint64_t> costs = before;
  std::vector<std::uint32_t> next(costs.size(), none);
  std::vector<std::size_t> hull;
  hull.reserve(costs.size());
  std::size_t first = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const std::uint64_t size = candidates_.sizes[i];
    const auto is_better = [&](std::size_t a, std::size_t b) {
      return static_cast<std::int64_t>(line_at(before, a, size) - line_at(before, b, size)) <= 0;
    };
    while (first + 1 < hull.size() && is_better(hull[first + 1], hull[first])) ++first;
    if (first < hull.size()) {
      const std::uint64_t cost = size * candidates_.below[i] + line_at(before, hull[first], size);
      if (cost < costs[i]) {
        costs[i] = cost;
        next[i] = static_cast<std::uint32_t>(hull[first]);
      }
    }
    while (hull.size() - first >= 2 && is_hidden(before, hull[hull.size() - 2], hull.back(), i)) hull.pop_back();
    hull.push_back(i);
  }
  costs_.push_back(std::move(costs));
  next_.push_back(std::move(next));
}

std::vector<std::size_t> ShortestPaths::path(unsigned others, std::size_t i) const {
  std::vector<std::size_t> classes{i};
  for (; others > 0; --others) {
    if (next_[others][classes.back()] != none) classes.push_back(next_[others][classes.back()]);
  }
  std::reverse(classes.begin(), classes.end());
  return classes;
}

}  // namespace slabheap::classes
