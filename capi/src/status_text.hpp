// Statuses in words.
#pragma once

#include "slabheap/core/status.hpp"

namespace slabheap {

/// A sentence without a full stop, also for a number that is no status.
[[nodiscard]] const char* text_of(Status status);

}  // namespace slabheap
