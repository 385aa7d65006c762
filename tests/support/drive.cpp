#include <cmath>

#include "support/model.hpp"

namespace slabheap::test {
namespace {

std::size_t below(std::mt19937_64& random, std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>{0, bound - 1}(random);
}

/// Sizes as programs have them, small ones far more often than large, and now and then none.
std::size_t random_size(std::mt19937_64& random) {
  if (below(random, 64) == 0) return 0;
  const double most = below(random, 8) == 0 ? 17 : 12;
  return static_cast<std::size_t>(std::exp2(std::uniform_real_distribution<double>{0, most}(random)));
}

std::size_t random_align(std::mt19937_64& random) {
  return std::size_t{1} << (below(random, 8) == 0 ? below(random, 18) : below(random, 5));
}

std::uintptr_t random_block(const Model& model, std::mt19937_64& random) {
  const auto& blocks = model.blocks();
  // A block near a random address: a map has no random access, and a walk would cost more than the operation.
  const std::uintptr_t first = blocks.begin()->first;
  const auto place = blocks.lower_bound(first + below(random, blocks.rbegin()->first - first + 1));
  return place->first;
}

void wrong_free(Model& model, std::mt19937_64& random) {
  const std::uintptr_t block = random_block(model, random);
  const Model::Block layout = model.blocks().at(block);
  int outside = 0;
  switch (below(random, 4)) {
    case 0: model.refuse(&outside, HEAP_STATUS_NOT_OWNED); break;
    case 1: model.refuse(reinterpret_cast<void*>(block + 1 + below(random, layout.held - 1)), HEAP_STATUS_MISALIGNED); break;
    case 2: model.refuse(reinterpret_cast<void*>(block), layout.held + 1, layout.align, HEAP_STATUS_WRONG_LAYOUT); break;
    default:
      model.deallocate(block);
      model.refuse(reinterpret_cast<void*>(block), layout.size, layout.align, HEAP_STATUS_NOT_ALLOCATED);
  }
}

void step(Model& model, std::mt19937_64& random) {
  const std::size_t dice = below(random, 1000);
  if (model.blocks().empty() || dice < 480) {
    (void)model.allocate(random_size(random), random_align(random), below(random, 8) == 0);
  } else if (dice < 700) {
    model.deallocate(random_block(model, random));
  } else if (dice < 850) {
    model.free(random_block(model, random));
  } else if (dice < 950) {
    (void)model.reallocate(random_block(model, random), random_size(random));
  } else if (dice < 990) {
    wrong_free(model, random);
  } else if (dice < 995) {
    model.trim();
  } else if (dice < 997) {
    (void)model.add_region();
  } else if (below(random, 4) == 0) {
    model.reset();
  }
}

}  // namespace

void drive(Model& model, std::mt19937_64& random, std::size_t steps, std::size_t stride) {
  model.check();
  for (std::size_t i = 1; i <= steps; ++i) {
    step(model, random);
    if (i % stride == 0) model.check();
  }
}

}  // namespace slabheap::test
