#include "slabheap/core/free_tree.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

using namespace slabheap;

namespace {

/// A tree in memory of its own, with the set of free runs that it should know.
class Trial {
 public:
  Trial(std::uint32_t first, std::uint32_t count)
      : first_{first}, count_{count}, words_(FreeTree::bytes_for(count) / sizeof(std::uint64_t) + 1) {
    tree_ = new (words_.data()) FreeTree{Run{{first}, {count}}};
  }

  FreeTree& tree() { return *tree_; }
  [[nodiscard]] Run pages() const { return {{first_}, {count_}}; }
  [[nodiscard]] bool is_sound() const { return tree_->is_for(pages()) && tree_->sums_up() && tree_->count() == free_.size(); }
  /// The memory of the tree, header and all.
  [[nodiscard]] std::byte* bytes() { return reinterpret_cast<std::byte*>(words_.data()); }
  [[nodiscard]] std::size_t byte_count() const { return FreeTree::bytes_for(count_); }
  [[nodiscard]] bool fits(std::uint32_t head, unsigned order) const {
    return head >= first_ && std::uint64_t{head} + (std::uint64_t{1} << order) <= std::uint64_t{first_} + count_;
  }
  void flip(std::uint32_t head, unsigned order) {
    const TreeNode node = tree_->node_of({head}, order);
    CHECK(tree_->has(node) == free_.contains({order, head}));
    if (free_.erase({order, head}) != 0) {
      tree_->clear(node, order);
    } else {
      free_[{order, head}] = true;
      tree_->set(node, order);
    }
  }
  void check() const {
    CHECK(tree_->count() == free_.size());
    CHECK(tree_->sums_up());
    for (unsigned order = 0; order < FreeTree::order_count; ++order) {
      const auto lowest = free_.lower_bound({order, 0});
      const bool has_one = lowest != free_.end() && lowest->first.first == order;
      REQUIRE(((tree_->orders() >> order & 1) != 0) == has_one);
      if (has_one) REQUIRE(tree_->lowest(order).value == lowest->first.second);
    }
  }

 private:
  std::uint32_t first_;
  std::uint32_t count_;
  std::vector<std::uint64_t> words_;
  FreeTree* tree_;
  std::map<std::pair<unsigned, std::uint32_t>, bool> free_;
};

}  // namespace

TEST_CASE("a tree knows the runs of every order, and the lowest of each, wherever its pages begin") {
  std::mt19937 random{1};
  for (const std::uint32_t first : {0U, 1U, 63U, 4096U, 4097U, 0x7fff'fff0U}) {
    for (const std::uint32_t count : {1U, 2U, 3U, 31U, 32U, 33U, 1000U, 70000U}) {
      Trial trial{first, count};
      trial.check();
      for (int step = 0; step < 300; ++step) {
        const auto order = static_cast<unsigned>(random() % 18);
        const std::uint32_t size = 1U << order;
        const std::uint32_t head = (first + static_cast<std::uint32_t>(random() % count)) & ~(size - 1);
        if (!trial.fits(head, order)) continue;
        trial.flip(head, order);
        trial.check();
      }
    }
  }
}

TEST_CASE("the buddy of a run is its node with the last bit flipped, its parent the node halved") {
  Trial trial{12, 100};
  const FreeTree& tree = trial.tree();
  const TreeNode node = tree.node_of({16}, 2);
  const TreeNode buddy = tree.node_of({20}, 2);
  const TreeNode parent = tree.node_of({16}, 3);
  CHECK(buddy == (node ^ 1));
  CHECK(parent == node / 2);
  CHECK(parent == buddy / 2);
}

TEST_CASE("a tree notices any bit of it that is flipped") {
  for (const std::uint32_t count : {1U, 40U, 600U, 5000U}) {
    Trial trial{0x7f000, count};
    for (unsigned order = 0; order < 12; ++order) {
      for (std::uint32_t head = 0x7f000 + (1U << order); trial.fits(head, order); head += 31 << order) trial.flip(head, order);
    }
    REQUIRE(trial.is_sound());
    std::size_t unnoticed = 0;
    for (std::size_t at = 0; at < trial.byte_count(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        trial.bytes()[at] ^= std::byte{1} << bit;
        if (trial.is_sound()) ++unnoticed;
        trial.bytes()[at] ^= std::byte{1} << bit;
      }
    }
    CHECK(unnoticed == 0);
    CHECK(trial.is_sound());
  }
}

TEST_CASE("a tree is for the pages that it was made for, and for no others of other nodes") {
  Trial trial{4096, 100};
  CHECK(trial.tree().is_for(trial.pages()));
  CHECK_FALSE(trial.tree().is_for({{4096}, {129}}));
  CHECK_FALSE(trial.tree().is_for({{4096}, {64}}));
  CHECK_FALSE(trial.tree().is_for({{8192}, {100}}));
}

TEST_CASE("a tree takes about a byte a page at the most") {
  for (std::uint32_t count = 1; count < 5000; ++count) CHECK(FreeTree::bytes_for(count) <= sizeof(FreeTree) + 1.2 * count + 24);
  CHECK(FreeTree::bytes_for(1U << 28) < (std::size_t{1} << 28) * 6 / 10);
}
