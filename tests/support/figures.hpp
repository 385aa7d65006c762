// What tests came to, for the file that SLABHEAP_FIGURES names: tools/soak makes a result of it, docs/reliability.md a table.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace slabheap::test {

inline void write_figure(const char* name, const char* sign, std::uint64_t value) {
  if (const char* path = std::getenv("SLABHEAP_FIGURES"))
    std::ofstream{path, std::ios::app} << name << ' ' << sign << value << '\n';
}

/// A count, which adds up over several runs.
inline void add_figure(const char* name, std::uint64_t value) { write_figure(name, "+", value); }

/// A value, of which the last is kept.
inline void set_figure(const char* name, std::uint64_t value) { write_figure(name, "=", value); }

}  // namespace slabheap::test
