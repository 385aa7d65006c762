#include "classes/best_classes.hpp"

#include <array>
#include <limits>
#include <optional>
#include <queue>
#include <unordered_map>

#include "classes/shortest_paths.hpp"

namespace slabheap::classes {
namespace {

constexpr std::size_t most_alignments = 17;  // 1 to the largest page
constexpr std::uint32_t none = ~std::uint32_t{0};

/// A list of classes down to the least so far.
struct State {
  std::uint32_t classes_left;
  /// The least class so far that has each alignment: candidates; none if there is none. The first is the least of all.
  std::array<std::uint32_t, most_alignments> least;

  bool operator==(const State&) const = default;
};

struct HashOfState {
  std::size_t operator()(const State& state) const {
    std::uint64_t hash = state.classes_left;
    for (const std::uint32_t one : state.least) hash = (hash ^ one) * 0x9E3779B97F4A7C15u + (hash >> 29);
    return static_cast<std::size_t>(hash ^ (hash >> 32));
  }
};

/// The best-first search.
class Search {
 public:
  Search(const Candidates& candidates, const ShortestPaths& paths, unsigned most_classes, std::uint64_t limit)
      : candidates_{candidates}, paths_{paths}, limit_{limit} {
    for (std::size_t i = 0; i < candidates.sizes.size(); ++i) levels_.push_back(candidates.levels(i));
    State empty{most_classes, {}};
    empty.least.fill(none);
    for (std::size_t top = candidates.top; top < candidates.sizes.size(); ++top) {
      reach(with_class(empty, top), 0, none);
    }
  }

  /// The cheapest list that costs less than the limit: candidates, ascending; nothing if there is none.
  std::optional<std::vector<std::size_t>> run() {
    while (!open_.empty()) {
      const Open best = open_.top();
      open_.pop();
      if (best.is_end) return list_of(best.node);
      if (nodes_[best.node].cost + bound(nodes_[best.node].state) != best.bound)
        continue;  // it has been reached more cheaply since
      expand(best.node);
    }
    return std::nullopt;
  }

 private:
  struct Node {
    State state;
    std::uint64_t cost;  // of the requests above the least class
    std::uint32_t origin;
  };
  struct Open {
    std::uint64_t bound;
    std::uint32_t node;
    bool is_end;  // the requests below are served by what there is: the bound is the cost
    bool operator<(const Open& other) const { return bound > other.bound; }
  };

  [[nodiscard]] std::uint64_t bound(const State& state) const { return paths_.cost(state.classes_left, state.least[0]); }

  [[nodiscard]] State with_class(State state, std::size_t candidate) const {
    --state.classes_left;
    for (std::size_t level = 0; level < levels_[candidate]; ++level) state.least[level] = static_cast<std::uint32_t>(candidate);
    return state;
  }

  /// What the requests between two candidates cost, `lower` itself not among them and below all if none, with the classes above;
  /// nothing if a request among them finds no class.
  [[nodiscard]] std::optional<std::uint64_t> cost_between(const State& state, std::size_t lower) const {
    std::uint64_t cost = 0;
    for (std::size_t level = 0; level < candidates_.aligns.size(); ++level) {
      const std::vector<std::uint64_t>& below = candidates_.below_of[level];
      const std::uint64_t requests = below[state.least[0]] - (lower == none ? 0 : below[lower]);
      if (requests == 0) continue;
      if (state.least[level] == none) return std::nullopt;
      cost += requests * candidates_.sizes[state.least[level]];
    }
    return cost;
  }

  void reach(const State& state, std::uint64_t cost, std::uint32_t origin) {
    const std::uint64_t whole = cost + bound(state);
    if (whole >= limit_) return;
    const auto [found, is_new] = known_.try_emplace(state, static_cast<std::uint32_t>(nodes_.size()));
    if (is_new) {
      nodes_.push_back({state, cost, origin});
    } else if (nodes_[found->second].cost <= cost) {
      return;
    } else {
      nodes_[found->second] = {state, cost, origin};
    }
    open_.push({whole, found->second, false});
  }

  void expand(std::uint32_t node) {
    const Node here = nodes_[node];
    if (const auto rest = cost_between(here.state, none)) {
      if (here.cost + *rest < limit_) open_.push({here.cost + *rest, node, true});
    }
    if (here.state.classes_left == 0) return;
    for (std::size_t lower = here.state.least[0]; lower-- > 0;) {
      const auto between = cost_between(here.state, lower);
      // Nor would it find one, or cost less, if the next class were lower still.
      if (!between || here.cost + *between >= limit_) return;
      if (here.cost + *between + paths_.cost(here.state.classes_left - 1, lower) >= limit_) continue;
      reach(with_class(here.state, lower), here.cost + *between, node);
    }
  }

  [[nodiscard]] std::vector<std::size_t> list_of(std::uint32_t node) const {
    std::vector<std::size_t> list;
    for (; node != none; node = nodes_[node].origin) list.push_back(nodes_[node].state.least[0]);
    return list;
  }

  const Candidates& candidates_;
  const ShortestPaths& paths_;
  std::uint64_t limit_;
  std::vector<std::size_t> levels_;
  std::vector<Node> nodes_;
  std::unordered_map<State, std::uint32_t, HashOfState> known_;
  std::priority_queue<Open> open_;
};

using List = std::vector<std::uint64_t>;

List sizes_of(const Candidates& candidates, const std::vector<std::size_t>& list) {
  List sizes;
  for (const std::size_t one : list) sizes.push_back(candidates.sizes[one]);
  return sizes;
}

/// The bytes of all requests with a list of classes; the most there can be if one of them finds no class.
std::uint64_t cost_of(const std::vector<Requests>& requests, const List& classes) {
  std::uint64_t cost = 0;
  for (const Requests& one : requests) {
    auto found = std::lower_bound(classes.begin(), classes.end(), one.size);
    while (found != classes.end() && *found % one.align != 0) ++found;
    if (found == classes.end()) return std::numeric_limits<std::uint64_t>::max();
    cost += *found * one.count;
  }
  return cost;
}

}  // namespace

List best_classes(const std::vector<Requests>& requests, unsigned most_classes, std::uint64_t largest) {
  const Candidates candidates{requests, largest};
  const ShortestPaths paths{candidates, most_classes};
  List best = sizes_of(candidates, paths.path(most_classes - 1, candidates.top));
  std::uint64_t cost = cost_of(requests, best);
  if (cost == paths.cost(most_classes - 1, candidates.top)) return best;

  // Alignments matter. A list whose classes have the largest of them all serves everybody, if it is not too long for that.
  const Candidates coarse{requests, largest, candidates.aligns.back()};
  const ShortestPaths coarse_paths{coarse, most_classes};
  const List aligned = sizes_of(coarse, coarse_paths.path(most_classes - 1, coarse.top));
  if (cost_of(requests, aligned) < cost) {
    best = aligned;
    cost = cost_of(requests, aligned);
  }
  const auto found = Search{candidates, paths, most_classes, cost}.run();
  return found ? sizes_of(candidates, *found) : best;
}

}  // namespace slabheap::classes
