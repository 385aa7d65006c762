// The best lists of classes if alignments did not matter, for every largest class and number of classes.
#pragma once

#include "classes/candidates.hpp"

namespace slabheap::classes {

class ShortestPaths {
 public:
  ShortestPaths(const Candidates& candidates, unsigned most_classes);

  /// The bytes of all requests that fit into candidate i, if it is a class and there are at most `others` smaller ones.
  [[nodiscard]] std::uint64_t cost(unsigned others, std::size_t i) const { return costs_[others][i]; }
  /// The list with that cost: candidates, ascending, i the last.
  [[nodiscard]] std::vector<std::size_t> path(unsigned others, std::size_t i) const;

 private:
  /// Fills in a row from the one with a class less.
  void add_class();
  [[nodiscard]] std::uint64_t line_at(const std::vector<std::uint64_t>& costs, std::size_t line, std::uint64_t size) const;
  [[nodiscard]] bool is_hidden(const std::vector<std::uint64_t>& costs, std::size_t a, std::size_t b, std::size_t c) const;

  static constexpr std::uint32_t none = ~std::uint32_t{0};

  const Candidates& candidates_;
  std::vector<std::vector<std::uint64_t>> costs_;
  std::vector<std::vector<std::uint32_t>>
      next_;  // the next smaller class on the path; none if there is none, or if one fewer class will do
};

}  // namespace slabheap::classes
