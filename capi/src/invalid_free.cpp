#include "invalid_free.hpp"

#include "os.hpp"
#include "status_text.hpp"

namespace slabheap {
namespace {

/// A line of text that needs no memory but its own. What does not fit is cut off.
class Line {
 public:
  Line& text(const char* text) {
    while (*text != '\0' && length_ < sizeof(bytes_)) bytes_[length_++] = *text++;
    return *this;
  }
  Line& hexadecimal(Address value) {
    text("0x");
    for (unsigned shift = 8 * sizeof(value); shift > 0;) {
      shift -= 4;
      const char digit[2] = {"0123456789abcdef"[value >> shift & 15], '\0'};
      text(digit);
    }
    return *this;
  }
  [[noreturn]] void abort() const { os::abort_with(bytes_, length_); }

 private:
  char bytes_[256];
  std::size_t length_ = 0;
};

}  // namespace

void abort_on_refused_free(const Heap& heap, const void* block, Status status) {
  Line line;
  line.text("slabheap: invalid free of ").hexadecimal(reinterpret_cast<Address>(block));
  line.text(" in heap ").hexadecimal(reinterpret_cast<Address>(&heap));
  line.text(": ").text(text_of(status)).text("\n").abort();
}

}  // namespace slabheap
